"""What lbw itself may fail with, as opposed to what a guest's system call may fail with (`LinuxError`).

    LbwError                       125  anything below, for callers who do not care which
     ├── UsageError                125  an option or argument that makes no sense
     ├── HostError                 125  the host lacks something or refused something
     ├── EngineError               125  the processor cannot be started, or its calibration failed
     ├── RewriteError              125  a file that `lbw rewrite` cannot rewrite
     ├── RootError                 125  the root is missing, unreadable or not a root
     │    └── ChrootError          125  building, listing or removing a root failed
     ├── NotExecutableError        126  the program is there and cannot be executed
     └── ProgramNotFoundError      127  there is no such program in the root

The number is the exit status of the command line, as env(1) and `docker run` use them.
"""

from __future__ import annotations


class LbwError(Exception):
    """Base of all errors that lbw reports to its user in one line."""

    exit_status = 125


class UsageError(LbwError):
    """An option or argument makes no sense."""


class HostError(LbwError):
    """The host lacks something that lbw needs, or refused an operation."""


class EngineError(LbwError):
    """The processor could not be started or did not calibrate."""


class RewriteError(LbwError):
    """A file cannot be rewritten: no ELF file, for another machine, damaged, or rewritten already."""


class RootError(LbwError):
    """The root directory is missing, unreadable or not a root."""


class ChrootError(RootError):
    """Building, listing or removing a root failed."""


class NotExecutableError(LbwError):
    """The program exists and cannot be executed (permission, format, architecture)."""

    exit_status = 126


class ProgramNotFoundError(LbwError):
    """There is no such program in the root."""

    exit_status = 127
