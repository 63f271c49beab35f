"""Sending signals: who gets one, whether it is thrown away at once, and who is woken for it.

A signal goes to a process, where any thread that does not block it may take it, or to one task. It is thrown away when
the process ignores it, unless it is blocked: the process may change its mind before it unblocks it (man 2 sigaction).
Stop signals and SIGCONT undo each other in the queues already when sent.

`SIGNAL` in `task.attention` says that delivery has something to look at. It is set here, by `Task.interrupt`, and made
true again by `recalculate` when masks or queues change otherwise; so every change of a mask goes through `set_blocked`.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_KILL
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.resource import RLIMIT_SIGPENDING
from lbw.abi.signal import NSIG, SI_KERNEL, SIG_DFL, SIGCONT, SIGKILL
from lbw.kernel.task import DEAD, SIGNAL, Task
from lbw.signals.pending import QueueAccount
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import DUMPING, IGNORED_BY_DEFAULT, STOPPING, UNBLOCKABLE, bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.groups import ProcessGroup
    from lbw.kernel.process import Process

_CONTINUE = bit(SIGCONT)


def send_signal(target: Process | Task, info: SigInfo) -> None:
    """Make `info` pending for a process or for one task, and wake whoever is to take it. Permissions are not checked.

    LinuxError(EAGAIN): a real-time signal with a payload exceeds RLIMIT_SIGPENDING.
    """
    task: Task | None
    if isinstance(target, Task):
        task, process, queue = target, target.process, target.signals.pending
    else:
        task, process, queue = target.leader, target, target.pending
    if task is None or task.state == DEAD or process.exiting is not None:
        return  # a zombie, init, or a process on its way out
    signo = info.signo
    flag = bit(signo)
    if STOPPING & flag:
        _discard(process, _CONTINUE)
    elif signo == SIGCONT:
        from lbw.kernel.default_actions import continue_process

        _discard(process, STOPPING)
        continue_process(process)
    if not task.signals.blocked & flag and process.actions.ignores(signo):
        return
    if not queue.add(info, queue_account(process), process.limits.soft(RLIMIT_SIGPENDING)):
        return
    for file in process.kernel.signal_files:
        file.notice(flag)
    if signo == SIGKILL:
        from lbw.kernel.default_actions import unpark_threads

        process.stop_signal = 0
        unpark_threads(process)
    if isinstance(target, Task):
        _notice(target, signo)
    else:
        _notice_one(process, signo)


def queue_account(process: Process) -> QueueAccount:
    """Return where signals that are queued for `process`, which has threads, are counted."""
    leader = process.leader
    uid = leader.credentials.ruid if leader is not None else process.uid
    accounts = process.kernel.signal_accounts
    account = accounts.get(uid)
    if account is None:
        account = accounts[uid] = QueueAccount()
    return account


def send_to_group(group: ProcessGroup, info: SigInfo) -> None:
    """Send `info` to every member of a group (the terminal's ^C, hang-up of a session)."""
    for process in list(group.members):
        send_signal(process, info)


def kernel_info(signo: int) -> SigInfo:
    """Return the siginfo of a signal that comes from the kernel itself."""
    return SigInfo(signo, SI_KERNEL)


def force_signal(task: Task, info: SigInfo) -> None:
    """Send a signal that cannot be put off: the task cannot go on as it is (a fault).

    When it is blocked or ignored, its action becomes the default, which ends the process.
    """
    signals, process = task.signals, task.process
    flag = bit(info.signo)
    if signals.blocked & flag or process.actions.ignores(info.signo):
        process.actions.set_default(info.signo)
        signals.blocked &= ~flag
    signals.pending.add(info)
    task.interrupt()


def force_default(task: Task, signo: int) -> None:
    """End the process by `signo` whatever its handler is: the handler itself cannot be entered."""
    task.process.actions.set_default(signo)
    task.signals.blocked &= ~bit(signo)
    force_signal(task, kernel_info(signo))


def set_blocked(task: Task, mask: int) -> None:
    """Block exactly `mask` (without SIGKILL and SIGSTOP), and hand over to other threads what can wait for them."""
    signals = task.signals
    newly = mask & ~signals.blocked
    signals.blocked = mask & ~UNBLOCKABLE
    recalculate(task)
    if newly and len(task.process.threads) > 1:
        retarget(task, newly)


def set_temporary_mask(task: Task, mask: int) -> None:
    """Block `mask` during a wait (sigsuspend, ppoll, pselect).

    A handler's frame saves the mask of before; a wait that ends otherwise calls `restore_mask`. Whoever is interrupted
    leaves that to delivery.
    """
    task.signals.saved = task.signals.blocked
    set_blocked(task, mask)


def restore_mask(task: Task) -> None:
    """Go back from the temporary mask of sigsuspend, ppoll or pselect, if there is one."""
    saved = task.signals.saved
    if saved is not None:
        task.signals.saved = None
        set_blocked(task, saved)


def recalculate(task: Task) -> None:
    """Make `SIGNAL` in `task.attention` say whether an unblocked signal is pending."""
    signals = task.signals
    if (signals.pending.mask | task.process.pending.mask) & ~signals.blocked:
        task.attention |= SIGNAL
    else:
        task.attention &= ~SIGNAL


def retarget(task: Task, mask: int) -> None:
    """Let other threads take the process's pending signals of `mask`: `task` blocks them now, or exits."""
    pending = task.process.pending.mask & mask
    if not pending:
        return
    for other in task.process.threads:
        if other is not task and pending & ~other.signals.blocked:
            other.interrupt()
            pending &= other.signals.blocked
            if not pending:
                return


def check_signal(signo: int) -> None:
    """Accept 0 (only test for existence) to 64.  EINVAL"""
    if not 0 <= signo <= NSIG:
        raise LinuxError(EINVAL)


def check_kill_permission(sender: Task, target: Process, signo: int, thread: Task | None = None) -> None:
    """Let `sender` send `signo` to `target`, or to one `thread` of it, or not.  man 2 kill, "ERRORS"

    EINVAL: no such signal. EPERM: neither CAP_KILL, nor a real or effective uid equal to the target's real or saved
    one, nor SIGCONT within the session.
    """
    check_signal(signo)
    mine = sender.credentials
    if target is sender.process or mine.capable(CAP_KILL):
        return
    other = thread or target.leader
    if other is None:
        if target.exit_status is None and 0 not in (mine.euid, mine.ruid):  # init, which belongs to root
            raise LinuxError(EPERM)
        return
    owners = (other.credentials.ruid, other.credentials.suid)
    if mine.euid in owners or mine.ruid in owners:
        return
    if signo == SIGCONT and target.session is sender.process.session:
        return
    raise LinuxError(EPERM)


def _discard(process: Process, mask: int) -> None:
    process.pending.discard(mask)
    for task in process.threads:
        task.signals.pending.discard(mask)


def _takes(task: Task, flag: int) -> bool:
    return task.state != DEAD and (not task.signals.blocked & flag or task.signals.waiting & flag != 0)


def _notice(task: Task, signo: int) -> None:
    """Wake `task` for a signal of its own, if it takes it."""
    if _takes(task, bit(signo)):
        _wake(task, signo)


def _notice_one(process: Process, signo: int) -> None:
    """Wake one thread for a signal of the process, as Linux chooses it.

    The leader if it takes the signal and has nothing else to deliver (or is the one that runs), else the first other
    thread in turn, beginning with the one that was chosen last. If all have something to deliver they will look for
    this one too.
    """
    leader, current = process.leader, process.kernel.current
    flag = bit(signo)
    if leader is not None and _wants(leader, flag, current):
        _wake(leader, signo)
        return
    threads = process.threads
    if len(threads) > 1:
        start = threads.index(process.signal_target) if process.signal_target in threads else 0
        for task in threads[start:] + threads[:start]:
            if _wants(task, flag, current):
                process.signal_target = task
                _wake(task, signo)
                return
    for task in threads:
        if _takes(task, flag):
            _wake(task, signo)
            return


def _wake(task: Task, signo: int) -> None:
    """Wake `task` for a signal that it is to take.

    When that will end the process, no thread of it is to do anything more: not even the one that sends the signal and
    blocks it. (If somebody watches, and is to see the signal taken, or if there will be a core file, it has to wait.)
    """
    process, fatal = task.process, _is_fatal(task, signo)
    kernel = process.kernel
    if (
        not fatal or len(process.threads) == 1 or task is kernel.current or process.stop_signal
        or DUMPING & bit(signo) or kernel.observer is not None
    ):  # fmt: skip
        task.interrupt(fatal)
        return
    process.exiting = signo
    for thread in process.threads:
        thread.signals.pending.add(SigInfo(SIGKILL))
        thread.interrupt(fatal)


def _wants(task: Task, flag: int, current: Task | None) -> bool:
    """Tell whether Linux would have `task` take a signal of its process."""
    return _takes(task, flag) and (task is current or not task.attention & SIGNAL or task.signals.waiting & flag != 0)


def _is_fatal(task: Task, signo: int) -> bool:
    """Tell whether the signal will end the process, so that even a wait for a vfork child is over."""
    flag = bit(signo)
    return (
        task.process.actions[signo].handler == SIG_DFL
        and not (IGNORED_BY_DEFAULT | STOPPING) & flag
        and not task.signals.blocked & flag
    )
