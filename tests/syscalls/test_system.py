"""Limits, priorities, clocks, names of the system, prctl."""

from __future__ import annotations

from struct import pack, unpack

import pytest
from desk import PAPER, SIZE, Desk
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_THREAD_CPUTIME_ID,
)  # fmt: skip
from lbw.abi.errno import EACCES, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH
from lbw.abi.fs import GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM
from lbw.abi.prctl import (
    ARCH_GET_FS,
    ARCH_GET_GS,
    ARCH_SET_FS,
    ARCH_SET_GS,
    PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE,
    PR_GET_NAME,
    PR_GET_NO_NEW_PRIVS,
    PR_GET_PDEATHSIG,
    PR_GET_TID_ADDRESS,
    PR_GET_TIMERSLACK,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_TIMERSLACK,
)  # fmt: skip
from lbw.abi.resource import (
    PRIO_PGRP,
    PRIO_PROCESS,
    PRIO_USER,
    RLIM_INFINITY,
    RLIMIT_AS,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_STACK,
    RUSAGE_CHILDREN,
    RUSAGE_SELF,
    RUSAGE_THREAD,
)  # fmt: skip
from lbw.abi.sched import SCHED_BATCH, SCHED_FIFO, SCHED_NORMAL
from lbw.abi.x86_64 import X86_64
from lbw.syscalls import clock, limits, prctl, priority, rseq, sched, system

assert clock and limits and prctl and priority and rseq and sched and system


@pytest.fixture
def desk() -> Desk:
    return Desk()


# Limits


def prlimit(desk, resource, new=None, pid=0, task=None):
    if new is not None:
        desk.memory.write(PAPER, pack("<QQ", *new))
    result = desk.call("prlimit64", pid, resource, PAPER if new else 0, PAPER + 16, task=task)
    return result or unpack("<QQ", desk.memory.read(PAPER + 16, 16))


def test_limits_of_a_login(desk):
    assert prlimit(desk, RLIMIT_NOFILE) == (1024, 1048576)
    assert prlimit(desk, RLIMIT_STACK) == (8 << 20, RLIM_INFINITY)
    assert prlimit(desk, 16) == -EINVAL
    assert desk.call("getrlimit", -1, PAPER) == -EINVAL
    assert desk.call("getrlimit", RLIMIT_NOFILE, 0) == -EFAULT


def test_limits_reach_who_enforces_them(desk):
    assert prlimit(desk, RLIMIT_NOFILE, (64, 128)) == (1024, 1048576)
    assert desk.task.files.limit == 64
    desk.memory.write(PAPER, pack("<QQ", 1 << 30, 1 << 31))
    assert desk.call("setrlimit", RLIMIT_AS, PAPER) == 0
    assert desk.memory.size_limit == 1 << 30
    assert desk.call("getrlimit", RLIMIT_AS, PAPER + 32) == 0
    assert unpack("<QQ", desk.memory.read(PAPER + 32, 16)) == (1 << 30, 1 << 31)


def test_raising_limits(desk):
    assert prlimit(desk, RLIMIT_NOFILE, (65, 64)) == -EINVAL
    assert prlimit(desk, RLIMIT_NOFILE, (1, 1048577)) == -EPERM
    desk.become(10)
    assert prlimit(desk, RLIMIT_NOFILE, (1048576, 1048576)) == (1024, 1048576)
    assert prlimit(desk, RLIMIT_NOFILE, (64, 64))
    assert prlimit(desk, RLIMIT_NOFILE, (64, 65)) == -EPERM


def test_limits_of_others(desk):
    other = desk.add(200, 10)
    assert prlimit(desk, RLIMIT_NOFILE, (5, 5), pid=200) == (1024, 1048576)
    assert other.files.limit == 5
    assert desk.task.files.limit == 1024
    assert prlimit(desk, RLIMIT_NOFILE, pid=999) == -ESRCH
    desk.become(10)
    assert prlimit(desk, RLIMIT_NOFILE, pid=200) == (5, 5)
    desk.become(11)
    assert prlimit(desk, RLIMIT_NOFILE, pid=200) == -EPERM


def test_usage(desk):
    desk.task.user_time, desk.task.system_time = 2_500_000_000, 1_000_000
    desk.task.process.child_usage.user_time = 7_000_000_000
    for who, seconds in ((RUSAGE_SELF, 2), (RUSAGE_CHILDREN, 7), (RUSAGE_THREAD, 2)):
        assert desk.call("getrusage", who, PAPER) == 0
        usage = X86_64.rusage.unpack(desk.memory.read(PAPER, X86_64.rusage.size))
        assert usage[0] == seconds
        if who == RUSAGE_SELF:
            assert (usage[4], usage[8], usage[9]) == (16, 3, 2)  # kB at most, minor faults, major ones
    assert desk.call("getrusage", 7, PAPER) == -EINVAL
    assert desk.call("times", PAPER) == (desk.kernel.clock.now - desk.kernel.clock.boot) // 10_000_000
    assert unpack("<4q", desk.memory.read(PAPER, 32)) == (250, 0, 700, 0)


# Priorities


def test_nice(desk):
    other = desk.add(200, 10, desk.task.process.group)
    assert desk.call("getpriority", PRIO_PROCESS, 0) == 20
    assert desk.call("setpriority", PRIO_PGRP, 0, 5) == 0
    assert (desk.task.scheduling.nice, other.scheduling.nice) == (5, 5)
    assert desk.call("setpriority", PRIO_USER, 10, 100) == 0
    assert other.scheduling.nice == 19
    assert desk.call("getpriority", PRIO_PGRP, 0) == 15
    assert desk.call("getpriority", PRIO_PROCESS, 999) == -ESRCH
    assert desk.call("getpriority", 3, 0) == -EINVAL


def test_nice_of_a_user(desk):
    desk.add(200, 11)
    desk.become(10)
    assert desk.call("setpriority", PRIO_PROCESS, 0, 5) == 0
    assert desk.call("setpriority", PRIO_PROCESS, 0, 4) == -EACCES
    assert desk.call("setpriority", PRIO_PROCESS, 200, 10) == -EPERM
    desk.task.process.limits.set(RLIMIT_NICE, 20, 20, True)
    assert desk.call("setpriority", PRIO_PROCESS, 0, 0) == 0
    assert desk.call("setpriority", PRIO_PROCESS, 0, -1) == -EACCES


def test_policies(desk):
    desk.memory.write(PAPER, pack("<ii", 0, 50))
    assert desk.call("sched_getscheduler", 0) == SCHED_NORMAL
    assert desk.call("sched_setscheduler", 0, SCHED_BATCH, PAPER) == 0
    assert desk.call("sched_getscheduler", 100) == SCHED_BATCH
    assert desk.call("sched_setscheduler", 0, SCHED_FIFO, PAPER) == -EINVAL
    assert desk.call("sched_setscheduler", 0, SCHED_FIFO, PAPER + 4) == 0
    assert desk.call("sched_setscheduler", 0, SCHED_NORMAL, PAPER) == 0
    assert desk.call("sched_setscheduler", 0, 99, PAPER) == -EINVAL
    assert desk.call("sched_getparam", 0, PAPER + 8) == 0
    assert desk.call("sched_setparam", 0, PAPER + 4) == -EINVAL
    assert desk.call("sched_getscheduler", -1) == -EINVAL
    assert desk.call("sched_getscheduler", 999) == -ESRCH
    assert [desk.call("sched_get_priority_max", policy) for policy in (0, 1, 4)] == [0, 99, -EINVAL]
    assert [desk.call("sched_get_priority_min", policy) for policy in (0, 1, 4)] == [0, 1, -EINVAL]


def test_one_processor(desk):
    assert desk.call("sched_getaffinity", 0, 128, PAPER) == 8
    assert desk.memory.read(PAPER, 8) == b"\1" + bytes(7)
    assert desk.call("sched_getaffinity", 0, 9, PAPER) == -EINVAL
    assert desk.call("sched_setaffinity", 0, 8, PAPER) == 0
    assert desk.call("sched_setaffinity", 0, 8, PAPER + 8) == -EINVAL
    assert desk.call("getcpu", PAPER, 0, 0) == 0
    assert desk.ints(1) == [0]


# Clocks


def clock_time(desk, number):
    result = desk.call("clock_gettime", number, PAPER)
    return result or unpack("<qq", desk.memory.read(PAPER, 16))


def test_clocks(desk):
    desk.task.user_time = 1_500_000_000
    assert clock_time(desk, CLOCK_REALTIME) == (1_700_000_000, 123_456_789)
    for number in (CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE):
        assert clock_time(desk, number) == (12, 345_678_901)
    for number in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, ~100 << 3 | 2, ~100 << 3 | 6):
        assert clock_time(desk, number) == (1, 500_000_000)
    assert clock_time(desk, 12) == -EINVAL
    assert clock_time(desk, ~999 << 3 | 2) == -EINVAL
    assert desk.call("clock_gettime", CLOCK_REALTIME, 0) == -EFAULT


def test_clock_resolution(desk):
    assert desk.call("clock_getres", CLOCK_MONOTONIC, PAPER) == 0
    assert unpack("<qq", desk.memory.read(PAPER, 16)) == (0, 1)
    assert desk.call("clock_getres", CLOCK_MONOTONIC, 0) == 0
    assert desk.call("clock_getres", 99, 0) == -EINVAL


def test_time_of_day(desk):
    assert desk.call("time", 0) == desk.call("time", PAPER) == 1_700_000_000
    assert desk.memory.read_pointer(PAPER) == 1_700_000_000
    assert desk.call("gettimeofday", PAPER, PAPER + 16) == 0
    assert unpack("<qqii", desk.memory.read(PAPER, 24)) == (1_700_000_000, 123_456, 0, 0)


def test_nobody_sets_clocks(desk):
    desk.memory.write(PAPER, pack("<qqqq", 1, 0, 1, 10**9))
    assert desk.call("clock_settime", CLOCK_REALTIME, PAPER) == -EPERM
    assert desk.call("clock_settime", CLOCK_REALTIME, PAPER + 16) == -EINVAL
    assert desk.call("clock_settime", CLOCK_MONOTONIC, PAPER) == -EINVAL
    assert desk.call("settimeofday", PAPER, 0) == -EPERM
    desk.memory.write(PAPER, bytes(208))
    assert desk.call("adjtimex", PAPER) == 5
    assert unpack("<q", desk.memory.read(PAPER + 72, 8)) == (1_700_000_000,)
    assert desk.call("clock_adjtime", CLOCK_MONOTONIC, PAPER) == -EOPNOTSUPP
    desk.memory.write(PAPER, pack("<I", 1))
    assert desk.call("adjtimex", PAPER) == -EPERM


# The system


def test_names(desk):
    desk.memory.write(PAPER, b"newname\0rest")
    assert desk.call("sethostname", PAPER, 7) == 0
    assert desk.call("setdomainname", PAPER, 10) == 0
    assert desk.call("uname", PAPER) == 0
    fields = [desk.memory.read(PAPER + 65 * i, 65).partition(b"\0")[0] for i in range(6)]
    assert fields[:2] == [b"Linux", b"newname"]
    assert fields[4:] == [b"x86_64", b"newname"]
    assert desk.call("sethostname", PAPER, 65) == -EINVAL
    assert desk.call("sethostname", PAPER, -1) == -EINVAL
    desk.become(10)
    assert desk.call("sethostname", PAPER, 3) == -EPERM


def test_sysinfo(desk):
    assert desk.call("sysinfo", PAPER) == 0
    fields = X86_64.sysinfo.unpack(desk.memory.read(PAPER, X86_64.sysinfo.size))
    assert fields[0] == 7
    assert fields[4:7] == (4_096_000, 2_457_600, 20_480)
    assert fields[10] == 1
    assert fields[-1] == 1


def test_randomness(desk):
    assert desk.call("getrandom", PAPER, 64, 0) == 64
    assert desk.memory.read(PAPER, 64) != bytes(64)
    assert desk.memory.read(PAPER + 64, 64) == bytes(64)
    assert desk.call("getrandom", PAPER + SIZE - 8, 64, GRND_NONBLOCK) == 8
    assert desk.call("getrandom", 0, 0, 0) == 0
    assert desk.call("getrandom", 0, 1, 0) == -EFAULT
    assert desk.call("getrandom", PAPER, 1, 8) == -EINVAL
    assert desk.call("getrandom", PAPER, 1, GRND_RANDOM | GRND_INSECURE) == -EINVAL


def test_small_ones(desk):
    assert desk.call("membarrier", 0, 0, 0) == 511
    assert desk.call("membarrier", 1, 0, 0) == 0
    assert desk.call("membarrier", 8, 0, 0) == -EPERM
    assert desk.call("membarrier", 16, 0, 0) == desk.call("membarrier", 8, 0, 0) == 0
    assert desk.call("membarrier", 512, 0, 0) == -EINVAL
    assert desk.call("syslog", 3, PAPER, 10) == -EPERM
    assert desk.call("syslog", 99, PAPER, 10) == -EINVAL
    assert desk.call("personality", 0xFFFFFFFF) == 0
    assert desk.call("personality", 0x40000) == 0
    assert desk.call("personality", 0xFFFFFFFF) == 0x40000


# prctl


def test_thread_name(desk):
    desk.memory.write(PAPER, b"a name that is too long\0")
    assert desk.call("prctl", PR_SET_NAME, PAPER) == 0
    assert desk.task.comm == desk.task.process.comm == b"a name that is "
    assert desk.call("prctl", PR_GET_NAME, PAPER + 32) == 0
    assert desk.memory.read(PAPER + 32, 16) == b"a name that is \0"
    assert desk.call("prctl", PR_SET_NAME, 0) == -EFAULT


def test_attributes(desk):
    assert desk.call("prctl", PR_SET_PDEATHSIG, 9) == 0
    assert desk.call("prctl", PR_SET_PDEATHSIG, 65) == -EINVAL
    assert desk.call("prctl", PR_GET_PDEATHSIG, PAPER) == 0
    assert desk.ints(1) == [9]
    assert desk.call("prctl", PR_SET_DUMPABLE, 2) == -EINVAL
    assert desk.call("prctl", PR_SET_DUMPABLE, 0) == 0
    assert desk.call("prctl", PR_GET_DUMPABLE) == 0
    assert desk.call("prctl", PR_SET_CHILD_SUBREAPER, 1) == 0
    assert desk.call("prctl", PR_GET_CHILD_SUBREAPER, PAPER) == 0
    assert desk.ints(1) == [1]
    assert desk.call("prctl", PR_SET_TIMERSLACK, 7) == 0
    assert desk.call("prctl", PR_GET_TIMERSLACK) == 7
    assert desk.call("prctl", PR_SET_TIMERSLACK, 0) == 0
    assert desk.call("prctl", PR_GET_TIMERSLACK) == 50_000
    desk.task.clear_child_tid = 0x1234
    assert desk.call("prctl", PR_GET_TID_ADDRESS, PAPER) == 0
    assert desk.memory.read_pointer(PAPER) == 0x1234
    assert desk.call("prctl", 12345) == -EINVAL


def test_no_new_privileges(desk):
    assert desk.call("prctl", PR_SET_NO_NEW_PRIVS, 0) == -EINVAL
    assert desk.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1) == -EINVAL
    assert desk.call("prctl", PR_GET_NO_NEW_PRIVS) == 0
    assert desk.call("prctl", PR_SET_NO_NEW_PRIVS, 1) == 0
    assert desk.call("prctl", PR_GET_NO_NEW_PRIVS) == 1
    assert desk.call("prctl", PR_GET_NO_NEW_PRIVS, 1) == -EINVAL


def test_segment_bases(desk):
    assert desk.call("arch_prctl", ARCH_SET_FS, 0x1234) == 0
    assert desk.call("arch_prctl", ARCH_SET_GS, 0x5678) == 0
    assert desk.call("arch_prctl", ARCH_GET_FS, PAPER) == desk.call("arch_prctl", ARCH_GET_GS, PAPER + 8) == 0
    assert unpack("<QQ", desk.memory.read(PAPER, 16)) == (0x1234, 0x5678)
    assert desk.call("arch_prctl", ARCH_SET_FS, 1 << 47) == -EPERM
    assert desk.call("arch_prctl", 0x3001, 0) == -EINVAL


@given(st.integers(0, 70), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_prctl_never_breaks(option, arg2, arg3):
    result = Desk().call("prctl", option, arg2, arg3)
    assert isinstance(result, int)
