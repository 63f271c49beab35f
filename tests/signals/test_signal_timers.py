"""Interval timers and POSIX timers, on a clock that the test moves."""

from __future__ import annotations

import pytest
from signal_fakes import FakeKernel

from lbw.abi.clock import CLOCK_MONOTONIC, CLOCK_REALTIME, ITIMER_REAL, ITIMER_VIRTUAL
from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.abi.resource import RLIMIT_SIGPENDING
from lbw.abi.signal import SI_TIMER, SIGALRM, SIGVTALRM
from lbw.kernel.interval_timers import interval_timer
from lbw.kernel.posix_timers import create_timer, delete_timers, find_timer
from lbw.kernel.signal_send import set_blocked
from lbw.kernel.task import Task
from lbw.signals.actions import Action
from lbw.signals.sigset import FULL, bit
from lbw.syscalls.itimer import getitimer, setitimer

MS = 1_000_000


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def task(kernel: FakeKernel) -> Task:
    task = kernel.spawn(2)
    set_blocked(task, FULL)
    return task


def test_an_interval_timer_repeats_without_making_up_for_what_it_missed(kernel: FakeKernel, task: Task) -> None:
    timer = interval_timer(task.process, ITIMER_REAL)
    timer.set(10 * MS, 4 * MS)
    kernel.advance(9 * MS)
    assert task.process.pending.mask == 0 and timer.remaining == 1 * MS
    kernel.advance(10 * MS)  # 9 late: two periods missed
    assert task.process.pending.take(SIGALRM).signo == SIGALRM
    assert timer.remaining == 3 * MS
    timer.set(0, 0)
    kernel.advance(100 * MS)
    assert task.process.pending.mask == 0 and timer.remaining == 0


def test_virtual_time_passes_only_while_the_process_runs(kernel: FakeKernel, task: Task) -> None:
    timer = interval_timer(task.process, ITIMER_VIRTUAL)
    timer.set(10 * MS, 0)
    kernel.advance(50 * MS)
    assert task.process.pending.mask == 0
    task.user_time += 10 * MS
    kernel.advance(10 * MS)
    assert task.process.pending.mask == bit(SIGVTALRM)


def test_setitimer_and_getitimer(task: Task) -> None:
    task.memory.store(0x2000, task.abi.itimerval, 1, 5, 2, 7)
    assert setitimer(task, ITIMER_REAL, 0x2000, 0) == 0
    assert getitimer(task, ITIMER_REAL, 0x3000) == 0
    assert task.memory.read(0x3000, 32) == task.memory.read(0x2000, 32)
    assert setitimer(task, ITIMER_REAL, 0, 0x3000) == 0
    assert getitimer(task, ITIMER_REAL, 0x3000) == 0
    assert task.memory.read(0x3010, 16) == bytes(16)


def test_a_timer_dies_with_its_process(kernel: FakeKernel, task: Task) -> None:
    interval_timer(task.process, ITIMER_REAL).set(MS, MS)
    task.process.threads.clear()
    kernel.advance(2 * MS)
    assert len(kernel.timers) == 0


def test_overruns_are_counted_in_the_pending_signal(kernel: FakeKernel, task: Task) -> None:
    timer = create_timer(task, CLOCK_MONOTONIC, 40, 77)
    timer.set(MS, MS, False)
    for _ in range(4):
        kernel.advance(MS)
    info = task.process.pending.take(40)
    assert (info.code, info.value, info.overrun, timer.overrun) == (SI_TIMER, 77, 3, 3)
    assert task.process.pending.mask == 0
    kernel.advance(MS)
    assert task.process.pending.take(40).overrun == 0


def test_absolute_time_on_both_clocks(kernel: FakeKernel, task: Task) -> None:
    for clock, now in ((CLOCK_MONOTONIC, kernel.clock.monotonic), (CLOCK_REALTIME, kernel.clock.realtime)):
        timer = create_timer(task, clock, 40, 0, None)
        timer.set(now() + 5 * MS, 0, True)
        assert timer.remaining == 5 * MS


def test_a_timer_for_one_thread(kernel: FakeKernel, task: Task) -> None:
    other = kernel.thread(task.process, 3)
    task.process.actions[40] = Action(0x1000)
    create_timer(task, CLOCK_MONOTONIC, 40, 0, other).set(MS, 0, False)
    kernel.advance(MS)
    assert other.signals.pending.mask == bit(40)


def test_execve_deletes_posix_timers_and_keeps_the_others(kernel: FakeKernel, task: Task) -> None:
    create_timer(task, CLOCK_MONOTONIC, 40, 0, None).set(MS, MS, False)
    interval_timer(task.process, ITIMER_REAL).set(MS, 0)
    delete_timers(task.process)
    kernel.advance(MS)
    assert task.process.pending.mask == bit(SIGALRM)
    with pytest.raises(LinuxError) as caught:
        find_timer(task.process, 0)
    assert caught.value.errno == EINVAL


def test_there_are_as_many_timers_as_signals_may_be_pending(task: Task) -> None:
    task.process.limits.set(RLIMIT_SIGPENDING, 3, 3, True)
    for identifier in range(3):
        assert create_timer(task, CLOCK_REALTIME, SIGALRM, 0, None).identifier == identifier
    with pytest.raises(LinuxError) as error:
        create_timer(task, CLOCK_REALTIME, SIGALRM, 0, None)
    assert error.value.errno == EAGAIN
