"""The line discipline against the host's own: the same keys on a pseudo-terminal give the same echo and lines."""

from __future__ import annotations

import os
import select
import sys
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbw.abi import ioctl as abi
from lbw.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from lbw.vfs.tty.ldisc import CAPACITY, LineDiscipline
from lbw.vfs.tty.termios import DEFAULT_CHARACTERS, Termios

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux")

SETTLE = 0.01
PATIENCE = 2.0  # seconds; spent only on a difference

INPUT = (abi.ICRNL, abi.INLCR, abi.IGNCR, abi.ISTRIP, abi.IUCLC, abi.IXON, abi.IXANY, abi.IUTF8, abi.PARMRK)
OUTPUT = (abi.OPOST, abi.ONLCR, abi.OCRNL, abi.ONOCR, abi.ONLRET, abi.TAB3, abi.OLCUC)
LOCAL = (
    abi.ICANON, abi.ECHO, abi.ECHOE, abi.ECHOK, abi.ECHOKE, abi.ECHOCTL, abi.ECHONL, abi.ECHOPRT, abi.IEXTEN, abi.ISIG,
    abi.NOFLSH,
)  # fmt: skip
SIGNALS = b"\x03\x1c\x1a"


class Native:
    """A pseudo-terminal of the host."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        os.set_blocking(self.slave, False)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)

    def configure(self, termios: Termios) -> None:
        import fcntl

        fcntl.ioctl(self.slave, abi.TCSETS, termios.pack())

    def shown(self, expected: bytes) -> bytes:
        """What appears on the screen; waits for as much as is expected."""
        data = b""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                data += os.read(self.master, 65536)
            except BlockingIOError:
                # The kernel moves bytes between the sides in the background: give it a moment for surplus ones too.
                if len(data) >= len(expected) or time.monotonic() > deadline:
                    return data
                select.select([self.master], [], [], 0.01)

    def readable(self, expected: bool) -> bool:
        deadline = time.monotonic() + PATIENCE
        while True:
            ready = bool(select.select([self.slave], [], [], 0)[0])
            if ready == expected or time.monotonic() > deadline:
                return ready
            time.sleep(0.001)

    def read(self, length: int) -> bytes:
        return os.read(self.slave, length)


def flags(choices: tuple[int, ...], likely: int) -> st.SearchStrategy[int]:
    """Some of the flags, or what terminals usually have."""
    return st.one_of(st.just(likely), st.sets(st.sampled_from(choices)).map(sum))


TERMIOS = st.builds(
    Termios,
    input=flags(INPUT, abi.ICRNL | abi.IXON),
    output=flags(OUTPUT, abi.OPOST | abi.ONLCR),
    local=flags(LOCAL, Termios().local),
    characters=st.sampled_from(
        [DEFAULT_CHARACTERS, DEFAULT_CHARACTERS[: abi.VEOL] + b";" + DEFAULT_CHARACTERS[abi.VEOL + 1 :]]
    ),
)
KEY = st.one_of(
    st.sampled_from([bytes([c]) for c in b"\x04\x7f\x15\x17\x16\x12\n\r\t\b\x11\x13;aZ 9_\x01\xff\x00"]),
    st.text(min_size=1, max_size=5).map(str.encode),
    st.binary(min_size=1, max_size=8),
).filter(lambda data: not {byte & 0x7F for byte in data} & set(SIGNALS))  # the host flushes when it gets round to it
STEP = st.one_of(
    st.tuples(st.just("type"), st.lists(KEY, min_size=1, max_size=8).map(b"".join)),
    st.tuples(st.just("type"), st.sampled_from([bytes([c]) for c in SIGNALS])),
    st.tuples(st.just("write"), st.one_of(st.binary(max_size=20), st.just(b"one\ttwo\r\n\bx"))),
    st.tuples(st.just("read"), st.integers(1, 12)),
    st.tuples(st.just("configure"), TERMIOS),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TERMIOS, st.lists(STEP, max_size=12))
@example(Termios(), [("type", b"abc\t\x01d\x7f\x7f\x7f\x7fx\x15y z\x17\n"), ("read", 12)])
@example(Termios(), [("type", b"abc\x04\x04"), ("read", 3), ("read", 3)])
@example(Termios(input=abi.IUTF8), [("type", "aä€\x7f\x7f\n".encode()), ("read", 12)])
@example(Termios(), [("type", b"left"), ("configure", Termios(local=0)), ("read", 12), ("configure", Termios())])
def test_like_the_host(first: Termios, steps: list[tuple[str, object]]) -> None:
    native, ours = Native(), LineDiscipline(first)
    try:
        native.configure(first)
        for action, argument in steps:
            if action == "type":
                assert isinstance(argument, bytes)
                os.write(native.master, argument)
                ours.receive(argument)
                if not ours.output.waiting or ours.signals:
                    time.sleep(SETTLE)  # it cannot be seen when the host has worked it off
            elif action == "write":
                assert isinstance(argument, bytes)
                if not ours.output.stopped and argument:
                    os.write(native.slave, argument)
                    ours.output.write(argument)
            elif action == "configure":
                assert isinstance(argument, Termios)
                native.configure(argument)
                ours.configure(argument)
            elif action == "read":
                assert isinstance(argument, int)
                assert native.readable(ours.readable()) == ours.readable()
                if ours.readable():
                    assert native.read(argument) == ours.read(argument)
            shown = bytes(ours.output.waiting)
            ours.output.waiting.clear()
            assert native.shown(shown) == shown
        assert native.readable(ours.readable()) == ours.readable()
    finally:
        native.close()


def test_signal_characters_send_signals_and_flush() -> None:
    ours = LineDiscipline(Termios())
    ours.receive(b"abc\n\x03\x1c\x1a")
    assert ours.signals == [SIGINT, SIGQUIT, SIGTSTP]
    assert not ours.readable()


def test_noflsh_keeps_the_line() -> None:
    ours = LineDiscipline(Termios(local=Termios().local | abi.NOFLSH))
    ours.receive(b"abc\x03def\n")
    assert ours.signals == [SIGINT]
    assert ours.read(100) == b"abcdef\n"


def test_a_line_that_is_too_long_keeps_its_end() -> None:
    native, ours = Native(), LineDiscipline(Termios(local=abi.ICANON))
    try:
        native.configure(ours.termios)
        line = bytes(65 + i % 26 for i in range(CAPACITY + 500))
        assert ours.receive(line) == len(line)
        ours.receive(b"\n")
        for start in range(0, len(line), 1000):
            os.write(native.master, line[start : start + 1000])
            time.sleep(0.01)
        os.write(native.master, b"\n")
        assert native.readable(True)
        assert native.read(8192) == ours.read(8192)
    finally:
        native.close()


def test_a_full_queue_waits_for_the_reader() -> None:
    ours = LineDiscipline(Termios(local=0))
    assert ours.receive(b"x" * 5000) == CAPACITY
    assert ours.room() == 0
    assert ours.read(1000) == b"x" * 1000
    assert ours.room() == 1000
