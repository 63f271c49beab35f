"""The terminal device: reading and writing, job control, ioctls, and the host's terminal behind it."""

from __future__ import annotations

import os
import struct
from typing import NoReturn

import pytest

from lbw.abi import ioctl as abi
from lbw.abi.errno import EAGAIN, EBADF, EBUSY, EINVAL, EIO, ENOTTY, EPERM, ESPIPE, ESRCH, LinuxError
from lbw.abi.fcntl import O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, SEEK_SET
from lbw.abi.poll import POLLHUP, POLLIN, POLLOUT
from lbw.abi.signal import SIGCONT, SIGHUP, SIGINT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH
from lbw.host.events import HostEvents
from lbw.vfs.pseudo import PseudoFileSystem, PseudoInode
from lbw.vfs.tty.host_stream import host_stream
from lbw.vfs.tty.host_tty import HostTty
from lbw.vfs.tty.jobs import JobControl
from lbw.vfs.tty.termios import Termios
from lbw.vfs.tty.tty import Tty
from lbw.vfs.tty.tty_file import TtyFile

INODE = PseudoInode(PseudoFileSystem(dev=1), 1, 0o620)
RAW = Termios(local=0, input=0, output=0)
SCRATCH = 0x1000


class Session:
    def __init__(self, sid: int) -> None:
        self.sid = sid
        self.left_behind: object = None


class Group:
    def __init__(self, pgid: int, session: Session) -> None:
        self.pgid = pgid
        self.session = session
        self.orphaned = False


class Process:
    def __init__(self, pid: int, group: Group) -> None:
        self.pid = pid
        self.group = group
        self.session = group.session
        self.terminal: object = None


class Restart(Exception):
    """The call was left because of a signal."""


class Jobs(JobControl):
    """A shell (leader, group 10) and a job (group 20) in session 10."""

    def __init__(self) -> None:
        self.session = Session(10)
        self.shell, self.job = Group(10, self.session), Group(20, self.session)
        self.stranger = Group(30, Session(30))
        self.leader, self.worker = Process(10, self.shell), Process(20, self.job)
        self.outsider = Process(30, self.stranger)
        self.caller: Process | None = self.leader
        self.ignored: set[int] = set()
        self.sent: list[tuple[int, int]] = []
        self.root = False

    def current(self) -> Process | None:
        return self.caller

    def ignores(self, signal: int) -> bool:
        return signal in self.ignored

    def privileged(self) -> bool:
        return self.root

    def find_group(self, pgid: int) -> Group | None:
        return next((group for group in (self.shell, self.job, self.stranger) if group.pgid == pgid), None)

    def members(self, session) -> list[Process]:
        return [process for process in (self.leader, self.worker, self.outsider) if process.session is session]

    def signal_group(self, group, signal: int) -> None:
        self.sent.append((group.pgid, signal))

    def signal_leader(self, session, signal: int) -> None:
        self.sent.append((session.sid, signal))

    def interrupted(self) -> NoReturn:
        raise Restart


class Memory:
    """A little guest memory at SCRATCH."""

    def __init__(self) -> None:
        self.data = bytearray(256)

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.data[address - SCRATCH : address - SCRATCH + length])

    def write(self, address: int, data: bytes) -> None:
        self.data[address - SCRATCH : address - SCRATCH + len(data)] = data

    def int(self) -> int:
        return struct.unpack_from("<i", self.data)[0]


class Screen(Tty):
    """A terminal whose output can be looked at."""

    def __init__(self, termios: Termios | None = None) -> None:
        self.control = Jobs()
        super().__init__(termios, jobs=self.control)
        self.shown = b""

    def push(self) -> None:
        if not self.discipline.output.stopped:
            self.shown += self.discipline.output.waiting
            self.discipline.output.waiting.clear()


@pytest.fixture
def tty() -> Screen:
    return Screen()


def read(file, length: int = 100) -> bytes:
    buffer = bytearray(length)
    return bytes(buffer[: file.read([memoryview(buffer)])])


def write(file, data: bytes) -> int:
    return file.write([memoryview(bytearray(data))])


def opened(tty: Tty, flags: int = O_RDWR) -> TtyFile:
    return tty.open(None, INODE, flags)


def fails(errno: int):
    return _Fails(errno)


class _Fails:
    def __init__(self, errno: int) -> None:
        self.errno = errno

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> bool:
        assert isinstance(error, LinuxError), f"expected errno {self.errno}"
        assert error.errno == self.errno
        return True


def test_lines_are_read_one_by_one(tty: Screen) -> None:
    file = opened(tty)
    with fails(EAGAIN):
        read(file)
    tty.feed(b"one\rtwo\rthr")
    assert file.poll() & POLLIN
    assert read(file) == b"one\n"
    assert read(file, 2) == b"tw"
    assert read(file) == b"o\n"
    with fails(EAGAIN):
        read(file)
    assert tty.shown == b"one\r\ntwo\r\nthr"


def test_readers_are_woken(tty: Screen) -> None:
    class Sleeper:
        woken = 0

        def wake(self) -> None:
            self.woken += 1

    sleeper = Sleeper()
    file = opened(tty)
    file.queue.add(sleeper)
    tty.feed(b"x\n")
    assert sleeper.woken == 1


def test_access_modes(tty: Screen) -> None:
    with fails(EBADF):
        read(opened(tty, O_WRONLY))
    with fails(EBADF):
        write(opened(tty, O_RDONLY), b"x")
    with fails(ESPIPE):
        opened(tty).seek(0, SEEK_SET)


@pytest.mark.parametrize(
    ("minimum", "time", "typed", "result", "patience"),
    [
        (1, 0, b"", None, None),
        (1, 0, b"abc", b"abc", None),
        (3, 0, b"ab", None, None),
        (3, 0, b"abc", b"abc", None),
        (0, 0, b"", b"", None),
        (0, 5, b"", None, 500_000_000),
        (0, 5, b"a", b"a", 500_000_000),
        (3, 5, b"", None, None),
        (3, 5, b"ab", None, 500_000_000),
    ],
)
def test_vmin_and_vtime(tty: Screen, minimum: int, time: int, typed: bytes, result: bytes | None, patience) -> None:
    cells = bytearray(RAW.characters)
    cells[abi.VMIN], cells[abi.VTIME] = minimum, time
    tty.configure(Termios(0, 0, RAW.control, 0, bytes(cells)))
    file = opened(tty)
    tty.feed(typed)
    assert file.patience == patience
    if result is not None:
        assert read(file) == result
    else:
        with fails(EAGAIN):
            read(file)
        buffer = bytearray(10)
        assert buffer[: file.read_on([memoryview(buffer)], patient=False)] == typed


def test_vmin_does_not_hold_a_nonblocking_or_a_smaller_read(tty: Screen) -> None:
    cells = bytearray(RAW.characters)
    cells[abi.VMIN] = 5
    tty.configure(Termios(0, 0, RAW.control, 0, bytes(cells)))
    tty.feed(b"abc")
    assert not opened(tty).poll() & POLLIN
    assert read(opened(tty), 2) == b"ab"
    assert read(opened(tty, O_RDWR | O_NONBLOCK)) == b"c"


def test_keys_signal_the_foreground_group(tty: Screen) -> None:
    tty.attach(tty.control.leader)
    tty.foreground = tty.control.job
    tty.feed(b"\x03")
    tty.feed(b"\x1a")
    assert tty.control.sent == [(20, SIGINT), (20, SIGTSTP)]
    assert tty.shown == b"^C^Z"


def test_stopped_output_waits(tty: Screen) -> None:
    file = opened(tty)
    tty.feed(b"\x13")
    assert not file.poll() & POLLOUT
    with fails(EAGAIN):
        write(file, b"x")
    tty.feed(b"\x11")
    assert write(file, b"x\n") == 2
    assert tty.shown == b"x\r\n"


def test_a_session_leader_gets_the_terminal_it_opens(tty: Screen) -> None:
    opened(tty, O_RDWR | O_NOCTTY)
    assert tty.session is None
    opened(tty)
    assert tty.session is tty.control.session
    assert tty.control.leader.terminal is tty
    assert tty.control.worker.terminal is None  # it was there before, and did not inherit it
    assert tty.foreground is tty.control.shell


def background(tty: Screen) -> TtyFile:
    file = opened(tty)
    tty.control.caller = tty.control.worker
    tty.control.worker.terminal = tty
    return file


def test_background_jobs_stop_when_they_read(tty: Screen) -> None:
    file = background(tty)
    with pytest.raises(Restart):
        read(file)
    assert tty.control.sent == [(20, SIGTTIN)]
    tty.control.ignored = {SIGTTIN}
    with fails(EIO):
        read(file)
    tty.control.ignored.clear()
    tty.control.job.orphaned = True
    with fails(EIO):
        read(file)


def test_background_jobs_stop_when_they_write_with_tostop(tty: Screen) -> None:
    file = background(tty)
    assert write(file, b"x") == 1
    tty.configure(Termios(local=Termios().local | abi.TOSTOP))
    with pytest.raises(Restart):
        write(file, b"x")
    assert tty.control.sent == [(20, SIGTTOU)]
    tty.control.ignored = {SIGTTOU}
    assert write(file, b"x") == 1


def test_background_jobs_stop_when_they_change_the_terminal(tty: Screen) -> None:
    file = background(tty)
    memory = Memory()
    memory.write(SCRATCH, RAW.pack())
    for request in (abi.TCSETS, abi.TIOCSPGRP, abi.TCFLSH):
        with pytest.raises(Restart):
            file.ioctl(request, SCRATCH, memory)
    tty.control.ignored = {SIGTTOU}
    assert file.ioctl(abi.TCSETSW, SCRATCH, memory) == 0
    assert tty.termios.pack() == RAW.pack()


def test_the_foreground_group(tty: Screen) -> None:
    file, memory = opened(tty), Memory()
    file.ioctl(abi.TIOCGPGRP, SCRATCH, memory)
    assert memory.int() == 10
    for pgid, errno in ((99, ESRCH), (-1, EINVAL), (30, EPERM)):
        memory.write(SCRATCH, struct.pack("<i", pgid))
        with fails(errno):
            file.ioctl(abi.TIOCSPGRP, SCRATCH, memory)
    memory.write(SCRATCH, struct.pack("<i", 20))
    assert file.ioctl(abi.TIOCSPGRP, SCRATCH, memory) == 0
    assert tty.foreground is tty.control.job
    file.ioctl(abi.TIOCGSID, SCRATCH, memory)
    assert memory.int() == 10
    tty.control.caller = tty.control.outsider
    with fails(ENOTTY):
        file.ioctl(abi.TIOCGPGRP, SCRATCH, memory)


def test_stealing_and_giving_up_the_terminal(tty: Screen) -> None:
    file, memory, control = opened(tty), Memory(), tty.control
    control.caller = control.outsider
    with fails(EPERM):
        file.ioctl(abi.TIOCSCTTY, 1, memory)
    control.root = True
    assert file.ioctl(abi.TIOCSCTTY, 1, memory) == 0
    assert control.leader.terminal is None
    assert control.outsider.terminal is tty
    assert file.ioctl(abi.TIOCNOTTY, 0, memory) == 0
    assert control.sent == [(30, SIGHUP), (30, SIGCONT)]
    assert tty.session is None
    with fails(ENOTTY):
        file.ioctl(abi.TIOCNOTTY, 0, memory)


def test_window_size_changes_are_signalled_once(tty: Screen) -> None:
    file, memory = opened(tty), Memory()
    memory.write(SCRATCH, struct.pack("<4H", 30, 100, 0, 0))
    file.ioctl(abi.TIOCSWINSZ, SCRATCH, memory)
    file.ioctl(abi.TIOCSWINSZ, SCRATCH, memory)
    assert tty.control.sent == [(10, SIGWINCH)]
    memory.write(SCRATCH, bytes(8))
    file.ioctl(abi.TIOCGWINSZ, SCRATCH, memory)
    assert memory.read(SCRATCH, 8) == struct.pack("<4H", 30, 100, 0, 0)


@pytest.mark.parametrize(
    ("get", "put"), [(abi.TCGETS, abi.TCSETSF), (abi.TCGETS2, abi.TCSETSF2), (abi.TCGETA, abi.TCSETAF)]
)
def test_attributes_go_round(tty: Screen, get: int, put: int) -> None:
    file, memory = opened(tty), Memory()
    before = tty.termios.pack2()
    tty.feed(b"line\n")
    file.ioctl(get, SCRATCH, memory)
    file.ioctl(put, SCRATCH, memory)
    assert tty.termios.pack2() == before
    with fails(EAGAIN):
        read(file)


def test_other_ioctls(tty: Screen) -> None:
    file, memory = opened(tty), Memory()
    tty.feed(b"abc\nd")
    file.ioctl(abi.FIONREAD, SCRATCH, memory)
    assert memory.int() == 4
    with fails(EINVAL):
        file.ioctl(abi.TCFLSH, 7, memory)
    file.ioctl(abi.TCFLSH, abi.TCIFLUSH, memory)
    file.ioctl(abi.FIONREAD, SCRATCH, memory)
    assert memory.int() == 0
    for request in (abi.TIOCGPTN, abi.TIOCMGET, 0x12345678):
        with fails(ENOTTY):
            file.ioctl(request, SCRATCH, memory)
    memory.write(SCRATCH, b"x\n")
    file.ioctl(abi.TIOCSTI, SCRATCH, memory)
    file.ioctl(abi.TIOCSTI, SCRATCH + 1, memory)
    assert read(file) == b"x\n"
    tty.control.caller = tty.control.outsider
    with fails(EPERM):
        file.ioctl(abi.TIOCSTI, SCRATCH, memory)
    tty.control.caller = tty.control.leader
    file.ioctl(abi.TIOCEXCL, 0, memory)
    with fails(EBUSY):
        opened(tty)
    file.ioctl(abi.TIOCNXCL, 0, memory)
    file.ioctl(abi.TCXONC, abi.TCOOFF, memory)
    tty.feed(b"\x11")
    with fails(EAGAIN):
        write(file, b"x")
    file.ioctl(abi.TCXONC, abi.TCOON, memory)
    assert write(file, b"x") == 1


def test_a_lost_line_ends_reads_and_fails_writes(tty: Screen) -> None:
    file = opened(tty)
    tty.line_lost()
    assert tty.control.sent == [(10, SIGHUP), (10, SIGCONT)]
    assert read(file) == b""
    with fails(EIO):
        write(file, b"x")
    assert file.poll() & POLLHUP


class Host:
    """A host terminal whose keys we press."""

    def __init__(self, raw: bool = True) -> None:
        self.master, self.slave = os.openpty()
        self.events = HostEvents()
        self.control = Jobs()
        self.tty = HostTty(self.events, self.slave, self.slave, self.control)
        self.tty.start(raw)
        self.file = opened(self.tty)

    def close(self) -> None:
        self.tty.close()
        self.events.close()
        os.close(self.slave)
        if self.master >= 0:
            os.close(self.master)

    def until_readable(self) -> None:
        while not self.file.poll() & POLLIN:
            self.events.wait(None)


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


def test_host_keys_become_lines_and_echo(host: Host) -> None:
    os.write(host.master, b"ls\r")
    host.until_readable()
    assert read(host.file) == b"ls\n"
    assert os.read(host.master, 100) == b"ls\r\n"
    write(host.file, b"a\nb\n")
    assert os.read(host.master, 100) == b"a\r\nb\r\n"


def test_changes_that_wait_for_output_wait_for_the_host(host: Host) -> None:
    memory = Memory()
    memory.write(SCRATCH, host.tty.termios.pack())
    host.file.ioctl(abi.TCSETSW, SCRATCH, memory)
    while not host.tty.sending:
        write(host.file, b"x" * 4096)
    for request, argument in ((abi.TCSETSW, SCRATCH), (abi.TCSETSF, SCRATCH), (abi.TCSBRK, 1)):
        with fails(EAGAIN):
            host.file.ioctl(request, argument, memory)
    host.file.ioctl(abi.TIOCOUTQ, SCRATCH + 100, memory)
    assert host.file.ioctl(abi.TCSETS, SCRATCH, memory) == 0
    while host.tty.sending:
        os.read(host.master, 65536)
        host.events.wait(0)
    assert host.file.ioctl(abi.TCSETSW, SCRATCH, memory) == 0


def test_host_interrupt_reaches_the_guest_though_nobody_reads(host: Host) -> None:
    os.write(host.master, b"\x03")
    while not host.control.sent:
        host.events.wait(None)
    assert host.control.sent == [(10, SIGINT)]


def test_host_hang_up(host: Host) -> None:
    os.close(host.master)
    host.master = -1
    while not host.tty.dead:
        host.events.wait(None)
    assert (10, SIGHUP) in host.control.sent
    assert read(host.file) == b""


def test_host_terminal_goes_raw_when_a_guest_reads() -> None:
    host = Host(raw=False)
    try:
        write(host.file, b"a\n")
        assert os.read(host.master, 100) == b"a\r\n"
        assert not host.tty.terminal.raw
        with fails(EAGAIN):
            read(host.file)
        assert host.tty.terminal.raw
    finally:
        host.close()


def test_streams_of_the_host() -> None:
    events = HostEvents()
    reading, writing = os.pipe()
    source, sink = host_stream(reading, events), host_stream(writing, events)
    with fails(EAGAIN):
        read(source)
    assert events.pending
    assert write(sink, b"hello") == 5
    events.wait(None)
    memory = Memory()
    source.ioctl(abi.FIONREAD, SCRATCH, memory)
    assert memory.int() == 5
    assert read(source) == b"hello"
    with fails(EBADF):
        write(source, b"x")
    with fails(ESPIPE):
        source.seek(0, SEEK_SET)
    os.close(writing)
    assert source.poll() & POLLHUP
    assert read(source) == b""
    source.acquire().release()
    os.close(reading)
    events.close()


def test_a_short_write_to_the_host_wakes_the_writer_when_there_is_room() -> None:
    events = HostEvents()
    reading, writing = os.pipe()
    sink = host_stream(writing, events)
    done = write(sink, bytes(1 << 20))
    assert 0 < done < 1 << 20
    assert events.pending
    while done:
        done -= len(os.read(reading, done))
    events.wait(None)
    assert not events.pending
    for fd in (reading, writing):
        os.close(fd)
    events.close()


def test_a_file_of_the_host_shares_its_offset_but_not_with_a_second_open(tmp_path) -> None:
    events = HostEvents()
    (tmp_path / "file").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    stream = host_stream(fd, events)
    assert read(stream, 4) == b"0123"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 4
    again = stream.inode.open(O_RDONLY)
    assert read(again, 2) == b"01"
    assert read(stream, 2) == b"45"
    assert stream.inode.stat().size == 10
    with fails(13):
        stream.inode.open(O_RDWR)
    os.close(fd)
    events.close()
