"""Who runs lbw, on the host. Windows has no such numbers: everything is 0, and nobody is root."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":

    def uid() -> int:
        """Return 0."""
        return 0

    def gid() -> int:
        """Return 0."""
        return 0

    def groups() -> list[int]:
        """Return nothing."""
        return []

    def is_root() -> bool:
        """Whether lbw may set owners and make device nodes on the host: never."""
        return False

    def username() -> str:
        """Return the user's name."""
        return os.environ.get("USERNAME", "user")

else:

    def uid() -> int:
        """Return the effective user id."""
        return os.geteuid()

    def gid() -> int:
        """Return the effective group id."""
        return os.getegid()

    def groups() -> list[int]:
        """Return the supplementary groups."""
        return os.getgroups()

    def is_root() -> bool:
        """Whether lbw may set owners and make device nodes on the host."""
        return os.geteuid() == 0

    def username() -> str:
        """Return the user's name, or the number when there is no name."""
        from pwd import getpwuid

        try:
            return getpwuid(os.geteuid()).pw_name
        except KeyError:
            return str(os.geteuid())
