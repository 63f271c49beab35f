"""The root that `lbw run` uses when none is named: built on first use, then found at once.

It is the `shell` variant of bookworm at `<data dir>/roots/default`.  When it is there, this module has imported nothing
but `os` and `sys`; `lbw run` pays a single `stat` for it.  When two first runs meet, one builds and the other waits.
"""

from __future__ import annotations

import os

from lbw.host.dirs import data_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.chroot.progress import Progress

VARIANT = "shell"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
"""Where a host without apt sources fetches from; LBW_MIRROR overrides it.  Signatures are verified all the same."""


def default_root_path() -> str:
    """Return where the default root is or would be."""
    return os.path.join(data_dir(), "roots", "default")


def default_root(progress: Progress | None = None) -> str:
    """Return the default root, building it first when it is not there.  Raises ChrootError; prints to stderr only."""
    path = default_root_path()
    # A root appears by a rename, so a directory with a /usr is a whole one.
    if not os.path.isdir(os.path.join(path, "usr")):
        _build(path, progress)
    return path


def _build(path: str, progress: Progress | None) -> None:
    from pathlib import Path

    from lbw.chroot.build import Request, build
    from lbw.chroot.errors import SourceError
    from lbw.chroot.lock import FileLock
    from lbw.chroot.progress import TerminalProgress
    from lbw.chroot.sources import find_sources

    with FileLock(Path(f"{path}.lock")):
        if os.path.isdir(os.path.join(path, "usr")):  # another process built it while this one waited
            return
        display = progress or TerminalProgress()
        display.warn(f"building the default root at {path}; this happens once")
        mirror = os.environ.get("LBW_MIRROR") or None
        if mirror is None:
            try:
                find_sources(SUITE, "amd64", None)
            except SourceError:
                mirror = MIRROR
        build(Request(Path(path), variant=VARIANT, suite=SUITE, mirror=mirror), display)
