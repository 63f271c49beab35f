"""Clocks from a time-stamp counter: what programs see never goes back, and is the host's time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_TAI,
)
from lbw.abi.vvar import ACTIVE, BASE_TICKS, CLOCKS, ENTRIES, ENTRY, HEAD, LIMIT, SEQUENCE
from lbw.kernel.counter_clock import CounterClock

MS, SECOND = 10**6, 10**9
EPOCH = 1_700_000_000 * SECOND


class Host:
    """A host: a counter and clocks. Reading one takes a little."""

    def __init__(self, rate: float = 2.6) -> None:
        self.now = 1000 * SECOND
        self.ticks = 5 * 10**12
        self.rate = rate  # ticks per ns
        self.cost = 40
        self.day = EPOCH
        self.behind = 0.0

    def pass_time(self, ns: int) -> None:
        self.now += ns
        whole = ns * self.rate + self.behind
        self.ticks += int(whole)
        self.behind = whole - int(whole)

    def read_counter(self) -> int:
        self.pass_time(self.cost)
        return self.ticks


class ScriptedClock(CounterClock):
    """The clocks of a `Host`."""

    def __init__(self, host: Host, counter: bool = True) -> None:
        self.host = host
        self.page = memoryview(bytearray(4096))
        super().__init__(host.read_counter if counter else None, self.page)

    def monotonic(self) -> int:
        self.host.pass_time(self.host.cost)
        return self.host.now

    def realtime(self) -> int:
        return self.monotonic() + self.host.day

    def raw(self) -> int:
        return self.monotonic() * 1_000_010 // 1_000_000

    def boottime(self) -> int:
        return self.monotonic() + 3 * SECOND

    def atomic(self) -> int:
        return self.realtime() + 37 * SECOND


def number(page: memoryview, offset: int, length: int) -> int:
    return int.from_bytes(page[offset : offset + length], "little")


def vdso(clock: ScriptedClock, clock_id: int) -> int | None:
    """Do what the vDSO does; None: it makes the system call."""
    page = clock.page
    if not number(page, ACTIVE, 4):
        return None
    ticks = clock.host.read_counter() - number(page, BASE_TICKS, 8) & 2**64 - 1
    seconds, nanoseconds, multiplier = ENTRY.unpack_from(page, ENTRIES + ENTRY.size * clock_id)
    if ticks >= number(page, LIMIT, 4) or not multiplier:
        return None
    assert nanoseconds < SECOND
    return seconds * SECOND + nanoseconds + (ticks * multiplier >> 32)


def ask(clock: ScriptedClock, clock_id: int) -> int:
    """Do what a program does."""
    shown = vdso(clock, clock_id)
    return clock.read(clock_id) if shown is None else shown


def warmed(host: Host | None = None) -> ScriptedClock:
    clock = ScriptedClock(host or Host())
    clock.read(CLOCK_MONOTONIC)
    clock.host.pass_time(5 * MS)
    clock.read(CLOCK_MONOTONIC)
    return clock


def test_the_rate_is_found_by_the_second_question():
    clock = ScriptedClock(Host())
    assert vdso(clock, CLOCK_MONOTONIC) is None
    clock.read(CLOCK_MONOTONIC)
    assert vdso(clock, CLOCK_MONOTONIC) is None
    clock.host.pass_time(5 * MS)
    clock.read(CLOCK_MONOTONIC)
    assert vdso(clock, CLOCK_MONOTONIC) is not None


def test_every_clock_is_the_hosts_to_a_microsecond():
    clock = warmed()
    for _ in range(50):
        clock.host.pass_time(3 * MS)
        for clock_id in (CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI):
            expected = super(CounterClock, clock).read(clock_id)
            assert abs(ask(clock, clock_id) - expected) < 1000
        assert abs(ask(clock, CLOCK_MONOTONIC_RAW) - clock.raw()) < 1000


def test_what_it_shows_does_not_hold_for_ever():
    clock = warmed()
    for _ in range(20):
        clock.host.pass_time(60 * MS)
        clock.read(CLOCK_MONOTONIC)
    assert vdso(clock, CLOCK_MONOTONIC) is not None
    clock.host.pass_time(101 * MS)
    assert vdso(clock, CLOCK_MONOTONIC) is None
    clock.read(CLOCK_MONOTONIC)
    assert vdso(clock, CLOCK_MONOTONIC) is not None


def test_other_clocks_are_left_to_the_kernel():
    clock = warmed()
    known = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME, 5, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_MONOTONIC_RAW}
    assert {clock_id for clock_id in range(CLOCKS) if vdso(clock, clock_id) is not None} == known
    assert abs(clock.read(CLOCK_REALTIME_ALARM) - clock.realtime()) < 1000


def test_each_change_has_another_sequence_number():
    clock = warmed()
    seen = set()
    for _ in range(10):
        clock.host.pass_time(200 * MS)
        clock.read(CLOCK_MONOTONIC)
        seen.add(number(clock.page, SEQUENCE, 4))
    assert len(seen) == 10


def test_the_clock_of_day_follows_when_it_is_set():
    clock = warmed()
    clock.host.day -= 3600 * SECOND
    clock.host.pass_time(SECOND)
    assert abs(ask(clock, CLOCK_REALTIME) - clock.realtime()) < 1000
    assert abs(ask(clock, CLOCK_TAI) - clock.atomic()) < 1000


def test_without_a_counter_the_page_stays_inactive():
    clock = ScriptedClock(Host(), counter=False)
    for _ in range(3):
        clock.host.pass_time(SECOND)
        assert vdso(clock, CLOCK_MONOTONIC) is None
        assert abs(clock.read(CLOCK_MONOTONIC) - clock.host.now) < 1000


def test_a_counter_of_calls_is_not_believed():
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return calls

    host = Host()
    clock = ScriptedClock(host)
    clock._counter = count
    for _ in range(5):
        host.pass_time(50 * MS)
        assert abs(clock.read(CLOCK_MONOTONIC) - host.now) < 1000
    assert clock._counter is None
    assert vdso(clock, CLOCK_MONOTONIC) is None


def test_a_new_kernel_on_the_machine_begins_with_an_inactive_page():
    clock = warmed()
    sequence = HEAD.unpack_from(clock.page)[0]
    again = CounterClock(clock.host.read_counter, clock.page)
    assert vdso(clock, CLOCK_MONOTONIC) is None
    assert HEAD.unpack_from(clock.page)[0] != sequence
    assert again.read(CLOCK_REALTIME) > EPOCH


@settings(max_examples=200, deadline=None)
@given(
    rate=st.floats(1.05, 6.0),
    steps=st.lists(
        st.tuples(
            st.integers(0, 400 * MS),
            st.sampled_from((1.0, 1.0, 1.0, 1.000001, 0.9999, 1.0004, 0.7, 3.0)),  # how the counter's rate changes
            st.sampled_from((0, 0, 0, 0, -(10**9), 10**10)),  # how far the counter jumps
            st.integers(20, 4000),  # ns for each reading
        ),
        max_size=40,
    ),
)
def test_it_never_goes_back_whatever_the_counter_does(rate, steps):
    host = Host(rate)
    clock = warmed(host)
    last = 0
    for passed, change, jump, cost in steps:
        host.rate *= change
        host.ticks += jump
        host.cost = cost
        host.pass_time(passed)
        for _ in range(3):
            shown = ask(clock, CLOCK_MONOTONIC)
            assert shown >= last
            last = shown
            shown = clock.read(CLOCK_MONOTONIC)
            assert shown >= last
            last = shown
