"""The signal calls of the time when there were 32 signals.

man 2 sigaction, signal, sigprocmask, sigpending, sigsuspend, sgetmask; Linux kernel/signal.c
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.i386 import I386
from lbw.abi.signal import SA_NODEFER, SA_RESETHAND, SIG_DFL, SIG_IGN
from lbw.kernel.signal_send import set_blocked, set_temporary_mask
from lbw.signals.actions import Action
from lbw.signals.sigset import UNBLOCKABLE
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.formats import show_sigset
from lbw.syscalls.parameters import Choice, Hex, Int, Pointer, Signal, UInt, signed
from lbw.syscalls.signal import HOW, KNOWN_FLAGS, change_blocked, exchange_action, pending_mask, wait_for_signal
from lbw.syscalls.signal_displays import show_action
from lbw.syscalls.table import NO_HANDLER, own_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: struct old_sigaction: handler, mask, flags, restorer.
ACTION = Struct("<IIII")
#: old_sigset_t
SIGSET = Struct("<I")
LOW = 0xFFFF_FFFF


def show_old_action(task: Task, address: int) -> str:
    """Return a struct old_sigaction."""
    handler, mask, flags, restorer = task.memory.load(address, ACTION)
    return show_action(handler, flags, restorer, mask)


def show_old_sigset(task: Task, address: int) -> str:
    """Return a set of 32 signals."""
    return show_sigset(task.memory.load(address, SIGSET)[0])


class Mask(UInt):
    """A set of 32 signals, as a number."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return show_sigset(raw & LOW)


class HandlerAddress(Pointer):
    """The address of a handler, SIG_DFL or SIG_IGN."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return {SIG_DFL: "SIG_DFL", SIG_IGN: "SIG_IGN"}.get(raw) or hex(raw)


@own_call(
    I386, "sigaction", Signal("signum"), InStruct("act", show_old_action), OutStruct("oldact", show_old_action)
)  # fmt: skip
def sigaction(task: Task, signum: int, act: int, oldact: int) -> int:
    """Get and set what the process does with a signal.  EINVAL; EFAULT.  man 2 sigaction"""
    new = None
    if act:
        handler, mask, flags, restorer = task.memory.load(act, ACTION)
        new = Action(handler, flags & KNOWN_FLAGS, restorer, mask & ~UNBLOCKABLE, I386.name)
    old = exchange_action(task, signum, new)
    if oldact:
        task.memory.store(oldact, ACTION, old.handler & LOW, old.mask & LOW, old.flags & LOW, old.restorer & LOW)
    return 0


@own_call(I386, "signal", Signal("signum"), HandlerAddress("handler"))
def signal(task: Task, signum: int, handler: int) -> int:
    """Set what the process does with a signal, for once; return what it did before.  EINVAL.  man 2 signal"""
    return exchange_action(task, signum, Action(handler, SA_RESETHAND | SA_NODEFER, 0, 0, I386.name)).handler & LOW


@own_call(
    I386, "sigprocmask", Choice("how", HOW), InStruct("set", show_old_sigset), OutStruct("oldset", show_old_sigset)
)
def sigprocmask(task: Task, how: int, address: int, oldset: int) -> int:
    """Get and change the thread's mask of the first 32 signals; the others stay.  man 2 sigprocmask"""
    old = task.signals.blocked
    if address:
        change_blocked(task, how, task.memory.load(address, SIGSET)[0], ~LOW)
    if oldset:
        task.memory.store(oldset, SIGSET, old & LOW)
    return 0


@own_call(I386, "sigpending", OutStruct("set", show_old_sigset))
def sigpending(task: Task, address: int) -> int:
    """Store which of the first 32 signals are pending and blocked.  man 2 sigpending"""
    task.memory.store(address, SIGSET, pending_mask(task) & LOW)
    return 0


@own_call(I386, "sigsuspend", Hex("unused1"), Hex("unused2"), Mask("mask"), restart=NO_HANDLER)
def sigsuspend(task: Task, unused1: int, unused2: int, mask: int) -> Awaitable[int]:
    """Wait for a signal under another mask.  EINTR, always.  man 2 sigsuspend"""
    set_temporary_mask(task, mask)
    return wait_for_signal(task)


@own_call(I386, "sgetmask")
def sgetmask(task: Task) -> int:
    """Return the mask of the first 32 signals.  man 2 sgetmask"""
    return signed(task.signals.blocked, 32)


@own_call(I386, "ssetmask", Int("newmask"))
def ssetmask(task: Task, mask: int) -> int:
    """Set the mask, extended by its sign as Linux does; return that of the first 32 signals.  man 2 ssetmask"""
    old = task.signals.blocked
    set_blocked(task, mask & (1 << 64) - 1)
    return signed(old, 32)
