"""Sleeping, being interrupted, restarting, taking turns."""

from __future__ import annotations

import pytest
from kernel_harness import DATA, SLICE, Deadlock, Guest, exit_code

from lbw.abi.clock import (
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_REALTIME,
    CLOCK_THREAD_CPUTIME_ID,
    TIMER_ABSTIME,
)
from lbw.abi.errno import EFAULT, EINTR, EINVAL, EOPNOTSUPP
from lbw.abi.signal import SA_RESTART, SIGALRM, SIGCONT, SIGSTOP, SIGUSR1
from lbw.cpu.scripted import Call, Compute
from lbw.kernel.timers import Timers

SECOND = 10**9


def test_sleep_lasts(guest):
    def main(cpu):
        before = guest.clock.now
        assert (yield Call("nanosleep", guest.timespec(DATA, 3 * SECOND), 0)) == 0
        assert guest.clock.now - before == 3 * SECOND
        assert (yield Call("nanosleep", guest.timespec(DATA, 0), 0)) == 0
        guest.memory.write_u64(DATA + 8, SECOND)
        assert (yield Call("nanosleep", DATA, 0)) == -EINVAL
        assert (yield Call("nanosleep", 0x10, 0)) == -EFAULT

    assert exit_code(guest.run(main)) == 0


def test_absolute_sleep(guest):
    def main(cpu):
        until = guest.clock.now + SECOND
        assert (yield Call("clock_nanosleep", CLOCK_MONOTONIC, TIMER_ABSTIME, guest.timespec(DATA, until), 0)) == 0
        assert guest.clock.now == until
        assert (yield Call("clock_nanosleep", CLOCK_MONOTONIC, TIMER_ABSTIME, DATA, 0)) == 0  # in the past
        guest.timespec(DATA, guest.clock.realtime() + SECOND)
        assert (yield Call("clock_nanosleep", CLOCK_REALTIME, TIMER_ABSTIME, DATA, 0)) == 0
        assert guest.clock.now == until + SECOND
        assert (yield Call("clock_nanosleep", CLOCK_THREAD_CPUTIME_ID, 0, DATA, 0)) == -EOPNOTSUPP
        assert (yield Call("clock_nanosleep", CLOCK_MONOTONIC_COARSE, 0, DATA, 0)) == -EOPNOTSUPP

    assert exit_code(guest.run(main)) == 0


def signal_after(guest, pid, signo, ns):
    """Return a child that sends `signo` to `pid` after a while."""

    def child(cpu):
        yield Call("nanosleep", guest.timespec(DATA + 0x400, ns), 0)
        yield Call("kill", pid, signo)

    return child


def test_interrupted_sleep_tells_what_was_left(guest):
    def handler(cpu):
        guest.log.append("handler")
        yield Call("getpid")

    def main(cpu):
        yield from guest.handle(SIGUSR1, handler, SA_RESTART)
        yield Call("fork", child=signal_after(guest, 2, SIGUSR1, SECOND))
        result = yield Call("nanosleep", guest.timespec(DATA, 5 * SECOND), DATA + 16)
        assert result == -EINTR  # SA_RESTART does not matter
        assert guest.read_timespec(DATA + 16) == 4 * SECOND

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["handler"]


def test_stopped_and_continued_sleep_goes_on_where_it_was(guest):
    def child(cpu):
        before = guest.clock.now
        assert (yield Call("nanosleep", guest.timespec(DATA, 5 * SECOND), 0)) == 0
        assert guest.clock.now - before == 5 * SECOND

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield Call("nanosleep", guest.timespec(DATA, SECOND), 0)
        yield Call("kill", pid, SIGSTOP)
        yield Call("nanosleep", guest.timespec(DATA, SECOND), 0)
        yield Call("kill", pid, SIGCONT)
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == 0

    assert exit_code(guest.run(main)) == 0


@pytest.mark.parametrize(("flags", "restarts"), [(SA_RESTART, True), (0, False)])
def test_restart_of_wait4(guest, flags, restarts):
    def handler(cpu):
        guest.log.append("handler")
        yield Call("getpid")

    def child(cpu):
        yield Call("nanosleep", guest.timespec(DATA, SECOND), 0)
        yield Call("kill", 2, SIGUSR1)
        yield Call("nanosleep", guest.timespec(DATA, SECOND), 0)

    def main(cpu):
        yield from guest.handle(SIGUSR1, handler, flags)
        pid = yield Call("fork", child=child)
        result = yield Call("wait4", -1, 0, 0, 0)
        assert result == (pid if restarts else -EINTR)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["handler"]


def test_pause_is_never_restarted_after_a_handler(guest):
    def handler(cpu):
        yield Call("getpid")

    def main(cpu):
        yield from guest.handle(SIGALRM, handler, SA_RESTART)
        yield Call("fork", child=signal_after(guest, 2, SIGALRM, SECOND))
        assert (yield Call("pause")) == -EINTR

    assert exit_code(guest.run(main)) == 0


def test_an_ignored_signal_does_not_interrupt(guest):
    def main(cpu):
        yield from guest.handle(SIGUSR1, 1)
        yield Call("fork", child=signal_after(guest, 2, SIGUSR1, SECOND))
        before = guest.clock.now
        assert (yield Call("nanosleep", guest.timespec(DATA, 5 * SECOND), 0)) == 0
        assert guest.clock.now - before == 5 * SECOND

    assert exit_code(guest.run(main)) == 0


def test_handlers_nest(guest):
    def inner(cpu):
        guest.log.append("inner")
        yield Call("getpid")

    def outer(cpu):
        guest.log.append("outer begins")
        yield Call("kill", 2, SIGALRM)
        guest.log.append("outer ends")

    def main(cpu):
        yield from guest.handle(SIGALRM, inner)
        yield from guest.handle(SIGUSR1, outer)
        assert (yield Call("kill", 2, SIGUSR1)) == 0
        guest.log.append("main")

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["outer begins", "inner", "outer ends", "main"]


def test_time_slices_are_fair(guest):
    def child(name):
        def script(cpu):
            for _ in range(20):
                guest.log.append(name)
                yield Compute(1)

        return script

    def main(cpu):
        for name in "abc":
            yield Call("fork", child=child(name))
        for _ in range(3):
            yield Call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    for turn in range(20):
        assert sorted(guest.log[3 * turn : 3 * turn + 3]) == ["a", "b", "c"]


def test_times_are_charged_to_who_computed(guest):
    def child(cpu):
        yield Compute(30)

    def main(cpu):
        one = yield Call("fork", child=child)
        yield Compute(5)
        assert (yield Call("wait4", one, 0, 0, DATA)) == one
        seconds, microseconds = guest.memory.read_u64(DATA), guest.memory.read_u64(DATA + 8)
        system = guest.memory.read_u64(DATA + 24)
        assert abs(seconds * 10**6 + microseconds + system - 30 * SLICE // 1000) < 100

    assert exit_code(guest.run(main)) == 0
    assert guest.kernel.main.child_usage.user_time > 25 * SLICE


def test_a_deadlock_waits_for_the_host(guest):
    def main(cpu):
        yield Call("pause")

    with pytest.raises(Deadlock):
        guest.run(main)


def test_a_wakeup_between_check_and_wait_is_not_lost(guest):
    """Both ends of a pipe in turn: every byte arrives, whoever runs first."""

    def reader(cpu):
        for _ in range(50):
            assert (yield Call("read", 0, DATA, 1)) == 1

    def main(cpu):
        assert (yield Call("pipe2", DATA, 0)) == 0
        pid = yield Call("fork", child=reader)
        for index in range(50):
            if index % 3 == 0:
                yield Call("sched_yield")
            assert (yield Call("write", 1, DATA, 1)) == 1
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == 0

    assert exit_code(guest.run(main)) == 0


def test_timers_run_in_order_and_cancel():
    timers, ran = Timers(), []
    handles = [timers.add(due, lambda due=due: ran.append(due)) for due in (30, 10, 20, 10)]
    timers.cancel(handles[2])
    assert timers.next_deadline() == 10
    assert timers.run_due(9) == 0
    assert timers.run_due(25) == 2
    assert ran == [10, 10]
    assert len(timers) == 1
    timers.cancel(handles[0])
    timers.cancel(handles[0])
    assert timers.next_deadline() is None
    assert len(timers) == 0


def test_a_timer_may_cancel_another_that_is_due():
    timers, ran = Timers(), []
    later = []
    timers.add(1, lambda: timers.cancel(later[0]))
    later.append(timers.add(2, lambda: ran.append("later")))
    timers.run_due(5)
    assert not ran
    assert len(timers) == 0


def test_many_cancelled_timers_are_forgotten():
    timers = Timers()
    for _ in range(1000):
        timers.cancel(timers.add(10**12, lambda: None))
    assert len(timers) == 0
    assert len(timers._heap) < 200


def test_guest_module_runs_twice():
    """Kernels are independent of each other."""

    def main(cpu):
        yield Call("getpid")
        return 1

    assert [exit_code(Guest().run(main)) for _ in range(2)] == [1, 1]
