"""poll and select: readiness, timeouts, masks, many files."""

from __future__ import annotations

from struct import pack, unpack

from kernel_harness import DATA, exit_code

from lbw.abi.errno import EBADF, EINTR, EINVAL
from lbw.abi.poll import POLLHUP, POLLIN, POLLNVAL, POLLOUT
from lbw.abi.signal import SIG_BLOCK, SIGUSR1
from lbw.cpu.scripted import Call, Compute

MS = 1_000_000


def pollfds(guest, *entries):
    guest.memory.write(DATA, b"".join(pack("<ihh", fd, events, 0) for fd, events in entries))


def revents(guest, count):
    return [unpack("<ihh", guest.memory.read(DATA + 8 * i, 8))[2] for i in range(count)]


def handler(cpu):
    yield Compute(1)


def test_readiness(guest):
    def main(cpu):
        yield Call("pipe2", DATA, 0)
        pollfds(guest, (0, POLLIN), (1, POLLOUT), (-1, POLLIN), (50, POLLIN))
        assert (yield Call("poll", DATA, 4, 0)) == 2
        assert revents(guest, 4) == [0, POLLOUT, 0, POLLNVAL]
        yield Call("write", 1, DATA, 1)
        assert (yield Call("poll", DATA, 2, -1)) == 2
        assert revents(guest, 2) == [POLLIN, POLLOUT]
        yield Call("close", 1)
        assert (yield Call("poll", DATA, 1, -1)) == 1
        assert revents(guest, 1) == [POLLIN | POLLHUP]
        assert (yield Call("poll", DATA, 5000, 0)) == -EINVAL

    assert exit_code(guest.run(main)) == 0


def test_a_timeout_takes_its_time(guest):
    def main(cpu):
        yield Call("pipe2", DATA, 0)
        pollfds(guest, (0, POLLIN))
        before = guest.clock.now
        assert (yield Call("poll", DATA, 1, 250)) == 0
        assert guest.clock.now - before == 250 * MS
        assert (yield Call("poll", 0, 0, 30)) == 0
        assert guest.clock.now - before == 280 * MS

    assert exit_code(guest.run(main)) == 0


def test_what_is_left_of_the_time_is_stored(guest):
    def child(cpu):
        yield Compute(3)
        yield Call("write", 1, DATA, 1)
        return 0

    def main(cpu):
        yield Call("pipe2", DATA, 0)
        pollfds(guest, (0, POLLIN))
        guest.timespec(DATA + 64, 5_000 * MS)
        yield Call("fork", child=child)
        assert (yield Call("ppoll", DATA, 1, DATA + 64, 0, 8)) == 1
        assert 0 < guest.read_timespec(DATA + 64) < 5_000 * MS

    assert exit_code(guest.run(main)) == 0


def test_select(guest):
    def main(cpu):
        yield Call("pipe2", DATA, 0)
        guest.memory.write(DATA, pack("<QQQ", 3, 3, 3))
        assert (yield Call("select", 2, DATA, DATA + 8, DATA + 16, 0)) == 1
        assert unpack("<QQQ", guest.memory.read(DATA, 24)) == (0, 2, 0)
        yield Call("write", 1, DATA, 1)
        guest.memory.write(DATA, pack("<QQ", 1, 2))
        assert (yield Call("select", 2, DATA, DATA + 8, 0, 0)) == 2
        guest.memory.write(DATA, pack("<Q", 1 << 9))
        assert (yield Call("select", 10, DATA, 0, 0, 0)) == -EBADF
        assert (yield Call("select", 0xFFFFFFFF, 0, 0, 0, 0)) == -EINVAL
        guest.memory.write(DATA, pack("<qq", -1, 0))
        assert (yield Call("select", 0, 0, 0, 0, DATA)) == -EINVAL

    assert exit_code(guest.run(main)) == 0


def test_an_error_of_one_set_does_not_show_in_another(guest):
    def main(cpu):
        yield Call("pipe2", DATA, 0)
        yield Call("close", 1)
        guest.memory.write(DATA, pack("<QQ", 1, 0))
        assert (yield Call("select", 1, DATA, DATA + 8, 0, 0)) == 1
        assert unpack("<QQ", guest.memory.read(DATA, 16)) == (1, 0)

    assert exit_code(guest.run(main)) == 0


def test_the_mask_lets_a_blocked_signal_in_and_comes_back(guest):
    def main(cpu):
        yield Call("pipe2", DATA, 0)
        yield from guest.handle(SIGUSR1, handler)
        guest.memory.write(DATA + 64, pack("<QQ", 1 << SIGUSR1 - 1, 0))
        yield Call("rt_sigprocmask", SIG_BLOCK, DATA + 64, 0, 8)
        yield Call("kill", 2, SIGUSR1)
        pollfds(guest, (0, POLLIN))
        assert (yield Call("ppoll", DATA, 1, 0, DATA + 72, 8)) == -EINTR
        yield Call("rt_sigprocmask", SIG_BLOCK, 0, DATA + 64, 8)
        assert guest.memory.read_u64(DATA + 64) == 1 << SIGUSR1 - 1
        assert (yield Call("ppoll", DATA, 1, 0, DATA + 72, 4)) == -EINVAL

    assert exit_code(guest.run(main)) == 0


def test_a_signal_without_handler_lets_poll_go_on_to_its_deadline(guest):
    def child(cpu):
        yield Compute(2)
        yield Call("kill", 2, 19)
        yield Compute(2)
        yield Call("kill", 2, 18)
        return 0

    def main(cpu):
        yield Call("pipe2", DATA, 0)
        pollfds(guest, (0, POLLIN))
        yield Call("fork", child=child)
        before = guest.clock.now
        assert (yield Call("poll", DATA, 1, 500)) == 0
        assert guest.clock.now - before == 500 * MS

    assert exit_code(guest.run(main)) == 0


def test_a_thousand_files(guest):
    def child(cpu):
        yield Compute(2)
        yield Call("write", 1, DATA, 1)
        return 0

    def main(cpu):
        yield Call("pipe2", DATA, 0)
        for _ in range(1000):
            yield Call("dup", 0)
        pollfds(guest, *((fd + 2, POLLIN) for fd in range(1000)))
        yield Call("fork", child=child)
        assert (yield Call("poll", DATA, 1000, -1)) == 1000
        assert revents(guest, 1000) == [POLLIN] * 1000

    assert exit_code(guest.run(main)) == 0
