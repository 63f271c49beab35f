"""Inherited descriptors: never block, never touch the description that the parent shares."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lbw.host.stdio import FILE, PIPE, TERMINAL, InheritedStream
from lbw.host.terminal import HostTerminal


def test_pipes_say_when_there_is_nothing_and_when_they_are_full() -> None:
    reading, writing = os.pipe()
    source, sink = InheritedStream(reading), InheritedStream(writing)
    assert source.kind == PIPE
    with pytest.raises(BlockingIOError):
        source.read(10)
    total = 0
    with pytest.raises(BlockingIOError):
        while True:
            total += sink.write(b"x" * 8192)
    assert total == fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    assert source.available() == total
    buffer = bytearray(total)
    assert source.read_into([memoryview(buffer)]) == total
    assert not fcntl.fcntl(writing, fcntl.F_GETFL) & os.O_NONBLOCK
    assert not fcntl.fcntl(reading, fcntl.F_GETFL) & os.O_NONBLOCK
    assert source.access() == (True, False, False)
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        sink.write(b"x")
    assert sink.trouble()[1]
    os.close(writing)


def test_files_share_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDWR)
    stream = InheritedStream(fd)
    assert stream.kind == FILE
    assert stream.read(3) == b"012"
    assert os.read(fd, 2) == b"34"
    assert stream.available() == 5
    buffer = bytearray(2)
    assert stream.pread_into([memoryview(buffer)], 8) == 2
    assert buffer == b"89"
    assert stream.seek(0, os.SEEK_CUR) == 5
    os.close(fd)


def test_closed_standard_descriptors_are_occupied() -> None:
    program = """
import os
from lbw.host.stdio import occupy_standard
closed = occupy_standard()
os.write(1, str(closed == occupy_standard() == {0, 2}).encode())
"""
    result = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" <&- 2>&-', sys.executable, program], stdout=subprocess.PIPE, check=True
    )
    assert result.stdout == b"True"


def test_raw_mode_and_back() -> None:
    import termios

    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    fcntl.ioctl(master, termios.TIOCSWINSZ, b"\x1e\0\x64\0\0\0\0\0")
    terminal = HostTerminal(slave, slave)
    assert InheritedStream(slave).kind == TERMINAL
    assert terminal.window_size() == (30, 100, 0, 0)
    assert terminal.enter_raw()
    raw = termios.tcgetattr(slave)
    assert not raw[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    attributes = terminal.attributes()
    assert attributes is not None
    assert attributes[3] & termios.ICANON  # as it was before
    terminal.restore()
    terminal.restore()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("ending", ["exception", "exit", "signal"])
def test_the_terminal_is_restored_however_lbw_ends(ending: str) -> None:
    import pty
    import termios

    pid, master = pty.fork()
    if pid == 0:
        program = f"""
import os, sys
from lbw.host.events import HostEvents
from lbw.host.terminal import HostTerminal
events = HostEvents()
events.on_signal("TERM", sys.exit)
HostTerminal(0, 1).enter_raw()
os.write(1, b"raw")
if {ending!r} == "exception":
    raise RuntimeError
if {ending!r} == "signal":
    events.wait(None)
"""
        os.execv(sys.executable, [sys.executable, "-c", program])
    before = termios.tcgetattr(master)
    assert os.read(master, 3) == b"raw"
    if ending == "signal":
        assert not termios.tcgetattr(master)[3] & termios.ICANON
        os.kill(pid, signal.SIGTERM)
    # Keep a slave open so that the attributes survive the child.
    while True:
        try:
            if not os.read(master, 1000):
                break
        except OSError:
            break
    os.waitpid(pid, 0)
    assert termios.tcgetattr(master)[:4] == before[:4]
    os.close(master)
