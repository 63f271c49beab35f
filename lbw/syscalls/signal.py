"""Signal actions, masks and waits.

man 2 sigaction, sigprocmask, sigpending, sigsuspend, sigtimedwait, sigaltstack

Sending is in `kill.py`, the way back from handlers in `sigreturn.py`, interval timers are in `itimer.py`.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.abi.signal import (
    NSIG,
    SA_EXPOSE_TAGBITS,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SA_NODEFER,
    SA_ONSTACK,
    SA_RESETHAND,
    SA_RESTART,
    SA_RESTORER,
    SA_SIGINFO,
    SIG_BLOCK,
    SIG_SETMASK,
    SIG_UNBLOCK,
)
from lbw.cpu.contracts import RSP
from lbw.kernel.signal_delivery import dequeue
from lbw.kernel.signal_send import recalculate, set_blocked, set_temporary_mask
from lbw.kernel.task import Interrupted
from lbw.signals.actions import Action
from lbw.signals.siginfo import pack
from lbw.signals.sigset import FULL, UNBLOCKABLE, bit
from lbw.syscalls.displays import InStruct, OutSigSet, OutStruct, SigSet, Timespec
from lbw.syscalls.parameters import Choice, Signal, Size, signed
from lbw.syscalls.signal_displays import show_sigaction, show_siginfo, show_stack
from lbw.syscalls.table import NEVER, NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lbw.kernel.task import Task

#: A signal set in memory; its size is an argument of every call, and the only one that Linux accepts.
SIGSET = Struct("<Q")

HOW = {SIG_BLOCK: "SIG_BLOCK", SIG_UNBLOCK: "SIG_UNBLOCK", SIG_SETMASK: "SIG_SETMASK"}

#: The flags that sigaction keeps; a program learns from their absence what the kernel lacks (SA_UNSUPPORTED).
KNOWN_FLAGS = (
    SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS
    | SA_RESTORER
)  # fmt: skip

_BILLION = 10**9


@syscall(
    "rt_sigaction",
    Signal("signum"),
    InStruct("act", show_sigaction),
    OutStruct("oldact", show_sigaction),
    Size("sigsetsize"),
)
def rt_sigaction(task: Task, signum: int, act: int, oldact: int, sigsetsize: int) -> int:
    """Get and set what the process does with a signal.

    EINVAL: no such signal, or a change for SIGKILL or SIGSTOP.  man 2 sigaction
    """
    _check_size(sigsetsize)
    layout = task.abi.sigaction
    new = None
    if act:
        handler, flags, restorer, mask = task.memory.load(act, layout)
        new = Action(handler, flags & KNOWN_FLAGS, restorer, mask & ~UNBLOCKABLE, task.abi.name)
    old = exchange_action(task, signum, new)
    if oldact:
        task.memory.store(oldact, layout, old.handler, old.flags, old.restorer, old.mask)
    return 0


def exchange_action(task: Task, signum: int, new: Action | None) -> Action:
    """Have `new` be what the process does with a signal, unless it is None; return what it did.  EINVAL"""
    if not 1 <= signum <= NSIG or (new is not None and UNBLOCKABLE & bit(signum)):
        raise LinuxError(EINVAL)
    process = task.process
    actions = process.actions
    old = actions[signum]
    if new is not None:
        actions[signum] = new
        if actions.ignores(signum):  # POSIX 3.3.1.3: what is pending is forgotten, blocked or not
            process.pending.discard(bit(signum))
            for thread in process.threads:
                thread.signals.pending.discard(bit(signum))
                recalculate(thread)
    return old


def change_blocked(task: Task, how: int, mask: int, kept: int = 0) -> None:
    """Change the thread's mask as `how` says; SIG_SETMASK leaves the signals of the mask `kept` alone.  EINVAL"""
    old = task.signals.blocked
    if how == SIG_BLOCK:
        set_blocked(task, old | mask)
    elif how == SIG_UNBLOCK:
        set_blocked(task, old & ~mask)
    elif how == SIG_SETMASK:
        set_blocked(task, old & kept | mask)
    else:
        raise LinuxError(EINVAL)


@syscall("rt_sigprocmask", Choice("how", HOW), SigSet("set"), OutSigSet("oldset"), Size("sigsetsize"))
def rt_sigprocmask(task: Task, how: int, set: int, oldset: int, sigsetsize: int) -> int:
    """Get and change the thread's mask; SIGKILL and SIGSTOP in it are ignored.  man 2 sigprocmask"""
    _check_size(sigsetsize)
    old = task.signals.blocked
    if set:
        change_blocked(task, how, task.memory.load(set, SIGSET)[0])
    if oldset:
        task.memory.store(oldset, SIGSET, old)
    return 0


@syscall("rt_sigpending", OutSigSet("set"), Size("sigsetsize"))
def rt_sigpending(task: Task, set: int, sigsetsize: int) -> int:
    """Store the blocked signals that are pending for the thread or its process.  man 2 sigpending"""
    if sigsetsize > SIGSET.size:
        raise LinuxError(EINVAL)
    task.memory.write(set, SIGSET.pack(pending_mask(task))[:sigsetsize])
    return 0


def pending_mask(task: Task) -> int:
    """Return the blocked signals that are pending for the thread or its process."""
    signals = task.signals
    return (signals.pending.mask | task.process.pending.mask) & signals.blocked


@syscall("rt_sigsuspend", SigSet("mask"), Size("sigsetsize"), restart=NO_HANDLER)
def rt_sigsuspend(task: Task, mask: int, sigsetsize: int) -> Coroutine[Any, Any, int]:
    """Wait for a signal under another mask.  EINTR, always.  man 2 sigsuspend"""
    _check_size(sigsetsize)
    (blocked,) = task.memory.load(mask, SIGSET)
    set_temporary_mask(task, blocked)
    return wait_for_signal(task)


@syscall("pause", restart=NO_HANDLER)
def pause(task: Task) -> Coroutine[Any, Any, int]:
    """Wait for a signal.  EINTR, always.  man 2 pause"""
    return wait_for_signal(task)


async def wait_for_signal(task: Task) -> int:
    """Wait until a signal interrupts the call."""
    while True:
        await task.wait()


@syscall(
    "rt_sigtimedwait",
    SigSet("set"),
    OutStruct("info", show_siginfo),
    Timespec("timeout"),
    Size("sigsetsize"),
    restart=NEVER,
)
def rt_sigtimedwait(
    task: Task, set: int, info: int, timeout: int, sigsetsize: int, layout: Struct | None = None
) -> int | Coroutine[Any, Any, int]:
    """Take a pending signal of `set`, which the caller should have blocked, waiting for it if need be.

    EAGAIN: none came in time. EINTR: another signal's handler ran.  man 2 sigtimedwait
    """
    _check_size(sigsetsize)
    (wanted,) = task.memory.load(set, SIGSET)
    wanted &= ~UNBLOCKABLE
    deadline = None
    if timeout:
        seconds, nanoseconds = task.memory.load(timeout, layout or task.abi.timespec)
        if seconds < 0 or not 0 <= nanoseconds < _BILLION:
            raise LinuxError(EINVAL)
        deadline = task.kernel.clock.monotonic() + seconds * _BILLION + nanoseconds
    signo = _take(task, wanted, info)
    if signo:
        return signo
    if timeout and not seconds and not nanoseconds:
        raise LinuxError(EAGAIN)
    return _wait_for(task, wanted, info, deadline)


async def _wait_for(task: Task, wanted: int, info: int, deadline: int | None) -> int:
    signals = task.signals
    signals.waiting = wanted
    try:
        while True:
            try:
                in_time = await task.wait(deadline=deadline)
            except Interrupted:
                signo = _take(task, wanted, info)
                if signo:
                    return signo
                raise
            signo = _take(task, wanted, info)
            if signo:
                return signo
            if not in_time:
                raise LinuxError(EAGAIN)
    finally:
        signals.waiting = 0


def _take(task: Task, wanted: int, info: int) -> int:
    """Take a signal of `wanted`, store its siginfo at `info` (0: nowhere) and return its number, 0: none is pending."""
    taken = dequeue(task, FULL & ~wanted)
    recalculate(task)
    if taken is None:
        return 0
    if info:
        task.memory.write(info, pack(taken, task.abi.word))
    return taken.signo


@syscall("sigaltstack", InStruct("ss", show_stack), OutStruct("old_ss", show_stack))
def sigaltstack(task: Task, ss: int, old_ss: int) -> int:
    """Get and set the stack for handlers with SA_ONSTACK.

    EPERM: the task runs on it. EINVAL: flags. ENOMEM: smaller than MINSIGSTKSZ.  man 2 sigaltstack
    """
    layout, altstack = task.abi.stack_t, task.signals.altstack
    stack = task.context.registers[RSP]
    old = (altstack.base, signed(altstack.state(stack), 32), altstack.size)
    if ss:
        base, flags, size = task.memory.load(ss, layout)
        altstack.replace(base, size, flags & 0xFFFF_FFFF, stack)
    if old_ss:
        task.memory.store(old_ss, layout, *old)
    return 0


def _check_size(sigsetsize: int) -> None:
    if sigsetsize != SIGSET.size:
        raise LinuxError(EINVAL)
