"""What a process does with each signal: the table that sigaction fills.

The table belongs to a process. fork copies it, clone with CLONE_SIGHAND shares it (the same object), execve resets the
handlers and keeps what is ignored.  man 2 sigaction, execve
"""

from __future__ import annotations

from lbw.abi.signal import NSIG, SIG_DFL, SIG_IGN
from lbw.signals.sigset import IGNORED_BY_DEFAULT


class Action:
    """The disposition of one signal. Never changed once in a table, so that copies may share it."""

    __slots__ = ("abi", "flags", "handler", "mask", "restorer")

    def __init__(
        self, handler: int = SIG_DFL, flags: int = 0, restorer: int = 0, mask: int = 0, abi: str = "x86_64"
    ) -> None:  # fmt: skip
        self.handler = handler  # guest address, SIG_DFL or SIG_IGN
        self.flags = flags  # SA_*
        self.restorer = restorer  # guest address of the code that calls rt_sigreturn
        self.mask = mask  # blocked while the handler runs
        self.abi = abi  # name of the ABI whose sigaction installed it: its frames enter the handler


DEFAULT = Action()
IGNORE = Action(SIG_IGN)


class SignalActions:
    """The 64 dispositions of a process."""

    __slots__ = ("_table", "sharers")

    def __init__(self) -> None:
        self._table = [DEFAULT] * (NSIG + 1)  # index 0 is unused
        self.sharers = 1  # processes that use this table (CLONE_SIGHAND without CLONE_THREAD)

    def __getitem__(self, signo: int) -> Action:
        return self._table[signo]

    def __setitem__(self, signo: int, action: Action) -> None:
        self._table[signo] = action

    def ignores(self, signo: int) -> bool:
        """Tell whether the signal would be thrown away: SIG_IGN, or SIG_DFL where the default is to do nothing."""
        handler = self._table[signo].handler
        return handler == SIG_IGN or (handler == SIG_DFL and IGNORED_BY_DEFAULT >> (signo - 1) & 1 == 1)

    def set_default(self, signo: int) -> None:
        """Forget the handler of `signo`, or that it is ignored."""
        self._table[signo] = DEFAULT

    def ignored(self) -> int:
        """Return the set of signals with SIG_IGN (SigIgn in /proc/PID/status)."""
        return sum(1 << (n - 1) for n in range(1, NSIG + 1) if self._table[n].handler == SIG_IGN)

    def caught(self) -> int:
        """Return the set of signals with a handler (SigCgt in /proc/PID/status)."""
        return sum(1 << (n - 1) for n in range(1, NSIG + 1) if self._table[n].handler > SIG_IGN)

    def fork(self) -> SignalActions:
        """Return a copy (fork)."""
        copy = SignalActions()
        copy._table = self._table[:]
        return copy

    def share(self) -> SignalActions:
        """Return the same table for one more process (CLONE_SIGHAND)."""
        self.sharers += 1
        return self

    def clear_handlers(self) -> SignalActions:
        """Return the table for clone3's CLONE_CLEAR_SIGHAND and for execve: handlers become SIG_DFL, SIG_IGN stays.

        A table that other processes share is left to them.
        """
        target = self
        if self.sharers > 1:
            self.sharers -= 1
            target = SignalActions()
        target._table = [IGNORE if action.handler == SIG_IGN else DEFAULT for action in self._table]
        return target
