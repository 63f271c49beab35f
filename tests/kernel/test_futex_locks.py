"""Locks with priority inheritance: exclusion whatever the order of events, the order of heirs, owners that die."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_harness import DATA, SHARED, Guest, exit_code

from lbw.abi.errno import EDEADLK, EFAULT, EINTR, EPERM, ESRCH, ETIMEDOUT
from lbw.abi.futex import (
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_OWNER_DIED,
    FUTEX_TID_MASK,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAITERS,
    FUTEX_WAKE,
)
from lbw.abi.sched import (
    CLONE_FILES,
    CLONE_FS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
    SCHED_FIFO,
    SCHED_NORMAL,
    SCHED_RR,
)
from lbw.abi.signal import SIGKILL, SIGUSR1
from lbw.cpu.scripted import Call

SECOND = 10**9
THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
LOCK, CONDITION, TIME = SHARED + 64, SHARED + 128, DATA + 0x100
#: What a thread does with the lock in a turn, or while it does not have it.
PLANS = ("hold", "sleep", "die", "try", "yield")


def futex(address, operation, value=0, time=0, other=0, value3=0):
    return Call("futex", address, operation, value, time, other, value3)


def call(name, *arguments, **options):
    return Call(name, *arguments, **options)


def sleep(guest, seconds=1):
    return call("nanosleep", guest.timespec(TIME, int(seconds * SECOND)), 0)


def clean(guest):
    futexes = guest.kernel.futexes
    return not len(futexes) and not futexes.locks and not futexes.blocked


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PLANS), max_size=5), min_size=2, max_size=5))
def test_one_owner_at_a_time_whatever_happens(plans):
    """Threads lock as a C library does: a compare-and-swap first, the kernel when that fails; some die as owners."""
    guest = Guest(memory=8 << 20)
    inside, served, dead = [], [], []

    def lock(tid, operation=FUTEX_LOCK_PI, time=0):
        if not guest.memory.read_u32(LOCK):  # nothing comes between two actions of a script
            guest.memory.write_u32(LOCK, tid)
            return 0
        return (yield futex(LOCK, operation, 0, time))

    def unlock(tid):
        if guest.memory.read_u32(LOCK) == tid:
            guest.memory.write_u32(LOCK, 0)
        else:
            assert (yield futex(LOCK, FUTEX_UNLOCK_PI)) == 0

    def thread(plan):
        def script(cpu):
            tid = yield call("gettid")
            for what in plan:
                if what == "yield":
                    yield call("sched_yield")
                    continue
                if what == "try":
                    result = yield from lock(tid, FUTEX_LOCK_PI2, guest.timespec(TIME, guest.clock.now + 1000))
                else:
                    result = yield from lock(tid)
                if result < 0:
                    assert result == -ETIMEDOUT or (result == -ESRCH and dead)
                    continue
                assert not inside, "two owners"
                assert guest.memory.read_u32(LOCK) & FUTEX_TID_MASK == tid
                inside.append(tid)
                yield sleep(guest) if what == "sleep" else call("sched_yield")
                inside.remove(tid)
                served.append(tid)
                if what == "die":
                    dead.append(tid)
                    yield call("exit", 0)
                yield from unlock(tid)
            yield call("exit", 0)

        return script

    def main(cpu):
        for index, plan in enumerate(plans):
            yield call("clone", THREAD, DATA + 0x4000 + index * 0x400, child=thread(plan))
        for _ in range(40):
            yield sleep(guest)

    assert exit_code(guest.run(main)) == 0
    assert clean(guest)
    if not dead:
        assert len(served) >= sum(what not in ("yield", "try") for plan in plans for what in plan)


def test_heirs_come_by_priority_then_by_arrival():
    guest = Guest()
    policies = [(SCHED_NORMAL, 0), (SCHED_FIFO, 10), (SCHED_NORMAL, 0), (SCHED_FIFO, 50), (SCHED_RR, 10)]

    def waiter(index, policy, priority, use):
        def script(cpu):
            guest.memory.write(DATA + 0x200 + 8 * index, pack("<i", priority))
            assert (yield call("sched_setscheduler", 0, policy, DATA + 0x200 + 8 * index)) == 0
            assert (yield use) == 0
            guest.log.append(index)
            if use.arguments[1] != FUTEX_WAIT:
                assert (yield futex(LOCK, FUTEX_UNLOCK_PI)) == 0
            yield call("exit", 0)

        return script

    def main(cpu):
        tid = yield call("gettid")
        requeued = futex(CONDITION, FUTEX_WAIT_REQUEUE_PI, 0, 0, LOCK)
        uses = (futex(LOCK, FUTEX_LOCK_PI), requeued, futex(CONDITION, FUTEX_WAIT))
        for use in uses:
            guest.memory.write_u32(LOCK, tid)
            for index, (policy, priority) in enumerate(policies):
                stack = DATA + 0x4000 + index * 0x400
                yield call("clone", THREAD, stack, child=waiter(index, policy, priority, use))
                yield sleep(guest)
            if use is requeued:
                assert (yield futex(CONDITION, FUTEX_CMP_REQUEUE_PI, 1, 9, LOCK, 0)) == 5
            if use is uses[2]:
                for _ in policies:
                    assert (yield futex(CONDITION, FUTEX_WAKE, 1)) == 1
                    yield sleep(guest)
            else:
                assert (yield futex(LOCK, FUTEX_UNLOCK_PI)) == 0
            yield sleep(guest)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == [3, 1, 4, 0, 2] * 3
    assert clean(guest)


@pytest.mark.parametrize("owner_is_robust", [False, True])
@pytest.mark.parametrize("end", ["exits", "killed", "executes"])
def test_a_dead_owner_leaves_the_lock_to_its_heir(end, owner_is_robust):
    guest = Guest()
    head, entry = SHARED + 0x100, LOCK - 16

    def owner(cpu):
        tid = yield call("gettid")
        guest.memory.write_u32(LOCK, tid)
        if owner_is_robust:
            guest.memory.write(head, pack("<QqQ", 0, 16, entry | 1))
            guest.memory.write(head, pack("<Q", head))
            assert (yield call("set_robust_list", head, 24)) == 0
        yield sleep(guest, 2)
        if end == "killed":
            yield call("kill", tid, SIGKILL)

    def heir(cpu):
        tid = yield call("gettid")
        assert (yield futex(LOCK, FUTEX_LOCK_PI)) == 0
        guest.log.append(guest.memory.read_u32(LOCK) == tid | FUTEX_WAITERS | FUTEX_OWNER_DIED)
        assert (yield futex(LOCK, FUTEX_UNLOCK_PI)) == 0

    def main(cpu):
        yield call("fork", child=owner)
        yield call("sched_yield")
        yield call("fork", child=heir)
        yield call("fork", child=heir)
        for _ in range(3):
            yield call("wait4", -1, 0, 0, 0)
        assert guest.memory.read_u32(LOCK) == 0

    assert exit_code(guest.run(main)) == 0
    assert guest.log == [True, False]
    assert clean(guest)


def test_signals_never_end_the_wait_for_a_lock(guest):
    def handler(cpu):
        guest.log.append("handler")
        yield call("getpid")

    def child(cpu):
        yield from guest.handle(SIGUSR1, handler)  # without SA_RESTART
        guest.log.append((yield futex(LOCK, FUTEX_LOCK_PI)))
        guest.log.append((yield futex(CONDITION, FUTEX_WAIT)))

    def main(cpu):
        guest.memory.write_u32(LOCK, (yield call("gettid")))
        pid = yield call("fork", child=child)
        for _ in range(3):
            yield sleep(guest)
            yield call("kill", pid, SIGUSR1)
        yield sleep(guest)
        assert (yield futex(LOCK, FUTEX_UNLOCK_PI)) == 0
        yield sleep(guest)
        yield call("kill", pid, SIGUSR1)
        yield call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["handler"] * 3 + [0, "handler", -EINTR]


def test_an_heir_whose_word_is_gone_owns_the_lock_all_the_same(guest):
    """Its call fails, but nothing waits for a dead owner afterwards."""

    def owner(cpu):
        guest.memory.write_u32(LOCK, (yield call("gettid")))
        yield sleep(guest, 3)

    def heir(cpu):
        assert (yield call("clone", THREAD, DATA + 0x4000, child=unmapper)) > 0
        assert (yield futex(LOCK, FUTEX_LOCK_PI)) == -EFAULT
        guest.log.append("EFAULT")

    def unmapper(cpu):
        yield sleep(guest, 1)
        assert (yield call("munmap", SHARED, 0x1000)) == 0
        yield call("exit", 0)

    def main(cpu):
        yield call("fork", child=owner)
        yield call("sched_yield")
        yield call("fork", child=heir)
        yield call("wait4", -1, 0, 0, 0)
        yield call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["EFAULT"]
    assert clean(guest)


def test_owners_that_cannot_be(guest):
    def main(cpu):
        tid = yield call("gettid")
        for word, error in ((tid, EDEADLK), (1, EPERM), (999, ESRCH)):
            guest.memory.write_u32(LOCK, word)
            assert (yield futex(LOCK, FUTEX_LOCK_PI)) == -error

    assert exit_code(guest.run(main)) == 0
    assert clean(guest)
