"""Sending, delivery, default actions, faults and timers, on a kernel without a processor."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from signal_fakes import FakeKernel, run

import lbw.kernel.exit
from lbw.abi.errno import EAGAIN, EINTR, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.signal import (
    CLD_CONTINUED,
    CLD_KILLED,
    CLD_STOPPED,
    FPE_FLTDIV,
    FPE_FLTINV,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SA_RESTORER,
    SEGV_MAPERR,
    SI_KERNEL,
    SI_QUEUE,
    SIG_BLOCK,
    SIG_DFL,
    SIG_IGN,
    SIG_SETMASK,
    SIGALRM,
    SIGCHLD,
    SIGCONT,
    SIGFPE,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGSEGV,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    SIGTTIN,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
)
from lbw.cpu.contracts import DE, GP, MF, RAX, RIP, RSP, XM
from lbw.kernel.default_actions import notify_parent
from lbw.kernel.fault_signals import exception_info, floating_point_code, processor_fault, segmentation_fault
from lbw.kernel.restart import NO_HANDLER, RESTART, settle
from lbw.kernel.signal_delivery import deliver_signals
from lbw.kernel.signal_send import recalculate, send_signal, set_blocked
from lbw.kernel.task import INTERRUPTED, PARKED, SIGNAL, WAITING, Interrupted, Task
from lbw.mm.faults import SegmentationFault
from lbw.signals.actions import Action
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import bit, sigset
from lbw.syscalls.itimer import alarm
from lbw.syscalls.kill import kill, rt_sigqueueinfo, tgkill, tkill
from lbw.syscalls.signal import (
    rt_sigaction,
    rt_sigpending,
    rt_sigprocmask,
    rt_sigsuspend,
    rt_sigtimedwait,
)
from lbw.syscalls.sigreturn import rt_sigreturn

HANDLER = 0x401000
USER_CODE = 0x400123


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def task(kernel: FakeKernel) -> Task:
    task = kernel.spawn(2)
    task.context.registers[RSP] = 0x80000
    task.context.registers[RIP] = USER_CODE
    return task


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Collects (pid, status) of processes that would end."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(lbw.kernel.exit, "exit_process", lambda process, status: calls.append((process.pid, status)))
    return calls


def catch(task: Task, signo: int, flags: int = 0, mask: int = 0, handler: int = HANDLER) -> None:
    task.process.actions[signo] = Action(handler, flags | SA_RESTORER, 0x402000, mask)


def errno_of(call: object, *arguments: object) -> int:
    with pytest.raises(LinuxError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.errno


def test_a_handler_runs_and_returns(task: Task) -> None:
    catch(task, SIGUSR1, mask=bit(SIGUSR2))
    send_signal(task.process, SigInfo(SIGUSR1))
    assert task.attention & SIGNAL
    deliver_signals(task)
    assert not task.attention & SIGNAL
    assert task.context.registers[RIP] == HANDLER
    assert task.signals.blocked == sigset((SIGUSR1, SIGUSR2))
    task.context.registers[RSP] += 8
    rt_sigreturn(task)
    assert task.context.registers[RIP] == USER_CODE and task.signals.blocked == 0


def test_flags_of_an_action(task: Task) -> None:
    catch(task, SIGUSR1, SA_RESETHAND | SA_NODEFER)
    send_signal(task, SigInfo(SIGUSR1))
    deliver_signals(task)
    assert task.signals.blocked == 0
    assert task.process.actions[SIGUSR1].handler == SIG_DFL


def test_two_handlers_nest_and_the_later_runs_first(task: Task) -> None:
    catch(task, SIGUSR1)
    catch(task, SIGUSR2, handler=HANDLER + 16)
    send_signal(task, SigInfo(SIGUSR2))
    send_signal(task, SigInfo(SIGUSR1))
    deliver_signals(task)
    assert task.context.registers[RIP] == HANDLER + 16
    task.context.registers[RSP] += 8
    rt_sigreturn(task)
    assert task.context.registers[RIP] == HANDLER


def test_ignored_signals_vanish_unless_blocked(task: Task) -> None:
    for signo in (SIGCHLD, SIGWINCH):
        send_signal(task.process, SigInfo(signo))
    assert task.process.pending.mask == 0
    set_blocked(task, bit(SIGWINCH))
    send_signal(task.process, SigInfo(SIGWINCH))
    assert task.process.pending.mask == bit(SIGWINCH) and not task.attention & SIGNAL
    set_blocked(task, 0)
    assert task.attention & SIGNAL
    deliver_signals(task)
    assert task.process.pending.mask == 0 and task.context.registers[RIP] == USER_CODE


def test_ignoring_forgets_what_is_pending(task: Task) -> None:
    set_blocked(task, bit(SIGUSR1))
    send_signal(task.process, SigInfo(SIGUSR1))
    task.memory.store(0x2000, task.abi.sigaction, SIG_IGN, 0, 0, 0)
    assert rt_sigaction(task, SIGUSR1, 0x2000, 0, 8) == 0
    assert task.process.pending.mask == 0


def test_default_actions(task: Task, ended: list[tuple[int, int]]) -> None:
    send_signal(task.process, SigInfo(SIGTERM))
    deliver_signals(task)
    assert ended == [(2, SIGTERM)]


def test_kill_comes_before_handlers(task: Task, ended: list[tuple[int, int]]) -> None:
    catch(task, SIGHUP)
    send_signal(task.process, SigInfo(SIGHUP))
    send_signal(task.process, SigInfo(SIGKILL))
    deliver_signals(task)
    assert ended == [(2, SIGKILL)] and task.context.registers[RIP] == USER_CODE


def test_no_room_for_a_frame(task: Task, ended: list[tuple[int, int]]) -> None:
    catch(task, SIGUSR1)
    catch(task, SIGSEGV)
    task.context.registers[RSP] = 0x10
    send_signal(task, SigInfo(SIGUSR1))
    deliver_signals(task)
    assert ended == [(2, SIGSEGV)]


@pytest.mark.parametrize(
    ("rule", "flags", "restarted"),
    [(RESTART, SA_RESTART, True), (RESTART, 0, False), (NO_HANDLER, SA_RESTART, False), (RESTART, None, True)],
)
def test_an_interrupted_call(task: Task, rule: int, flags: int | None, restarted: bool) -> None:
    if flags is not None:
        catch(task, SIGUSR1, flags)
    task.interrupted, task.call = rule, 7
    task.context.registers[RAX] = 7
    send_signal(task, SigInfo(SIGUSR1 if flags is not None else SIGWINCH))
    task.attention |= SIGNAL
    deliver_signals(task)
    settle(task, None)
    if flags is not None:
        task.context.registers[RSP] += 8
        rt_sigreturn(task)
    assert task.context.registers[RIP] == (USER_CODE - 2 if restarted else USER_CODE)
    assert task.context.registers[RAX] == (7 if restarted else 2**64 - EINTR)


def test_sigsuspend_restores_the_mask_through_the_frame(task: Task) -> None:
    set_blocked(task, bit(SIGUSR1))
    catch(task, SIGUSR1)
    task.memory.write(0x2000, bytes(8))
    state, call = run(task, rt_sigsuspend(task, 0x2000, 8))
    assert state == "wait" and task.signals.blocked == 0
    send_signal(task.process, SigInfo(SIGUSR1))
    assert task.outcome == INTERRUPTED
    with pytest.raises(Interrupted):
        call.send(None)
    deliver_signals(task)
    assert task.context.registers[RIP] == HANDLER and task.signals.blocked == bit(SIGUSR1)
    task.context.registers[RSP] += 8
    rt_sigreturn(task)
    assert task.signals.blocked == bit(SIGUSR1) and task.signals.saved is None


def test_sigsuspend_without_handler_goes_back_to_its_mask(task: Task) -> None:
    set_blocked(task, bit(SIGINT))
    task.memory.write(0x2000, bytes(8))
    run(task, rt_sigsuspend(task, 0x2000, 8))
    task.attention |= SIGNAL
    deliver_signals(task)
    assert task.signals.blocked == bit(SIGINT)


def test_sigtimedwait(kernel: FakeKernel, task: Task) -> None:
    set_blocked(task, sigset((SIGUSR1, 40)))
    task.memory.write(0x2000, sigset((SIGUSR1, 40)).to_bytes(8, "little"))
    task.memory.store(0x2010, task.abi.timespec, 0, 0)
    assert errno_of(rt_sigtimedwait, task, 0x2000, 0, 0x2010, 8) == EAGAIN
    send_signal(task.process, SigInfo(40, SI_QUEUE, value=77))
    assert rt_sigtimedwait(task, 0x2000, 0x3000, 0x2010, 8) == 40
    assert task.memory.read(0x3018, 1) == b"\x4d"
    state, call = run(task, rt_sigtimedwait(task, 0x2000, 0, 0, 8))
    assert state == "wait"
    send_signal(task.process, SigInfo(SIGUSR1))
    with pytest.raises(StopIteration) as stop:
        call.send(None)
    assert stop.value.value == SIGUSR1
    assert not task.attention & SIGNAL and task.signals.waiting == 0
    task.memory.store(0x2010, task.abi.timespec, 1, 0)
    state, call = run(task, rt_sigtimedwait(task, 0x2000, 0, 0x2010, 8))
    kernel.advance(1_000_000_000)
    with pytest.raises(LinuxError) as caught:
        call.send(None)
    assert caught.value.errno == EAGAIN


def test_masks_and_pending(task: Task) -> None:
    task.memory.write(0x2000, sigset((SIGUSR1, SIGKILL)).to_bytes(8, "little"))
    assert rt_sigprocmask(task, SIG_BLOCK, 0x2000, 0x2008, 8) == 0
    assert task.signals.blocked == bit(SIGUSR1)
    send_signal(task, SigInfo(SIGUSR1))
    send_signal(task.process, SigInfo(SIGUSR1))
    rt_sigpending(task, 0x2010, 8)
    assert task.memory.read(0x2008, 16) == bytes(8) + bit(SIGUSR1).to_bytes(8, "little")
    assert errno_of(rt_sigprocmask, task, 9, 0x2000, 0, 8) == EINVAL
    assert errno_of(rt_sigprocmask, task, SIG_SETMASK, 0x2000, 0, 4) == EINVAL


def test_stop_and_continue(kernel: FakeKernel, task: Task) -> None:
    child = kernel.spawn(3, task.process)
    catch(task, SIGCHLD)
    send_signal(child.process, SigInfo(SIGSTOP))
    deliver_signals(child)
    assert child.process.stop_signal == SIGSTOP
    info = task.process.pending.take(SIGCHLD)
    assert (info.code, info.status, info.pid) == (CLD_STOPPED, SIGSTOP, 3)
    child.state = PARKED
    send_signal(child.process, SigInfo(SIGCONT))
    assert not child.process.stop_signal and child.process.continued
    assert kernel.scheduler.next() is child
    assert task.process.pending.take(SIGCHLD).code == CLD_CONTINUED


def test_stop_and_continue_discard_each_other(task: Task) -> None:
    set_blocked(task, sigset((SIGTSTP, SIGTTIN, SIGCONT)))
    for signo in (SIGTSTP, SIGTTIN):
        send_signal(task.process, SigInfo(signo))
    send_signal(task, SigInfo(SIGCONT))
    assert task.process.pending.mask == 0 and task.signals.pending.mask == bit(SIGCONT)
    send_signal(task.process, SigInfo(SIGTSTP))
    assert task.signals.pending.mask == 0


def test_an_orphaned_group_is_not_stopped_by_its_terminal(task: Task) -> None:
    send_signal(task.process, SigInfo(SIGTSTP))
    deliver_signals(task)
    assert not task.process.stop_signal


def test_nocldstop(kernel: FakeKernel, task: Task) -> None:
    child = kernel.spawn(3, task.process)
    catch(task, SIGCHLD, SA_NOCLDSTOP)
    send_signal(child.process, SigInfo(SIGSTOP))
    deliver_signals(child)
    assert task.process.pending.mask == 0


@pytest.mark.parametrize(
    ("action", "vanishes", "signalled"),
    [(Action(SIG_IGN), True, False), (Action(HANDLER, SA_NOCLDWAIT), True, True), (Action(HANDLER), False, True)],
)
def test_the_end_of_a_child(kernel: FakeKernel, task: Task, action: Action, vanishes: bool, signalled: bool) -> None:
    child = kernel.spawn(3, task.process)
    task.process.actions[SIGCHLD] = action
    assert notify_parent(child.process, SIGKILL) == vanishes
    assert bool(task.process.pending.mask) == signalled
    if signalled:
        info = task.process.pending.take(SIGCHLD)
        assert (info.code, info.status) == (CLD_KILLED, SIGKILL)


def test_a_thread_that_does_not_block_it_takes_it(kernel: FakeKernel, task: Task) -> None:
    other = kernel.thread(task.process, 3)
    catch(task, SIGUSR1)
    set_blocked(task, bit(SIGUSR1))
    send_signal(task.process, SigInfo(SIGUSR1))
    assert other.attention & SIGNAL and not task.attention & SIGNAL
    set_blocked(other, bit(SIGUSR1))
    assert not other.attention & SIGNAL
    set_blocked(task, 0)
    assert task.attention & SIGNAL


def test_blocking_hands_a_signal_over(kernel: FakeKernel, task: Task) -> None:
    other = kernel.thread(task.process, 3)
    catch(task, SIGUSR1)
    send_signal(task.process, SigInfo(SIGUSR1))
    assert not other.attention & SIGNAL
    set_blocked(task, bit(SIGUSR1))
    assert other.attention & SIGNAL


def test_a_fatal_signal_ends_even_a_wait_for_a_vfork_child(task: Task) -> None:
    run(task, task.wait(interruptible=False))
    assert task.state == WAITING
    catch(task, SIGUSR1)
    send_signal(task.process, SigInfo(SIGUSR1))
    assert task.state == WAITING
    send_signal(task.process, SigInfo(SIGTERM))
    assert task.outcome == INTERRUPTED


def test_permissions(kernel: FakeKernel) -> None:
    root, alice, bob = kernel.spawn(2), kernel.spawn(3, uid=1000), kernel.spawn(4, uid=1001)
    assert kill(root, 3, 0) == 0
    assert errno_of(kill, alice, 4, 0) == EPERM
    assert errno_of(kill, alice, 1, SIGTERM) == EPERM
    assert kill(alice, 4, SIGCONT) == 0  # the same session
    assert errno_of(kill, alice, 4, 65) == EINVAL
    assert errno_of(kill, alice, 999, 0) == ESRCH
    assert errno_of(kill, alice, -4, SIGTERM) == EPERM
    assert kill(alice, -1, 0) == 0
    assert bob.process.pending.mask == 0


def test_groups(kernel: FakeKernel, task: Task) -> None:
    child = kernel.spawn(3, task.process, task.process.group)
    stranger = kernel.spawn(4)
    assert kill(task, 0, SIGTERM) == 0
    assert [t.process.pending.mask for t in (task, child, stranger)] == [bit(SIGTERM), bit(SIGTERM), 0]
    assert kill(task, -4, SIGINT) == 0
    assert stranger.process.pending.mask == bit(SIGINT)
    assert errno_of(kill, task, -99, SIGINT) == ESRCH


def test_threads(kernel: FakeKernel, task: Task) -> None:
    other = kernel.spawn(5)
    assert tgkill(task, 5, 5, SIGUSR1) == 0
    assert other.signals.pending.mask == bit(SIGUSR1)
    assert errno_of(tgkill, task, 2, 5, SIGUSR1) == ESRCH
    assert errno_of(tkill, task, 0, SIGUSR1) == EINVAL
    assert errno_of(tkill, task, 77, SIGUSR1) == ESRCH


def test_a_siginfo_cannot_pretend_to_be_the_kernels(kernel: FakeKernel, task: Task) -> None:
    kernel.spawn(5)
    task.memory.write(0x2000, (40).to_bytes(8, "little") + SI_KERNEL.to_bytes(4, "little") + bytes(116))
    assert errno_of(rt_sigqueueinfo, task, 5, 40, 0x2000) == EPERM
    assert rt_sigqueueinfo(task, 2, 40, 0x2000) == 0


def trap(vector: int, error_code: int = 0) -> SimpleNamespace:
    return SimpleNamespace(vector=vector, error_code=error_code, kind=2, address=0)


def test_a_fault(task: Task) -> None:
    catch(task, SIGSEGV)
    segmentation_fault(task, SegmentationFault(SIGSEGV, SEGV_MAPERR, 0xDEAD), trap(14, 4))
    deliver_signals(task)
    assert task.context.registers[RIP] == HANDLER
    signals = task.signals
    assert (signals.trap_number, signals.error_code, signals.fault_address) == (14, 4, 0xDEAD)


@pytest.mark.parametrize("prevent", ["block", "ignore"])
def test_a_fault_cannot_be_put_off(task: Task, ended: list[tuple[int, int]], prevent: str) -> None:
    if prevent == "block":
        catch(task, SIGSEGV)
        set_blocked(task, bit(SIGSEGV))
    else:
        task.process.actions[SIGSEGV] = Action(SIG_IGN)
    segmentation_fault(task, SegmentationFault(SIGSEGV, SEGV_MAPERR, 0xDEAD), trap(14, 4))
    deliver_signals(task)
    assert ended == [(2, SIGSEGV)]


def test_exceptions(task: Task) -> None:
    task.context.registers[RIP] = 0x8123
    info = exception_info(task, DE)
    assert info is not None and (info.signo, info.address) == (SIGFPE, 0x8123)
    processor_fault(task, trap(DE))
    assert task.context.registers[RIP] == 0x8123 and task.signals.trap_number == DE
    processor_fault(task, trap(GP, 0x40A))  # int 0x81, as the engine reports it
    assert (task.signals.trap_number, task.signals.error_code) == (GP, 0x40A)


def test_floating_point_codes() -> None:
    x87, sse = bytearray(512), bytearray(512)
    x87[0:4] = (0x37B).to_bytes(2, "little") + (0x3804).to_bytes(2, "little")  # division unmasked and raised
    sse[24:28] = (0x1F80 & ~0x80 | 1).to_bytes(4, "little")
    assert floating_point_code(bytes(x87), MF) == FPE_FLTDIV
    assert floating_point_code(bytes(sse), XM) == FPE_FLTINV
    assert floating_point_code(bytes(512), XM) == 0


def test_alarm(kernel: FakeKernel, task: Task) -> None:
    catch(task, SIGALRM)
    assert alarm(task, 10) == 0
    kernel.advance(3_600_000_000)
    assert alarm(task, 2) == 6
    kernel.advance(2_000_000_000)
    assert task.process.pending.mask == bit(SIGALRM)
    assert alarm(task, 0) == 0


def test_pending_state_is_exact(task: Task) -> None:
    task.attention |= SIGNAL
    recalculate(task)
    assert not task.attention & SIGNAL
