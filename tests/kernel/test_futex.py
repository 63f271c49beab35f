"""Futexes: comparison, order, bitsets, requeue, timeouts, robust lists; no wake-up is lost."""

from __future__ import annotations

from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_harness import DATA, SHARED, Guest, exit_code

from lbw.abi.errno import EAGAIN, EINTR, EINVAL, ENOSYS, ESRCH, ETIMEDOUT
from lbw.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE,
    FUTEX_FD,
    FUTEX_LOCK_PI,
    FUTEX_OP_ADD,
    FUTEX_OP_CMP_GT,
    FUTEX_OWNER_DIED,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAITERS,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from lbw.abi.sched import (
    CLONE_CHILD_CLEARTID,
    CLONE_FILES,
    CLONE_FS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
)
from lbw.abi.signal import SA_RESTART, SIGUSR1
from lbw.cpu.scripted import Call

SECOND = 10**9
THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
WORD, OTHER, TIME = SHARED, SHARED + 64, DATA + 0x100


def test_comparison_and_timeouts(guest):
    def main(cpu):
        guest.memory.write_u32(WORD, 5)
        assert (yield Call("futex", WORD, FUTEX_WAIT, 4, 0, 0, 0)) == -EAGAIN
        before = guest.clock.now
        assert (yield Call("futex", WORD, FUTEX_WAIT, 5, guest.timespec(TIME, SECOND), 0, 0)) == -ETIMEDOUT
        assert guest.clock.now - before == SECOND
        until = guest.timespec(TIME, guest.clock.now + SECOND)
        assert (yield Call("futex", WORD, FUTEX_WAIT_BITSET, 5, until, 0, 1)) == -ETIMEDOUT
        assert (yield Call("futex", WORD, FUTEX_WAIT_BITSET, 5, 0, 0, 0)) == -EINVAL
        assert (yield Call("futex", WORD + 1, FUTEX_WAIT, 5, 0, 0, 0)) == -EINVAL
        assert (yield Call("futex", WORD, FUTEX_LOCK_PI, 0, 0, 0, 0)) == -ESRCH
        assert (yield Call("futex", WORD, FUTEX_FD, 0, 0, 0, 0)) == -ENOSYS
        assert (yield Call("futex", WORD, FUTEX_WAKE, 1, 0, 0, 0)) == 0

    assert exit_code(guest.run(main)) == 0
    assert len(guest.kernel.futexes) == 0


def test_a_deadline_of_the_real_time_clock_comes_sooner_when_that_is_set(guest):
    ahead = 0

    def realtime():
        return guest.clock.now + ahead

    def child(cpu):
        nonlocal ahead
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        ahead = 1000 * SECOND

    def main(cpu):
        guest.clock.realtime = realtime
        yield Call("fork", child=child)
        start = guest.clock.now
        until = guest.timespec(TIME + 64, realtime() + 100 * SECOND)
        for operation in (FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, FUTEX_WAIT_BITSET):
            result = yield Call("futex", WORD, operation, 0, until, 0, 1)
            guest.log.append((result, (guest.clock.now - start) // SECOND))

    assert exit_code(guest.run(main)) == 0
    assert guest.log == [(-ETIMEDOUT, 2), (-ETIMEDOUT, 100)]


def waiter(guest, name, bitset=FUTEX_BITSET_MATCH_ANY, word=WORD):
    def script(cpu):
        assert (yield Call("futex", word, FUTEX_WAIT_BITSET, 0, 0, 0, bitset)) == 0
        guest.log.append(name)

    return script


def fork_all(guest, scripts):
    for script in scripts:
        yield Call("fork", child=script)
    yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)  # let them wait


def wait_all(count):
    for _ in range(count):
        yield Call("wait4", -1, 0, 0, 0)


def test_shared_futex_wakes_in_order(guest):
    def main(cpu):
        yield from fork_all(guest, [waiter(guest, name) for name in "abc"])
        assert (yield Call("futex", WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, 0, 0, 0)) == 0  # another key
        assert (yield Call("futex", WORD, FUTEX_WAKE, 2, 0, 0, 0)) == 2
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        assert guest.log == ["a", "b"]
        assert (yield Call("futex", WORD, FUTEX_WAKE, 2, 0, 0, 0)) == 1
        yield from wait_all(3)

    assert exit_code(guest.run(main)) == 0


def test_bitsets(guest):
    def main(cpu):
        yield from fork_all(guest, [waiter(guest, "one", 1), waiter(guest, "two", 2), waiter(guest, "three", 3)])
        assert (yield Call("futex", WORD, FUTEX_WAKE_BITSET, 9, 0, 0, 2)) == 2
        yield from wait_all(2)
        assert guest.log == ["two", "three"]
        assert (yield Call("futex", WORD, FUTEX_WAKE, 9, 0, 0, 0)) == 1
        yield from wait_all(1)

    assert exit_code(guest.run(main)) == 0


def test_requeue(guest):
    def main(cpu):
        yield from fork_all(guest, [waiter(guest, index) for index in range(4)])
        assert (yield Call("futex", WORD, FUTEX_CMP_REQUEUE, 1, 2, OTHER, 1)) == -EAGAIN
        assert (yield Call("futex", WORD, FUTEX_CMP_REQUEUE, 1, 2, OTHER, 0)) == 3
        assert (yield Call("futex", OTHER, FUTEX_WAKE, 9, 0, 0, 0)) == 2
        assert (yield Call("futex", WORD, FUTEX_REQUEUE, 0, 9, OTHER, 0)) == 1
        assert (yield Call("futex", OTHER, FUTEX_WAKE, 9, 0, 0, 0)) == 1
        yield from wait_all(4)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == [0, 1, 2, 3]


def test_wake_op(guest):
    def main(cpu):
        yield from fork_all(guest, [waiter(guest, "word"), waiter(guest, "other", word=OTHER)])
        add_one_if_positive = FUTEX_OP_ADD << 28 | FUTEX_OP_CMP_GT << 24 | 1 << 12 | 0
        assert (yield Call("futex", WORD, FUTEX_WAKE_OP, 1, 1, OTHER, add_one_if_positive)) == 1
        assert guest.memory.read_u32(OTHER) == 1
        assert (yield Call("futex", WORD, FUTEX_WAKE_OP, 1, 1, OTHER, add_one_if_positive)) == 1
        assert guest.memory.read_u32(OTHER) == 2
        yield from wait_all(2)

    assert exit_code(guest.run(main)) == 0


def test_a_wait_with_timeout_is_not_restarted_after_a_handler(guest):
    def handler(cpu):
        yield Call("getpid")

    def child(cpu):
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        yield Call("kill", 2, SIGUSR1)

    def main(cpu):
        yield from guest.handle(SIGUSR1, handler, SA_RESTART)
        yield Call("fork", child=child)
        assert (yield Call("futex", WORD, FUTEX_WAIT, 0, guest.timespec(DATA, 5 * SECOND), 0, 0)) == -EINTR

    assert exit_code(guest.run(main)) == 0
    assert len(guest.kernel.futexes) == 0


def test_thread_exit_clears_the_tid_and_wakes(guest):
    tid_address = DATA + 0x200

    def thread(cpu):
        assert (yield Call("getpid")) == 2
        assert (yield Call("gettid")) == 3
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        yield Call("exit", 0)

    def main(cpu):
        guest.memory.write_u32(tid_address, 3)
        assert (yield Call("clone", THREAD | CLONE_CHILD_CLEARTID, DATA + 0x4000, 0, tid_address, child=thread)) == 3
        assert (yield Call("futex", tid_address, FUTEX_WAIT, 3, 0, 0, 0)) == 0
        assert guest.memory.read_u32(tid_address) == 0

    assert exit_code(guest.run(main)) == 0


def test_robust_futexes_of_a_dead_owner(guest):
    head, lock = SHARED + 0x1000, SHARED + 0x2000

    def owner(cpu):
        guest.memory.write(head, pack("<QqQ", lock, 16, 0))
        guest.memory.write(lock, pack("<Q", head))
        guest.memory.write_u32(lock + 16, (yield Call("gettid")) | FUTEX_WAITERS)
        assert (yield Call("set_robust_list", head, 23)) == -EINVAL
        assert (yield Call("set_robust_list", head, 24)) == 0
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)

    def main(cpu):
        pid = yield Call("fork", child=owner)
        yield Call("sched_yield")
        value = guest.memory.read_u32(lock + 16)
        assert value == pid | FUTEX_WAITERS
        assert (yield Call("futex", lock + 16, FUTEX_WAIT, value, 0, 0, 0)) == 0
        assert guest.memory.read_u32(lock + 16) == FUTEX_WAITERS | FUTEX_OWNER_DIED

    assert exit_code(guest.run(main)) == 0


def test_an_endless_robust_list_ends(guest):
    def main(cpu):
        guest.memory.write(DATA, pack("<QqQ", DATA + 64, 16, 0))
        guest.memory.write(DATA + 64, pack("<Q", DATA + 64))
        yield Call("set_robust_list", DATA, 24)

    assert exit_code(guest.run(main)) == 0


@settings(max_examples=40, deadline=None)
@given(
    waiters=st.integers(1, 6),
    wakes=st.lists(st.tuples(st.sampled_from(["wake", "requeue", "yield", "sleep"]), st.integers(1, 3)), max_size=12),
)
def test_every_wake_wakes_somebody(waiters, wakes):
    """A semaphore in user space: as many leave it as were let out, whatever the order of events."""
    guest = Guest(memory=8 << 20)
    left = []

    def thread(cpu):
        while True:
            value = guest.memory.read_u32(WORD)
            if value:
                guest.memory.write_u32(WORD, value - 1)  # no other task runs between two actions of a script
                left.append(1)
                yield Call("exit", 0)
            yield Call("futex", WORD, FUTEX_WAIT, 0, 0, 0, 0)

    def post(count):
        guest.memory.write_u32(WORD, guest.memory.read_u32(WORD) + count)

    def main(cpu):
        for index in range(waiters):
            yield Call("clone", THREAD, DATA + 0x4000 + index * 0x400, child=thread)
        posted = 0
        for kind, count in wakes:
            if kind == "wake":
                post(count)
                posted += count
                yield Call("futex", WORD, FUTEX_WAKE, count, 0, 0, 0)
            elif kind == "requeue":
                yield Call("futex", WORD, FUTEX_REQUEUE, 0, count, OTHER, 0)
                yield Call("futex", OTHER, FUTEX_REQUEUE, 0, 99, WORD, 0)
            elif kind == "yield":
                yield Call("sched_yield")
            else:
                yield Call("nanosleep", guest.timespec(TIME, count), 0)
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        assert len(left) == min(posted, waiters)

    assert exit_code(guest.run(main)) == 0


def test_a_wake_up_that_comes_after_a_signal_counts(guest):
    def handler(cpu):
        guest.log.append("handler")
        yield Call("getpid")

    def child(cpu):
        yield from guest.handle(SIGUSR1, handler)
        guest.log.append((yield Call("futex", WORD, FUTEX_WAIT, 0, 0, 0, 0)))

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield Call("nanosleep", guest.timespec(TIME, SECOND), 0)
        yield Call("kill", pid, SIGUSR1)
        assert (yield Call("futex", WORD, FUTEX_WAKE, 1, 0, 0, 0)) == 1
        yield from wait_all(1)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["handler", 0]
