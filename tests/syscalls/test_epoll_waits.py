"""epoll_wait with several sleepers: no wake is lost, and time limits hold."""

from __future__ import annotations

from struct import pack, unpack

from kernel_harness import DATA, exit_code

from lbw.abi.errno import EINTR
from lbw.abi.poll import EPOLL_CTL_ADD, EPOLLET, EPOLLIN
from lbw.abi.signal import SA_RESTART, SIG_BLOCK, SIGKILL, SIGUSR1
from lbw.cpu.scripted import Call, Compute

MS = 1_000_000
EVENT, GOT, WAITED = DATA, DATA + 64, DATA + 128


def watched_pipe(guest, events):
    """Script fragment: a pipe (0, 1) that epoll 2 watches."""
    yield Call("pipe2", DATA, 0)
    assert (yield Call("epoll_create1", 0)) == 2
    guest.memory.write(EVENT, pack("<IQ", events, 7))
    assert (yield Call("epoll_ctl", 2, EPOLL_CTL_ADD, 0, EVENT)) == 0


def sleeper(guest, name):
    def child(cpu):
        result = yield Call("epoll_wait", 2, GOT, 4, -1)
        guest.log.append((name, result, *unpack("<IQ", guest.memory.read(GOT, 12))))

    return child


def test_an_event_wakes_one_sleeper_and_the_next_wakes_the_next(guest):
    def main(cpu):
        yield from watched_pipe(guest, EPOLLIN | EPOLLET)
        for name in "ab":
            yield Call("fork", child=sleeper(guest, name))
        yield Call("sched_yield")
        yield Call("write", 1, DATA, 1)
        yield Call("sched_yield")
        assert guest.log == [("a", 1, EPOLLIN, 7)]
        yield Call("write", 1, DATA, 1)
        yield Call("sched_yield")
        assert [entry[0] for entry in guest.log] == ["a", "b"]

    assert exit_code(guest.run(main)) == 0


def test_a_sleeper_that_is_killed_passes_its_wake_on(guest):
    def main(cpu):
        yield from watched_pipe(guest, EPOLLIN | EPOLLET)
        first = yield Call("fork", child=sleeper(guest, "killed"))
        yield Call("fork", child=sleeper(guest, "next"))
        yield Call("sched_yield")
        yield Call("write", 1, DATA, 1)
        yield Call("kill", first, SIGKILL)
        assert (yield Call("wait4", first, WAITED, 0, 0)) == first
        assert (yield Call("wait4", -1, WAITED, 0, 0)) > 0
        assert guest.log == [("next", 1, EPOLLIN, 7)]

    assert exit_code(guest.run(main)) == 0


def test_a_level_triggered_event_reaches_all_sleepers(guest):
    def main(cpu):
        yield from watched_pipe(guest, EPOLLIN)
        for name in "abc":
            yield Call("fork", child=sleeper(guest, name))
        yield Call("sched_yield")
        yield Call("write", 1, DATA, 1)
        for _ in range(3):
            yield Call("wait4", -1, WAITED, 0, 0)
        assert [entry[:2] for entry in guest.log] == [("a", 1), ("b", 1), ("c", 1)]

    assert exit_code(guest.run(main)) == 0


def test_a_timeout_takes_its_time(guest):
    def main(cpu):
        yield from watched_pipe(guest, EPOLLIN)
        before = guest.clock.now
        assert (yield Call("epoll_wait", 2, GOT, 4, 250)) == 0
        assert guest.clock.now - before == 250 * MS
        guest.timespec(DATA + 32, 30 * MS)
        assert (yield Call("epoll_pwait2", 2, GOT, 4, DATA + 32, 0, 8)) == 0
        assert guest.clock.now - before == 280 * MS

    assert exit_code(guest.run(main)) == 0


def test_a_handler_ends_the_wait_even_with_sa_restart(guest):
    def handler(cpu):
        guest.log.append("handler")
        yield Compute(1)

    def child(cpu):
        yield Call("nanosleep", guest.timespec(DATA + 0x400, MS), 0)
        yield Call("kill", 2, SIGUSR1)

    def main(cpu):
        yield from watched_pipe(guest, EPOLLIN)
        yield from guest.handle(SIGUSR1, handler, SA_RESTART)
        yield Call("fork", child=child)
        assert (yield Call("epoll_wait", 2, GOT, 4, -1)) == -EINTR
        assert guest.log == ["handler"]

    assert exit_code(guest.run(main)) == 0


def test_a_signal_is_read_by_whom_it_was_sent_to(guest):
    mask = 1 << SIGUSR1 - 1

    def child(cpu):
        assert (yield Call("read", 0, DATA, 128)) == 128
        guest.log.append(unpack("<I", guest.memory.read(DATA, 4)))

    def main(cpu):
        guest.memory.write_u64(DATA, mask)
        yield Call("rt_sigprocmask", SIG_BLOCK, DATA, 0, 8)
        assert (yield Call("signalfd4", -1, DATA, 8, 0)) == 0
        pid = yield Call("fork", child=child)
        yield Call("sched_yield")
        yield Call("kill", 2, SIGUSR1)  # for the parent: the child is woken, and sleeps again
        yield Call("sched_yield")
        assert guest.log == []
        yield Call("kill", pid, SIGUSR1)
        yield Call("wait4", pid, WAITED, 0, 0)
        assert guest.log == [(SIGUSR1,)]
        assert (yield Call("read", 0, DATA, 256)) == 128

    assert exit_code(guest.run(main)) == 0
