"""Reading and writing: what moves, what a bad address or a limit leaves, and how long a call waits."""

from __future__ import annotations

from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_harness import DATA, SHARED, SIZE, exit_code

from lbw.abi.errno import EAGAIN, EBADF, EFAULT, EFBIG, EINTR, EINVAL, EPIPE, ESPIPE
from lbw.abi.fcntl import AT_FDCWD, O_CREAT, O_NONBLOCK, O_RDWR
from lbw.abi.resource import RLIMIT_FSIZE
from lbw.abi.signal import SA_RESTART, SIG_IGN, SIGPIPE, SIGUSR1, SIGXFSZ
from lbw.cpu.scripted import Call, Compute
from lbw.syscalls.transfer import section

PATH = DATA + 0x7000
BAD = DATA + SIZE  # the page behind the mapped ones


def open_file(guest, name=b"/file", flags=O_CREAT | O_RDWR):
    """Script fragment: open a file."""
    return (yield Call("openat", AT_FDCWD, guest.string(PATH, name), flags, 0o600))


def open_pipe(guest, flags=0):
    """Script fragment: make a pipe; return its ends."""
    assert (yield Call("pipe2", PATH, flags)) == 0
    return guest.memory.load(PATH, guest.kernel.current.abi.pollfd)[0], guest.memory.read_u32(PATH + 4)


def test_bytes_come_back(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        guest.memory.write(DATA, b"hello world")
        assert (yield Call("write", fd, DATA, 11)) == 11
        assert (yield Call("lseek", fd, 6, 0)) == 6
        assert (yield Call("read", fd, DATA + 100, 50)) == 5
        assert guest.memory.read(DATA + 100, 5) == b"world"
        assert (yield Call("read", fd, DATA, 50)) == 0
        assert (yield Call("pread64", fd, DATA, 3, 1)) == 3
        assert guest.memory.read(DATA, 3) == b"ell"

    assert exit_code(guest.run(main)) == 0


def test_a_request_far_larger_than_the_file_touches_only_what_is_there(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        assert (yield Call("write", fd, DATA, 10)) == 10
        yield Call("lseek", fd, 0, 0)
        assert (yield Call("read", fd, DATA, 1 << 40)) == 10
        assert (yield Call("pread64", fd, DATA, 1 << 40, 4)) == 6

    assert exit_code(guest.run(main)) == 0


def test_a_bad_address_counts_only_when_nothing_moved(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        assert (yield Call("write", fd, BAD - 6, 20)) == 6
        assert (yield Call("write", fd, BAD, 20)) == -EFAULT
        guest.memory.write(DATA, pack("<QQQQ", DATA + 64, 4, BAD, 4))
        assert (yield Call("writev", fd, DATA, 2)) == 4
        assert (yield Call("lseek", fd, 0, 1)) == 10
        assert (yield Call("pread64", fd, BAD - 4, 10, 0)) == 4
        assert (yield Call("writev", fd, BAD, 1)) == -EFAULT

    assert exit_code(guest.run(main)) == 0


def test_vectors_have_limits(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        assert (yield Call("writev", fd, DATA, 1025)) == -EINVAL
        assert (yield Call("readv", fd, DATA, 0xFFFFFFFF)) == -EINVAL
        guest.memory.write(DATA, pack("<QQ", DATA + 64, 1 << 63))
        assert (yield Call("writev", fd, DATA, 1)) == -EINVAL
        assert (yield Call("readv", fd, DATA, 0)) == 0

    assert exit_code(guest.run(main)) == 0


def test_access_modes(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        reading = yield from open_file(guest, flags=0)
        writing = yield from open_file(guest, flags=1)
        neither = yield from open_file(guest, flags=3)
        assert (yield Call("write", fd, DATA, 1)) == 1
        assert (yield Call("write", reading, DATA, 1)) == -EBADF
        assert (yield Call("read", writing, DATA, 1)) == -EBADF
        assert (yield Call("read", neither, DATA, 1)) == -EBADF
        assert (yield Call("write", neither, DATA, 1)) == -EBADF
        assert (yield Call("read", 99, DATA, 1)) == -EBADF
        ends = yield from open_pipe(guest)
        assert (yield Call("pread64", ends[1], DATA, 1, 0)) == -ESPIPE
        assert (yield Call("pwrite64", ends[0], DATA, 1, 0)) == -ESPIPE

    assert exit_code(guest.run(main)) == 0


def test_file_size_limit(guest):
    def main(cpu):
        yield from guest.handle(SIGXFSZ, SIG_IGN)
        fd = yield from open_file(guest)
        guest.memory.write(DATA, pack("<QQ", 10, 2**64 - 1))
        assert (yield Call("setrlimit", RLIMIT_FSIZE, DATA)) == 0
        assert (yield Call("write", fd, DATA, 8)) == 8
        assert (yield Call("write", fd, DATA, 8)) == 2
        assert (yield Call("write", fd, DATA, 8)) == -EFBIG
        assert (yield Call("pwrite64", fd, DATA, 8, 9)) == 1
        assert (yield Call("ftruncate", fd, 11)) == -EFBIG

    assert exit_code(guest.run(main)) == 0


def test_beyond_the_file_size_limit_without_a_handler(guest):
    def main(cpu):
        fd = yield from open_file(guest)
        guest.memory.write(DATA, pack("<QQ", 0, 0))
        yield Call("setrlimit", RLIMIT_FSIZE, DATA)
        yield Call("write", fd, DATA, 1)

    assert guest.run(main) & 0x7F == SIGXFSZ


def test_a_write_to_a_pipe_does_not_wait_for_bytes_that_cannot_be_read(guest):
    def main(cpu):
        assert (yield from open_pipe(guest)) == (0, 1)
        assert (yield Call("write", 1, BAD - 6, 20)) == 6
        assert (yield Call("write", 1, BAD, 20)) == -EFAULT
        assert (yield Call("read", 0, DATA, 100)) == 6

    assert exit_code(guest.run(main)) == 0


def test_a_reader_waits_for_a_writer(guest):
    def child(cpu):
        yield Compute(3)
        guest.memory.write(DATA, b"late")
        yield Call("write", 1, DATA, 4)
        return 0

    def main(cpu):
        assert (yield from open_pipe(guest)) == (0, 1)
        yield Call("fork", child=child)
        assert (yield Call("read", 0, DATA, 100)) == 4
        assert guest.memory.read(DATA, 4) == b"late"
        yield Call("close", 1)
        assert (yield Call("read", 0, DATA, 100)) == 0

    assert exit_code(guest.run(main)) == 0


def test_a_writer_stays_until_everything_is_written(guest):
    total = 300_000

    def child(cpu):
        yield Call("close", 1)
        got = 0
        while (count := (yield Call("read", 0, DATA, 5000))) > 0:
            got += count
            yield Compute(1)
        return 0 if got == total else 1

    def main(cpu):
        yield from open_pipe(guest)
        assert (yield Call("mmap", 0x4000_0000, total, 3, 0x32, -1, 0)) == 0x4000_0000
        yield Call("fork", child=child)
        yield Call("close", 0)
        assert (yield Call("write", 1, 0x4000_0000, total)) == total
        yield Call("close", 1)
        yield Call("wait4", -1, SHARED, 0, 0)
        assert guest.memory.read_u32(SHARED) == 0

    assert exit_code(guest.run(main)) == 0


def test_without_waiting(guest):
    def main(cpu):
        yield from open_pipe(guest, O_NONBLOCK)
        assert (yield Call("read", 0, DATA, 10)) == -EAGAIN
        assert (yield Call("read", 0, DATA, 0)) == 0
        assert (yield Call("mmap", 0x4000_0000, 100_000, 3, 0x32, -1, 0)) == 0x4000_0000
        assert (yield Call("write", 1, 0x4000_0000, 100_000)) == 65536
        assert (yield Call("write", 1, DATA, 1)) == -EAGAIN

    assert exit_code(guest.run(main)) == 0


def test_a_broken_pipe(guest):
    def main(cpu):
        yield from open_pipe(guest)
        yield from guest.handle(SIGPIPE, SIG_IGN)
        yield Call("close", 0)
        assert (yield Call("write", 1, DATA, 1)) == -EPIPE
        yield from guest.handle(SIGPIPE, 0)
        yield Call("write", 1, DATA, 1)

    assert guest.run(main) & 0x7F == SIGPIPE


def test_a_signal_ends_a_write_with_what_was_written(guest):
    def handler(cpu):
        yield Compute(1)

    def child(cpu):
        yield Compute(3)
        yield Call("kill", 2, SIGUSR1)
        return 0

    def main(cpu):
        yield from open_pipe(guest)
        yield from guest.handle(SIGUSR1, handler)
        assert (yield Call("mmap", 0x4000_0000, 100_000, 3, 0x32, -1, 0)) == 0x4000_0000
        yield Call("fork", child=child)
        assert (yield Call("write", 1, 0x4000_0000, 100_000)) == 65536

    assert exit_code(guest.run(main)) == 0


def test_a_signal_interrupts_or_restarts_a_read(guest):
    def handler(cpu):
        yield Compute(1)

    def child(cpu):
        yield Compute(3)
        yield Call("kill", 2, SIGUSR1)
        yield Compute(3)
        yield Call("write", 1, DATA, 1)
        return 0

    def main(cpu):
        yield from open_pipe(guest)
        yield from guest.handle(SIGUSR1, handler)
        yield Call("fork", child=child)
        assert (yield Call("read", 0, DATA, 1)) == -EINTR
        assert (yield Call("read", 0, DATA, 1)) == 1
        yield from guest.handle(SIGUSR1, handler, SA_RESTART)
        yield Call("fork", child=child)
        assert (yield Call("read", 0, DATA, 1)) == 1

    assert exit_code(guest.run(main)) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 9)), max_size=6), st.integers(0, 30), st.integers(1, 40))
def test_a_section_of_a_vector_is_a_slice_of_its_addresses(iov, skip, limit):
    def spread(vector):
        return [base + index for base, length in vector for index in range(length)]

    assert spread(section(iov, skip, limit)) == spread(iov)[skip : skip + limit]

