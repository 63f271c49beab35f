"""Pipes: byte order, atomicity, ends, readiness; against a model and against the host's pipes."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EAGAIN, EBADF, EBUSY, EINVAL, ENFILE, ENXIO, EPERM, EPIPE, ESPIPE, LinuxError
from lbw.abi.fcntl import O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from lbw.abi.ioctl import FIONREAD
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from lbw.vfs.fifo import open_fifo
from lbw.vfs.file import File
from lbw.vfs.pipe import make_pipe
from lbw.vfs.pipe_budget import PipeBudget
from lbw.vfs.pseudo import PseudoFileSystem, PseudoInode

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="compares with the host's kernel")


def take(file: File, size: int, pieces: int = 1) -> bytes:
    buffer = bytearray(size)
    whole, step = memoryview(buffer), -(-size // pieces) or 1
    views = [whole[start : start + step] for start in range(0, size, step)]
    return bytes(buffer[: file.read(views)])


def put(file: File, data: bytes) -> int:
    return file.write([memoryview(data)])


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


class Waker:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


SIZES = st.one_of(st.integers(0, 70000), st.sampled_from([1, 4095, 4096, 4097, 65535, 65536, 65537]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), SIZES, st.integers(1, 5)), max_size=40))
def test_bytes_keep_their_order_and_small_writes_are_whole(steps) -> None:
    reader, writer = make_pipe()
    model, counter = bytearray(), 0
    for writes, size, pieces in steps:
        if writes:
            data = bytes((counter + i) & 0xFF for i in range(min(size, 300))) * (size // 300 + 1)
            data = data[:size]
            counter += 7
            try:
                count = put(writer, data)
            except LinuxError as error:
                assert error.errno == EAGAIN
                count = 0
                assert len(model) + min(size, 4096) > 65536
            assert count == size or size > 4096 or count == 0
            model += data[:count]
            assert len(model) <= 65536
        elif model or not size:
            got = take(reader, size, pieces)
            assert got == model[: len(got)]
            assert len(got) == min(size, len(model))
            del model[: len(got)]
        else:
            assert failure(lambda: take(reader, 1)) == EAGAIN
        assert bool(reader.poll() & POLLIN) == bool(model)
        assert bool(writer.poll() & POLLOUT) == (65536 - len(model) >= 4096)


def test_end_of_file_and_broken_pipe() -> None:
    reader, writer = make_pipe()
    reader.acquire(), writer.acquire()
    put(writer, b"last words")
    writer.release()
    assert take(reader, 100) == b"last words"
    assert take(reader, 100) == b""
    reader, writer = make_pipe()
    reader.acquire().release()
    assert failure(lambda: put(writer, b"x")) == EPIPE
    assert put(writer, b"") == 0


def test_wrong_end_and_seeking() -> None:
    reader, writer = make_pipe()
    assert failure(lambda: put(reader, b"x")) == EBADF
    assert failure(lambda: take(writer, 1)) == EBADF
    for end in (reader, writer):
        assert failure(lambda end=end: end.seek(0, 0)) == ESPIPE
        assert failure(lambda end=end: end.pread([memoryview(bytearray(1))], 0)) == ESPIPE


@on_linux
def test_readiness_is_the_hosts() -> None:
    def native(fd: int) -> int:
        poll = select.poll()
        poll.register(fd, select.POLLIN | select.POLLOUT)
        return dict(poll.poll(0)).get(fd, 0)

    def ours(end: File) -> int:
        return end.poll() & (POLLIN | POLLOUT | POLLHUP | POLLERR)

    for data, close_reader, close_writer in [
        (b"", False, False), (b"x", False, False), (b"", False, True), (b"x", False, True),
        (b"x" * 65536, False, False), (b"x" * 61440, False, False), (b"x" * 61441, False, False),
        (b"x" * 65536, True, False), (b"", True, False),
    ]:  # fmt: skip
        fds, ends = list(os.pipe()), list(make_pipe())
        try:
            if data:
                os.write(fds[1], data)
                put(ends[1], data)
            if close_reader:
                os.close(fds[0])
                ends[0].acquire().release()
                assert ours(ends[1]) == native(fds[1])
                fds.pop(0)
                continue
            if close_writer:
                os.close(fds.pop(1))
                ends.pop().acquire().release()
            for fd, end in zip(fds, ends, strict=True):
                assert ours(end) == native(fd), (len(data), close_writer)
        finally:
            for fd in fds:
                os.close(fd)


def test_waiters_are_woken_when_and_only_when_it_helps() -> None:
    reader, writer = make_pipe()
    waker = Waker()
    reader.queue.add(waker)
    put(writer, b"a")
    put(writer, b"b")
    assert waker.woken == 1
    while True:
        try:
            put(writer, bytes(4096))
        except LinuxError:
            break
    writer.queue.add(waker)
    take(reader, 1)
    assert waker.woken == 1  # not room enough for PIPE_BUF
    take(reader, 8192)
    assert waker.woken == 2
    writer.queue.add(waker)
    reader.acquire().release()
    assert waker.woken == 3


def test_a_long_transfer_arrives_whole() -> None:
    reader, writer = make_pipe()
    data = os.urandom(3 << 20)
    view, received, sent = memoryview(data), bytearray(), 0
    while sent < len(data) or len(received) < len(data):
        try:
            sent += writer.write([view[sent:]])
        except LinuxError as error:
            assert error.errno == EAGAIN
        received += take(reader, 10000, 3)
    assert received == data


def test_packets() -> None:
    reader, writer = make_pipe(O_DIRECT)
    put(writer, b"first packet")
    put(writer, b"second")
    assert take(reader, 5) == b"first"  # the rest is dropped
    assert take(reader, 100) == b"second"
    put(writer, bytes(5000))
    assert len(take(reader, 8192)) == 4096
    assert len(take(reader, 8192)) == 904
    put(writer, b"packet")
    writer.flags &= ~O_DIRECT
    put(writer, b"stream")
    put(writer, b"stream")
    assert take(reader, 100) == b"packet"
    assert take(reader, 8) == b"streamst"
    assert take(reader, 100) == b"ream"
    assert failure(lambda: take(reader, 1)) == EAGAIN


@on_linux
@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=50), st.integers(1, 60)), max_size=20))
def test_packets_like_the_hosts(steps) -> None:
    native = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
    reader, writer = make_pipe(O_DIRECT)
    try:
        for step in steps:
            if isinstance(step, bytes):
                try:
                    assert os.write(native[1], step) == put(writer, step)
                except BlockingIOError:
                    return  # the host's slots are used up
            else:
                try:
                    expected = os.read(native[0], step)
                except BlockingIOError:
                    assert failure(lambda step=step: take(reader, step)) == EAGAIN
                else:
                    assert take(reader, step, 2) == expected
    finally:
        os.close(native[0])
        os.close(native[1])


def test_capacity() -> None:
    reader, writer = make_pipe()
    pipe = reader.pipe
    assert pipe.set_capacity(1) == 4096
    assert put(writer, bytes(10000)) == 4096
    assert pipe.set_capacity(4097) == 8192
    assert put(writer, b"x") == 1
    assert failure(lambda: pipe.set_capacity(4096)) == EBUSY
    assert pipe.set_capacity(1 << 20) == 1 << 20
    assert failure(lambda: pipe.set_capacity((1 << 20) + 1)) == EPERM
    assert pipe.set_capacity((1 << 20) + 1, privileged=True) == 1 << 21
    assert failure(lambda: pipe.set_capacity(1 << 32)) == EINVAL


def test_beyond_the_budget_pipes_are_small_and_do_not_grow() -> None:
    budget = PipeBudget(1 << 17)
    ends = [end.acquire() for _ in range(3) for end in make_pipe(budget=budget)]
    fifo = open_fifo(make_fifo(), O_RDWR, budget).acquire()
    assert [end.pipe.capacity for end in (*ends[::2], fifo)] == [65536, 65536, 4096, 4096]
    first, last = ends[0].pipe, ends[4].pipe
    assert put(ends[5], bytes(10000)) == 4096
    assert failure(lambda: last.set_capacity(8192, privileged=True)) == EPERM
    assert (last.capacity, last.set_capacity(4096)) == (4096, 4096)
    assert first.set_capacity(32768) == 32768
    assert last.set_capacity(8192) == 8192
    assert failure(lambda: first.set_capacity(65536)) == EPERM
    for end in ends[:4]:
        end.release()
    assert (budget.used, last.set_capacity(65536)) == (8192 + 4096, 65536)
    for end in (*ends[4:], fifo):
        end.release()
    assert budget.used == 0


def test_at_twice_the_budget_there_are_no_new_pipes() -> None:
    budget = PipeBudget(1 << 16)
    ends = [end.acquire() for _ in range(17) for end in make_pipe(budget=budget)]
    assert budget.used == 2 * budget.limit
    assert failure(lambda: make_pipe(budget=budget)) == ENFILE
    for end in ends:
        end.release()
    assert budget.used == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["open", "fifo", "again", "resize", "close"]), st.integers(0, 1 << 18))))
def test_the_budget_is_the_sum_of_the_capacities(steps) -> None:
    budget, ends = PipeBudget(1 << 18), []
    for what, number in steps:
        chosen = number % len(ends) if ends else 0
        if what == "open":
            ends += [end.acquire() for end in make_pipe(budget=budget)]
        elif what == "fifo":
            ends.append(open_fifo(make_fifo(), O_RDWR, budget).acquire())
        elif ends and what == "again" and ends[chosen].inode.mode & 0o777 == 0o600:
            ends.append(ends[chosen].inode.open(O_RDONLY).acquire())
        elif ends and what == "resize":
            with suppress(LinuxError):
                ends[chosen].pipe.set_capacity(number)
        elif ends and what == "close":
            ends.pop(chosen).release()
        pipes = {id(end.pipe): end.pipe for end in ends}.values()
        assert budget.used == sum(pipe.capacity for pipe in pipes)
        assert budget.used <= budget.limit + 4096 * len(pipes)


def test_how_much_is_there() -> None:
    class Memory:
        def write(self, address: int, data: bytes) -> None:
            self.written = (address, data)

    memory = Memory()
    reader, writer = make_pipe()
    put(writer, bytes(300))
    reader.ioctl(FIONREAD, 0x1000, memory)
    assert memory.written == (0x1000, b"\x2c\x01\x00\x00")


# FIFOs


def make_fifo() -> PseudoInode:
    return PseudoInode(PseudoFileSystem(1), 7, 0o644)


def test_fifo_openers_find_each_other() -> None:
    inode, waker = make_fifo(), Waker()
    reader = open_fifo(inode, O_RDONLY)
    assert reader.opening is not None and not reader.opened
    reader.opening.add(waker)
    writer = open_fifo(inode, O_WRONLY)
    assert writer.opening is None
    assert reader.opened and waker.woken == 1
    put(writer, b"hello")
    assert take(reader, 10) == b"hello"


def test_a_writer_that_came_and_went_lets_the_reader_in() -> None:
    inode = make_fifo()
    reader = open_fifo(inode, O_RDONLY)
    open_fifo(inode, O_WRONLY).acquire().release()
    assert reader.opened
    assert take(reader, 1) == b""
    assert reader.poll() & POLLHUP


def test_fifo_without_waiting() -> None:
    inode = make_fifo()
    assert failure(lambda: open_fifo(inode, O_WRONLY | O_NONBLOCK)) == ENXIO
    reader = open_fifo(inode, O_RDONLY | O_NONBLOCK)
    assert reader.opening is None
    assert take(reader, 1) == b""
    assert not reader.poll() & POLLHUP  # nobody has ever written
    writer = open_fifo(inode, O_WRONLY | O_NONBLOCK)
    put(writer, b"1")
    writer.acquire().release()
    assert reader.poll() & (POLLIN | POLLHUP) == POLLIN | POLLHUP


def test_fifo_for_both() -> None:
    inode, waker = make_fifo(), Waker()
    both = open_fifo(inode, O_RDWR)
    assert both.opening is None
    both.queue.add(waker)
    put(both, b"to myself")
    assert waker.woken == 1
    assert both.poll() & (POLLIN | POLLOUT) == POLLIN | POLLOUT
    assert take(both, 20) == b"to myself"


def test_a_fifo_forgets_when_all_have_closed() -> None:
    inode = make_fifo()
    both = open_fifo(inode, O_RDWR).acquire()
    put(both, b"lost")
    both.release()
    again = open_fifo(inode, O_RDONLY | O_NONBLOCK)
    assert take(again, 10) == b""


def test_an_anonymous_pipe_that_lost_its_writer_is_opened_without_waiting() -> None:
    reader, writer = make_pipe()
    reader.acquire(), writer.acquire()
    put(writer, b"left behind")
    writer.release()
    again = reader.inode.open(O_RDONLY)
    assert again.opening is None
    assert again.poll() & (POLLIN | POLLHUP) == POLLIN | POLLHUP
    assert take(again, 20) == b"left behind"
    assert take(again, 20) == b""
    reader.release()
    again.acquire().release()
    assert reader.inode.open(O_WRONLY | O_NONBLOCK).poll() & POLLERR


def test_an_anonymous_pipe_can_be_opened_again() -> None:
    reader, writer = make_pipe()
    again = writer.inode.open(O_WRONLY)
    put(again, b"x")
    assert take(reader, 1) == b"x"
    assert reader.inode.link_text() == b"pipe:[%d]" % reader.inode.stat().ino
