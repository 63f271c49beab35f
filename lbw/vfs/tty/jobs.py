"""What a terminal must know about jobs: the face that the kernel shows to it.

A terminal belongs to a session and has a foreground process group; both are objects of the kernel, of which a terminal
uses only what the protocols below name. `JobControl` is the kernel's part; as it stands here it is a system without
jobs.
"""

from __future__ import annotations

from lbw.abi.errno import EINTR, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn, Protocol

    class Session(Protocol):
        """A session, as a terminal sees it."""

        @property
        def sid(self) -> int: ...

        #: The foreground group that the leader had when its terminal was hung up; hears of the leader's end.
        left_behind: object

    class Group(Protocol):
        """A process group, as a terminal sees it."""

        @property
        def pgid(self) -> int: ...
        @property
        def session(self) -> Session: ...
        @property
        def orphaned(self) -> bool: ...

    class Caller(Protocol):
        """The process that makes the call."""

        @property
        def pid(self) -> int: ...
        @property
        def group(self) -> Group: ...
        @property
        def session(self) -> Session: ...

        #: Its controlling terminal (a `Tty`) or None. Forked children inherit it; others of the session have it or not.
        terminal: object


class JobControl:
    """A system without jobs: nobody is in the background. The kernel overrides everything."""

    def current(self) -> Caller | None:
        """Return the process whose system call is being served; None: the kernel itself is acting."""
        return None

    def ignores(self, signal: int) -> bool:
        """Whether the calling task blocks or ignores `signal`."""
        return False

    def privileged(self) -> bool:
        """Whether the calling task has CAP_SYS_ADMIN."""
        return False

    def find_group(self, pgid: int) -> Group | None:
        """Return the process group `pgid` of any session."""
        return None

    def members(self, session: Session) -> Iterable[Caller]:
        """Return all processes of `session`."""
        return ()

    def signal_group(self, group: Group, signal: int) -> None:
        """Send `signal` (SI_KERNEL) to all processes of `group`."""

    def signal_leader(self, session: Session, signal: int) -> None:
        """Send `signal` (SI_KERNEL) to the leader of `session`, if it lives."""

    def interrupted(self) -> NoReturn:
        """Leave the system call because of the signal just sent; it restarts when the caller goes on (ERESTARTSYS).

        The kernel raises its `Interrupted` here.
        """
        raise LinuxError(EINTR)
