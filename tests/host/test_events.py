"""Waiting for the host: descriptors, signals, wake-ups from other threads."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from time import monotonic_ns

import pytest

from lbw.host.events import READABLE, WRITABLE, HostEvents, Ticker
from lbw.host.ticker import NEVER

LONG = 30_000_000_000  # ns; never reached


@pytest.fixture
def events():
    events = HostEvents()
    yield events
    events.close()


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass


def test_a_watch_fires_once(events: HostEvents, pipe: tuple[int, int]) -> None:
    fired: list[str] = []
    events.watch(pipe[0], READABLE, lambda: fired.append("read"))
    assert events.pending
    assert not events.poll()
    os.write(pipe[1], b"x")
    events.wait(None)
    assert fired == ["read"]
    assert not events.pending
    assert not events.poll()
    assert fired == ["read"]


def test_several_watches_of_one_descriptor(events: HostEvents) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        fired: list[str] = []
        events.watch(ours.fileno(), READABLE, lambda: fired.append("read"))
        events.watch(ours.fileno(), WRITABLE, lambda: fired.append("write"))
        events.watch(ours.fileno(), READABLE, lambda: fired.append("read too"))
        assert events.poll()
        assert fired == ["write"]
        theirs.send(b"x")
        events.wait(None)
        assert fired == ["write", "read", "read too"]


def test_unwatched_does_not_fire(events: HostEvents, pipe: tuple[int, int]) -> None:
    fired: list[str] = []
    token = events.watch(pipe[0], READABLE, lambda: fired.append("read"))
    events.unwatch(token)
    events.unwatch(token)
    os.write(pipe[1], b"x")
    assert not events.poll()
    assert not fired


def test_a_callback_may_remove_another_watch_and_watch_again(events: HostEvents, pipe: tuple[int, int]) -> None:
    fired: list[str] = []
    tokens: list[int] = []

    def first() -> None:
        fired.append("first")
        events.unwatch(tokens[1])
        events.watch(pipe[0], READABLE, lambda: fired.append("again"))

    tokens.append(events.watch(pipe[0], READABLE, first))
    tokens.append(events.watch(pipe[0], READABLE, lambda: fired.append("second")))
    os.write(pipe[1], b"x")
    assert events.poll()
    assert events.poll()
    assert fired == ["first", "again"]


def test_hang_up_and_closed_descriptors_are_ready(events: HostEvents, pipe: tuple[int, int]) -> None:
    fired: list[str] = []
    events.watch(pipe[0], READABLE, lambda: fired.append("hang-up"))
    os.close(pipe[1])
    assert events.poll()
    events.watch(pipe[0], READABLE, lambda: fired.append("closed"))
    os.close(pipe[0])
    assert events.poll()
    assert fired == ["hang-up", "closed"]


def test_regular_files_are_always_ready(events: HostEvents, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        fired: list[str] = []
        events.watch(file.fileno(), READABLE | WRITABLE, lambda: fired.append("file"))
        events.wait(None)
        assert fired == ["file"]


@pytest.mark.parametrize("timeout", [0, 100_000, 2_500_000])
def test_a_timeout_ends_the_wait(events: HostEvents, pipe: tuple[int, int], timeout: int) -> None:
    events.watch(pipe[0], READABLE, lambda: None)
    events.wait(timeout)
    assert events.pending


def test_wake_from_another_thread_ends_the_wait(events: HostEvents) -> None:
    thread = threading.Thread(target=events.wake)
    thread.start()
    events.wait(None)
    thread.join()


def test_wake_before_the_wait_is_not_lost(events: HostEvents) -> None:
    events.wake()
    assert events.attention
    events.wait(None)
    assert not events.attention


def test_signals_run_their_callback_in_wait(events: HostEvents) -> None:
    seen: list[str] = []
    interrupted = threading.Event()
    events.interrupt = interrupted.set
    before = signal.getsignal(signal.SIGTERM)
    assert events.on_signal("TERM", lambda: seen.append("TERM"))
    assert events.on_signal("WINCH", lambda: seen.append("WINCH"))
    os.kill(os.getpid(), signal.SIGTERM)
    assert interrupted.wait(30)  # also while native code runs: the signal thread calls it
    assert not seen
    events.wait(LONG)
    assert seen == ["TERM"]
    os.kill(os.getpid(), signal.SIGWINCH)
    while seen == ["TERM"]:
        events.wait(LONG)
    assert seen == ["TERM", "WINCH"]
    events.close()
    assert signal.getsignal(signal.SIGTERM) == before


def test_unknown_signals_are_refused(events: HostEvents) -> None:
    assert not events.on_signal("NOTASIGNAL", lambda: None)


def test_no_thread_before_it_is_needed() -> None:
    before = threading.active_count()
    events, ticker = HostEvents(), Ticker(lambda: None)
    assert threading.active_count() == before
    ticker.close()
    events.close()


def test_the_ticker_ticks_only_while_armed() -> None:
    ticks: list[int] = []
    enough = threading.Event()

    def tick() -> None:
        ticks.append(1)
        if len(ticks) >= 3:
            enough.set()

    ticker = Ticker(tick, 0.001)
    for _ in range(3):
        ticker.arm()
        ticker.arm()
        assert enough.wait(30)
        ticker.disarm()
        while not ticker._parked:  # the thread notices at its next tick
            pass
        count = len(ticks)
        ticker.disarm()
        assert len(ticks) == count
        ticks.clear()
        enough.clear()
    ticker.close()
    ticker.arm()
    assert not ticks


def test_the_ticker_calls_at_a_deadline_and_again_until_somebody_aims_anew() -> None:
    calls: list[int] = []
    called = threading.Event()

    def call() -> None:
        calls.append(monotonic_ns())
        called.set()

    ticker = Ticker(call, 3600.0)  # no tick comes
    try:
        ticker.arm()
        ticker.aim(monotonic_ns() + 3600 * 10**9)
        deadline = monotonic_ns() + 3_000_000
        ticker.aim(deadline)
        for _ in range(2):
            assert called.wait(30)
            called.clear()
        ticker.aim(NEVER)
        assert calls[0] >= deadline
    finally:
        ticker.close()
