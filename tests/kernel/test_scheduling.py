"""Scheduling parameters that the machine of the tests may not have rights for: limits, deadlines, inheritance."""

from __future__ import annotations

from struct import Struct

from kernel_harness import DATA, exit_code

from lbw.abi.errno import EACCES, EAGAIN, EBUSY, EINVAL, EOPNOTSUPP, EPERM
from lbw.abi.resource import PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE, RLIMIT_RTPRIO
from lbw.abi.sched import (
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
    SCHED_BATCH,
    SCHED_DEADLINE,
    SCHED_FIFO,
    SCHED_FLAG_RESET_ON_FORK,
    SCHED_FLAG_UTIL_CLAMP_MIN,
    SCHED_IDLE,
    SCHED_NORMAL,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from lbw.cpu.scripted import Call
from lbw.kernel.policies import IDLE_RATE, RATES, URGENT_RATE

ATTRIBUTES = Struct("<IIQiIQQQII")
PLACE = DATA + 0x100
MILLISECOND = 1_000_000


def set_attributes(guest, policy, flags=0, nice=0, priority=0, times=(0, 0, 0), size=56):
    guest.memory.write(PLACE, ATTRIBUTES.pack(size, policy, flags, nice, priority, *times, 0, 0))
    return Call("sched_setattr", 0, PLACE, 0)


def set_policy(guest, policy, priority=0, pid=0):
    guest.memory.write_u32(PLACE, priority)
    return Call("sched_setscheduler", pid, policy, PLACE)


def idle(cpu):
    yield Call("pause")


def test_root_may_have_any_policy_and_it_tells_the_scheduler(guest):
    def main(cpu):
        task = guest.kernel.current
        for policy, priority, rate in (
            (SCHED_FIFO, 99, URGENT_RATE), (SCHED_RR, 1, URGENT_RATE), (SCHED_IDLE, 0, IDLE_RATE), (SCHED_BATCH, 0, 1.0)
        ):  # fmt: skip
            assert (yield set_policy(guest, policy, priority)) == 0
            assert (yield Call("sched_getscheduler", 0)) == policy
            assert (yield Call("sched_getparam", 0, PLACE)) == 0
            assert guest.memory.read_u32(PLACE) == priority
            assert task.rate == rate
        assert (yield Call("setpriority", PRIO_PROCESS, 0, -3)) == 0
        assert task.rate == RATES[17]
        guest.memory.write_u32(PLACE, 7)
        assert (yield Call("sched_setparam", 0, PLACE)) == -EINVAL
        assert (yield set_policy(guest, SCHED_FIFO, 5)) == 0
        guest.memory.write_u32(PLACE, 7)
        assert (yield Call("sched_setparam", 0, PLACE)) == 0
        assert task.scheduling.priority == 7
        assert (yield Call("sched_rr_get_interval", 0, PLACE)) == 0
        assert guest.memory.read(PLACE, 16) == bytes(16)
        assert (yield set_policy(guest, SCHED_RR, 5)) == 0
        assert (yield Call("sched_rr_get_interval", 0, PLACE)) == 0
        assert guest.read_timespec(PLACE) == 100 * MILLISECOND

    exit_code(guest.run(main))


def test_children_inherit_unless_that_was_to_be_reset(guest):
    def main(cpu):
        tasks = guest.kernel.tasks
        yield set_policy(guest, SCHED_FIFO, 5)
        assert tasks[(yield Call("fork", child=idle))].scheduling.priority == 5
        yield set_policy(guest, SCHED_FIFO | SCHED_RESET_ON_FORK, 5)
        child = tasks[(yield Call("fork", child=idle))].scheduling
        assert (child.policy, child.nice, child.priority, child.reset_on_fork) == (SCHED_NORMAL, 0, 0, False)
        assert (yield set_attributes(guest, SCHED_BATCH, SCHED_FLAG_RESET_ON_FORK, nice=-4)) == 0
        child = tasks[(yield Call("fork", child=idle))].scheduling
        assert (child.policy, child.nice) == (SCHED_BATCH, 0)
        assert (yield set_attributes(guest, SCHED_BATCH, SCHED_FLAG_RESET_ON_FORK, nice=4)) == 0
        assert tasks[(yield Call("fork", child=idle))].scheduling.nice == 4

    exit_code(guest.run(main))


def test_deadlines_share_the_processor(guest):
    def other(cpu):
        assert (yield set_attributes(guest, SCHED_DEADLINE, times=(40 * MILLISECOND, 100 * MILLISECOND, 0))) == -EBUSY
        assert (yield set_attributes(guest, SCHED_DEADLINE, times=(30 * MILLISECOND, 100 * MILLISECOND, 0))) == 0

    def main(cpu):
        for times in ((60, 50, 100), (60, 110, 100), (0, 10, 10), (10, 0, 10), (1, 5000, 0)):
            scaled = tuple(time * MILLISECOND for time in times)
            assert (yield set_attributes(guest, SCHED_DEADLINE, times=scaled)) == -EINVAL
        reset = SCHED_FLAG_RESET_ON_FORK
        assert (yield set_attributes(guest, SCHED_DEADLINE, times=(99 * MILLISECOND, 100 * MILLISECOND, 0))) == -EBUSY
        assert (yield set_attributes(guest, SCHED_DEADLINE, times=(60 * MILLISECOND, 100 * MILLISECOND, 0))) == 0
        assert (yield Call("fork", child=idle)) == -EAGAIN
        assert (yield set_attributes(guest, SCHED_DEADLINE, reset, times=(60 * MILLISECOND, 100 * MILLISECOND, 0))) == 0
        assert (yield Call("sched_getattr", 0, PLACE, 48, 0)) == 0
        size, policy, flags, nice, priority, runtime, deadline, period = Struct("<IIQiIQQQ").unpack(
            guest.memory.read(PLACE, 48)
        )
        assert (size, policy, flags, nice, priority) == (48, SCHED_DEADLINE, reset, 0, 0)
        assert (runtime, deadline, period) == (60 * MILLISECOND, 100 * MILLISECOND, 100 * MILLISECOND)
        pid = yield Call("fork", child=other)
        assert (yield Call("wait4", pid, PLACE, 0, 0)) == pid
        assert guest.memory.read_u32(PLACE) == 0

    exit_code(guest.run(main))


def test_a_user_has_the_rights_that_limits_give(guest):
    def main(cpu):
        assert (yield set_policy(guest, SCHED_FIFO, 1)) == -EPERM
        assert (yield Call("setpriority", PRIO_PROCESS, 0, 10)) == 0
        assert (yield Call("setpriority", PRIO_PROCESS, 0, 9)) == -EACCES
        assert (yield set_attributes(guest, SCHED_DEADLINE, times=(10 * MILLISECOND, 100 * MILLISECOND, 0))) == -EPERM
        assert (yield set_policy(guest, SCHED_IDLE)) == 0
        assert (yield set_policy(guest, SCHED_NORMAL)) == -EPERM
        limits = guest.kernel.current.process.limits
        limits.set(RLIMIT_NICE, 15, 15, True)
        assert (yield set_policy(guest, SCHED_NORMAL)) == 0
        assert (yield Call("setpriority", PRIO_PROCESS, 0, 5)) == 0
        assert (yield Call("setpriority", PRIO_PROCESS, 0, 4)) == -EACCES
        limits.set(RLIMIT_RTPRIO, 10, 10, True)
        assert (yield set_policy(guest, SCHED_RR, 11)) == -EPERM
        assert (yield set_policy(guest, SCHED_RR | SCHED_RESET_ON_FORK, 10)) == 0
        assert (yield set_policy(guest, SCHED_RR, 10)) == -EPERM
        assert (yield set_attributes(guest, SCHED_NORMAL, SCHED_FLAG_UTIL_CLAMP_MIN)) == -EPERM
        wanted = SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_RESET_ON_FORK
        assert (yield set_attributes(guest, SCHED_NORMAL, wanted, nice=5)) == -EOPNOTSUPP

    exit_code(guest.run(main, uid=1000))


def test_nice_values_of_threads_groups_and_users(guest):
    def main(cpu):
        flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD
        thread = yield Call("clone", flags, DATA + 0x8000, child=idle)
        assert (yield Call("setpriority", PRIO_PROCESS, thread, 3)) == 0
        assert (yield Call("getpriority", PRIO_PROCESS, 0)) == 20
        assert (yield Call("getpriority", PRIO_PROCESS, thread)) == 17
        assert (yield Call("setpriority", PRIO_PGRP, 0, 5)) == 0
        assert (yield Call("getpriority", PRIO_PROCESS, 0)) == 15
        assert (yield Call("setpriority", PRIO_PROCESS, thread, 2)) == 0
        assert (yield Call("getpriority", PRIO_USER, 0)) == 18
        assert (yield Call("ioprio_set", 1, thread, 2 << 13 | 3)) == 0
        assert (yield Call("ioprio_set", 1, thread, 2 << 13 | 8)) == -EINVAL
        assert (yield Call("ioprio_get", 1, 0)) == 0
        assert (yield Call("ioprio_get", 2, 0)) == 2 << 13 | 3
        assert (yield Call("ioprio_set", 1, 0, 1 << 13 | 2)) == 0
        assert (yield Call("ioprio_get", 3, 0)) == 1 << 13 | 2

    exit_code(guest.run(main))
