"""Scheduling policies, processors.  man 2 sched_setscheduler, sched_setattr, sched_setaffinity, man 7 sched

`lbw.kernel.scheduling` says what is valid and who may, `lbw.kernel.policies` what it does. There is one processor.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi import sched
from lbw.abi.capability import CAP_SYS_NICE
from lbw.abi.errno import E2BIG, EFAULT, EINVAL, EPERM, LinuxError
from lbw.abi.sched import (
    SCHED_ATTR_SIZE_VER0,
    SCHED_ATTR_SIZE_VER1,
    SCHED_FLAG_KEEP_PARAMS,
    SCHED_FLAG_KEEP_POLICY,
    SCHED_FLAG_RESET_ON_FORK,
    SCHED_FLAG_UTIL_CLAMP,
    SCHED_NORMAL,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from lbw.kernel.policies import FAIR, ORDINARY, POLICIES, REAL_TIME, Scheduling
from lbw.kernel.scheduling import KEEP_POLICY, change, owned_by
from lbw.kernel.threads import thread_or_self
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits
from lbw.syscalls.parameters import Choice, Hex, In, Out, Parameter, Pid, Size, UInt, signed
from lbw.syscalls.structures import PAGE, read_extensible
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

POLICY_NAMES = {SCHED_NORMAL: "SCHED_OTHER"} | named(sched, "SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_DEADLINE")
ATTRIBUTE_FLAGS = named(
    sched,
    "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS"
    " SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX",
)
#: Bytes of the kernel's own set of processors.
CPU_MASK_SIZE = 8
#: struct sched_param
PARAM = Struct("<i")
#: struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period, util_min, util_max
ATTRIBUTES = Struct("<IIQiIQQQII")
#: ns that a thread of SCHED_RR, and any other that is not SCHED_FIFO, runs before others have their turn.
ROUND_ROBIN_SLICE, SLICE = 100_000_000, 10_000_000
KEPT = "real-time and deadline threads get most of the processor, but do not interrupt others"


class Policy(Parameter):
    """A scheduling policy, with SCHED_RESET_ON_FORK."""

    __slots__ = ()
    conversion = "(({} & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000"

    def show(self, task: Task, raw: int, result: int) -> str:
        policy = signed(raw, 32)
        name = POLICY_NAMES.get(policy & ~SCHED_RESET_ON_FORK, str(policy & ~SCHED_RESET_ON_FORK))
        return name + ("|SCHED_RESET_ON_FORK" if policy & SCHED_RESET_ON_FORK else "")


def show_param(task: Task, address: int) -> str:
    """Return a struct sched_param."""
    return f"[{task.memory.load(address, PARAM)[0]}]"


def show_attributes(task: Task, address: int) -> str:
    """Return a struct sched_attr, as far as all versions have it."""
    data = task.memory.read(address, SCHED_ATTR_SIZE_VER0).ljust(ATTRIBUTES.size, b"\0")
    size, policy, flags, nice, priority, runtime, deadline, period, _, _ = ATTRIBUTES.unpack(data)
    return (
        f"{{size={size}, sched_policy={POLICY_NAMES.get(policy, policy)}, sched_flags="
        f"{show_bits(flags, ATTRIBUTE_FLAGS)}, sched_nice={nice}, sched_priority={priority},"
        f" sched_runtime={runtime}, sched_deadline={deadline}, sched_period={period}}}"
    )


def thread_of(task: Task, pid: int) -> Task:
    """Return the thread `pid`, 0 for the caller.  EINVAL: negative; ESRCH"""
    if pid < 0:
        raise LinuxError(EINVAL)
    return thread_or_self(task, pid)


def scheduling_of(task: Task, pid: int) -> Scheduling:
    """Return the parameters of the thread `pid`, 0 for the caller; process 1 has no thread.  EINVAL: negative; ESRCH"""
    return ORDINARY if pid == task.kernel.init.pid else thread_of(task, pid).scheduling


@syscall("sched_getscheduler", Pid("pid"))
def sched_getscheduler(task: Task, pid: int) -> int:
    """Return the scheduling policy of a thread.  man 2 sched_setscheduler: EINVAL, ESRCH"""
    scheduling = scheduling_of(task, pid)
    return scheduling.policy | (SCHED_RESET_ON_FORK if scheduling.reset_on_fork else 0)


@syscall("sched_setscheduler", Pid("pid"), Policy("policy"), InStruct("param", show_param), support=PARTIAL, note=KEPT)
def sched_setscheduler(task: Task, pid: int, policy: int, param: int) -> int:
    """Set the scheduling policy.  man 2 sched_setscheduler: EINVAL, ESRCH, EPERM"""
    if policy < 0:
        raise LinuxError(EINVAL)
    return set_parameters(task, pid, policy, param)


@syscall("sched_setparam", Pid("pid"), InStruct("param", show_param), support=PARTIAL, note=KEPT)
def sched_setparam(task: Task, pid: int, param: int) -> int:
    """Set the static priority.  man 2 sched_setparam: EINVAL, ESRCH, EPERM"""
    return set_parameters(task, pid, KEEP_POLICY, param)


def set_parameters(task: Task, pid: int, policy: int, param: int) -> int:
    """Set a static priority, and with it a policy unless that is KEEP_POLICY.  EFAULT, EINVAL, EPERM, ESRCH"""
    if not param or pid < 0:
        raise LinuxError(EINVAL)
    (priority,) = task.memory.load(param, PARAM)
    target = thread_of(task, pid)
    flags = 0
    if policy != KEEP_POLICY and policy & SCHED_RESET_ON_FORK:
        flags, policy = SCHED_FLAG_RESET_ON_FORK, policy & ~SCHED_RESET_ON_FORK
    change(task, target, policy, flags, target.scheduling.nice, priority & 0xFFFF_FFFF)
    return 0


@syscall("sched_getparam", Pid("pid"), OutStruct("param", show_param))
def sched_getparam(task: Task, pid: int, param: int) -> int:
    """Store the static priority, which is 0 for all policies that are not real-time.  man 2 sched_getparam: EINVAL"""
    if not param:
        raise LinuxError(EINVAL)
    task.memory.store(param, PARAM, scheduling_of(task, pid).priority)
    return 0


@syscall(
    "sched_setattr", Pid("pid"), InStruct("attr", show_attributes), Hex("flags"), support=PARTIAL, note=KEPT
)  # fmt: skip
def sched_setattr(task: Task, pid: int, attr: int, flags: int) -> int:
    """Set policy and all parameters.  man 2 sched_setattr: EINVAL, E2BIG, EPERM, ESRCH, EBUSY: no bandwidth left"""
    if not attr or pid < 0 or flags & 0xFFFF_FFFF:
        raise LinuxError(EINVAL)
    size = task.memory.read_u32(attr) or SCHED_ATTR_SIZE_VER0
    try:
        if size < SCHED_ATTR_SIZE_VER0:
            raise LinuxError(E2BIG)
        data = read_extensible(task, attr, size, SCHED_ATTR_SIZE_VER0, ATTRIBUTES.size)
    except LinuxError as error:
        if error.errno == E2BIG:
            task.memory.write_u32(attr, ATTRIBUTES.size)
        raise
    _, policy, wanted, nice, priority, runtime, deadline, period, _, _ = ATTRIBUTES.unpack(data)
    if (wanted & SCHED_FLAG_UTIL_CLAMP and size < SCHED_ATTR_SIZE_VER1) or policy >> 31:
        raise LinuxError(EINVAL)
    if wanted & SCHED_FLAG_KEEP_POLICY:
        policy = KEEP_POLICY
    target = thread_of(task, pid)
    nice = min(max(nice, -20), 19)
    if wanted & SCHED_FLAG_KEEP_PARAMS:
        now = target.scheduling
        nice, priority, runtime, deadline, period = now.nice, now.priority, now.runtime, now.deadline, now.period
    change(task, target, policy, wanted, nice, priority, runtime, deadline, period)
    return 0


@syscall("sched_getattr", Pid("pid"), OutStruct("attr", show_attributes), UInt("size"), Hex("flags"))
def sched_getattr(task: Task, pid: int, attr: int, size: int, flags: int) -> int:
    """Store policy and all parameters, at most `size` bytes of them.  man 2 sched_getattr: EINVAL, ESRCH"""
    if not attr or pid < 0 or not SCHED_ATTR_SIZE_VER0 <= size <= PAGE or flags & 0xFFFF_FFFF:
        raise LinuxError(EINVAL)
    now = scheduling_of(task, pid)
    stored = min(size, ATTRIBUTES.size)
    data = ATTRIBUTES.pack(
        stored, now.policy, SCHED_FLAG_RESET_ON_FORK if now.reset_on_fork else 0,
        now.nice if now.policy in FAIR else 0, now.priority, now.runtime, now.deadline, now.period, 0, 0,
    )  # fmt: skip
    task.memory.write(attr, data[:stored])
    return 0


@syscall("sched_get_priority_max", Choice("policy", POLICY_NAMES))
def sched_get_priority_max(task: Task, policy: int) -> int:
    """Return the highest static priority of a policy.  man 2 sched_get_priority_max: EINVAL"""
    if policy not in POLICIES:
        raise LinuxError(EINVAL)
    return 99 if policy in REAL_TIME else 0


@syscall("sched_get_priority_min", Choice("policy", POLICY_NAMES))
def sched_get_priority_min(task: Task, policy: int) -> int:
    """Return the lowest static priority of a policy.  man 2 sched_get_priority_min: EINVAL"""
    if policy not in POLICIES:
        raise LinuxError(EINVAL)
    return 1 if policy in REAL_TIME else 0


def time_slice(task: Task, pid: int) -> int:
    """Return how long a thread runs at a time, ns; 0: as long as it likes.  EINVAL, ESRCH"""
    policy = scheduling_of(task, pid).policy
    if policy == SCHED_RR:
        return ROUND_ROBIN_SLICE
    return SLICE if policy in FAIR else 0


@syscall("sched_rr_get_interval", Pid("pid"), Out("tp"))
def sched_rr_get_interval(task: Task, pid: int, tp: int) -> int:
    """Store the time slice of a thread.  man 2 sched_rr_get_interval: EINVAL, ESRCH"""
    task.memory.store(tp, task.abi.timespec, *divmod(time_slice(task, pid), 10**9))
    return 0


@syscall("sched_getaffinity", Pid("pid"), Size("cpusetsize"), Out("mask"))
def sched_getaffinity(task: Task, pid: int, size: int, mask: int) -> int:
    """Store the set of processors, which has one member; return its size in bytes.

    man 2 sched_getaffinity: EINVAL, ESRCH
    """
    size &= 0xFFFFFFFF
    if not size or size % task.abi.word:
        raise LinuxError(EINVAL)
    if pid != task.kernel.init.pid:
        thread_or_self(task, pid)
    stored = min(size, CPU_MASK_SIZE)
    task.memory.write(mask, (1).to_bytes(stored, "little"))
    return stored


@syscall("sched_setaffinity", Pid("pid"), Size("cpusetsize"), In("mask"))
def sched_setaffinity(task: Task, pid: int, size: int, mask: int) -> int:
    """Choose processors; the only one must be among them.  man 2 sched_setaffinity: EINVAL, EPERM, ESRCH"""
    length = min(size & 0xFFFFFFFF, CPU_MASK_SIZE)
    chosen = task.memory.read(mask, length) if length else b""
    if len(chosen) < length:
        raise LinuxError(EFAULT)
    if not owned_by(thread_or_self(task, pid), task.credentials) and not task.credentials.capable(CAP_SYS_NICE):
        raise LinuxError(EPERM)
    if not chosen or not chosen[0] & 1:
        raise LinuxError(EINVAL)
    return 0
