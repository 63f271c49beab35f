"""Who runs lbw, on the host. Windows has no such numbers: everything is 0, and nobody is root."""

from __future__ import annotations

import os
import sys


def uid() -> int:
    """Return the effective user id."""
    return os.geteuid() if sys.platform != "win32" else 0


def gid() -> int:
    """Return the effective group id."""
    return os.getegid() if sys.platform != "win32" else 0


def groups() -> list[int]:
    """Return the supplementary groups."""
    return os.getgroups() if sys.platform != "win32" else []


def is_root() -> bool:
    """Whether lbw may set owners and make device nodes on the host."""
    return sys.platform != "win32" and os.geteuid() == 0


def username() -> str:
    """Return the user's name, or the number when there is no name."""
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "user")
    try:
        from pwd import getpwuid

        return getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return str(os.geteuid())
