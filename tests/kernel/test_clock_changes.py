"""The host's clock is set: timers for a time of day follow, or are cancelled."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lbw.abi.clock import (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
)
from lbw.abi.errno import EAGAIN, ECANCELED, EINVAL, LinuxError
from lbw.abi.poll import POLLIN
from lbw.kernel.clock import Clock
from lbw.kernel.clock_changes import ClockChanges
from lbw.kernel.timerfd import TimerFile
from lbw.kernel.timers import Timers

MS, SECOND = 10**6, 10**9


class SetClock(Clock):
    """Time that tests move, and set."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.day = SECOND, 1_700_000_000 * SECOND

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return self.now + self.day


class Kernel(SimpleNamespace):
    """What timers need of a kernel."""

    def advance(self, ns: int) -> None:
        end = self.clock.now + ns
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.clock.now = max(self.clock.now, deadline)
            self.timers.run_due(self.clock.now)
        self.clock.now = end


@pytest.fixture
def kernel() -> Kernel:
    kernel = Kernel(clock=SetClock(), timers=Timers())
    kernel.clock_changes = ClockChanges(kernel)
    return kernel


def taken(file: TimerFile) -> int:
    """Read a timer; an errno is negative."""
    data = bytearray(8)
    try:
        file.read([memoryview(data)])
    except LinuxError as error:
        return -error.errno
    return int.from_bytes(data, "little")


def test_a_timer_for_a_time_of_day_moves_with_the_clock(kernel):
    file = TimerFile(kernel, CLOCK_REALTIME, 0)
    file.set(kernel.clock.realtime() + 10 * SECOND, 0, TFD_TIMER_ABSTIME)
    kernel.clock.day += 8 * SECOND
    kernel.advance(1500 * MS)
    assert file.state()[1] == 500 * MS
    kernel.clock.day -= 3600 * SECOND
    kernel.advance(3 * SECOND)
    assert taken(file) == -EAGAIN
    kernel.clock.day += 7200 * SECOND
    kernel.advance(SECOND)
    assert taken(file) == 1


def test_other_timers_do_not(kernel):
    relative, monotonic = TimerFile(kernel, CLOCK_REALTIME, 0), TimerFile(kernel, CLOCK_MONOTONIC, 0)
    relative.set(3 * SECOND, 0, 0)
    monotonic.set(kernel.clock.monotonic() + 3 * SECOND, 0, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
    kernel.clock.day += 100 * SECOND
    kernel.advance(2 * SECOND)
    assert (taken(relative), taken(monotonic)) == (-EAGAIN, -EAGAIN)
    kernel.advance(SECOND)
    assert (taken(relative), taken(monotonic)) == (1, 1)


def test_cancel_on_set(kernel):
    file = TimerFile(kernel, CLOCK_REALTIME, 0)
    file.set(kernel.clock.realtime() + 1000 * SECOND, 0, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
    kernel.advance(5 * SECOND)
    assert file.poll() == 0 and taken(file) == -EAGAIN
    kernel.clock.day -= 5 * SECOND
    kernel.advance(SECOND)
    assert file.poll() == POLLIN
    assert taken(file) == -ECANCELED
    assert file.poll() == 0 and taken(file) == -EAGAIN
    kernel.clock.day += 5 * SECOND
    assert taken(file) == -ECANCELED  # a read looks for itself


def test_a_slow_drift_is_no_setting(kernel):
    file = TimerFile(kernel, CLOCK_REALTIME, 0)
    file.set(kernel.clock.realtime() + 10**6 * SECOND, 0, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
    for _ in range(100):
        kernel.clock.day += MS // 2  # 500 ppm, as much as adjtime does
        kernel.advance(SECOND)
    assert taken(file) == -EAGAIN


def test_nobody_looks_when_nobody_asks(kernel):
    file = TimerFile(kernel, CLOCK_REALTIME, 0)
    file.set(kernel.clock.realtime() + SECOND, 0, TFD_TIMER_ABSTIME)
    assert len(kernel.timers) == 2
    file.set(0, 0, 0)
    assert len(kernel.timers) == 0
    file.set(kernel.clock.realtime() + SECOND, 0, TFD_TIMER_ABSTIME)
    file.close()
    assert len(kernel.timers) == 0


def test_a_period_that_nobody_reads_costs_nothing(kernel):
    file = TimerFile(kernel, CLOCK_MONOTONIC, 0)
    file.set(10, 10, 0)
    kernel.advance(SECOND)
    assert len(kernel.timers) == 0
    assert taken(file) == SECOND // 10
    assert len(kernel.timers) == 1
    assert taken(file) == -EAGAIN
    with pytest.raises(LinuxError) as caught:
        file.read([memoryview(bytearray(7))])
    assert caught.value.errno == EINVAL
