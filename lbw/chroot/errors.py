"""What building a root may fail with.

ChrootError                 anything below
 ├── SourceError            no usable archive: no apt sources, no such suite, a bad mirror
 ├── VerificationError      a signature or checksum does not hold, or cannot be checked
 ├── DownloadError          a URL cannot be fetched; the message names it
 ├── ResolveError           a dependency cannot be satisfied
 ├── UnsafeArchiveError     a package is malformed or tries to leave the root
 └── NoSpaceError           the host's disk is full
"""

from __future__ import annotations

from lbw.errors import ChrootError

__all__ = [
    "ChrootError",
    "DownloadError",
    "NoSpaceError",
    "ResolveError",
    "SourceError",
    "UnsafeArchiveError",
    "VerificationError",
]


class SourceError(ChrootError):
    """There is no usable archive: no apt sources, no such suite, or a bad mirror."""


class VerificationError(ChrootError):
    """A signature or checksum does not hold, or cannot be checked."""


class DownloadError(ChrootError):
    """A URL cannot be fetched."""


class ResolveError(ChrootError):
    """A dependency cannot be satisfied."""


class UnsafeArchiveError(ChrootError):
    """A package is malformed or tries to leave the root."""


class NoSpaceError(ChrootError):
    """The host's disk is full."""
