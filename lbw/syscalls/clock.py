"""Reading clocks. Nobody can set them: they are the host's.  man 2 clock_gettime, gettimeofday, time, adjtimex"""

from __future__ import annotations

from struct import Struct

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
)
from lbw.abi.errno import EINVAL, EOPNOTSUPP, EPERM, LinuxError
from lbw.kernel.cpu_clocks import read_clock
from lbw.syscalls.displays import OutTimespec, Timespec
from lbw.syscalls.parameters import Choice, Out, Pointer
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SECOND = 1_000_000_000
CLOCKS = {
    CLOCK_REALTIME: "CLOCK_REALTIME", CLOCK_MONOTONIC: "CLOCK_MONOTONIC",
    CLOCK_PROCESS_CPUTIME_ID: "CLOCK_PROCESS_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID: "CLOCK_THREAD_CPUTIME_ID",
    CLOCK_MONOTONIC_RAW: "CLOCK_MONOTONIC_RAW", CLOCK_REALTIME_COARSE: "CLOCK_REALTIME_COARSE",
    CLOCK_MONOTONIC_COARSE: "CLOCK_MONOTONIC_COARSE", CLOCK_BOOTTIME: "CLOCK_BOOTTIME",
    CLOCK_REALTIME_ALARM: "CLOCK_REALTIME_ALARM", CLOCK_BOOTTIME_ALARM: "CLOCK_BOOTTIME_ALARM",
    CLOCK_TAI: "CLOCK_TAI",
}  # fmt: skip
#: Clocks that move at each tick (250 a second) in Linux, and say so; here they are as fine as the others.
COARSE = (CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE)
COARSE_RESOLUTION = 4_000_000
SETTABLE = (CLOCK_REALTIME,)
#: struct timezone
TIMEZONE = Struct("<ii")
#: struct timex of a 64-bit ABI: modes, offset, freq, maxerror, esterror, status, constant, precision, tolerance, time s
#: and us, tick, then ppsfreq, jitter, shift, stabil, jitcnt, calcnt, errcnt, stbcnt and tai.
TIMEX = Struct("<I4xqqqqi4xqqqqqqqqi4xqqqqqi44x")
TIME_ERROR, STA_UNSYNC = 5, 0x40


@syscall("clock_gettime", Choice("clockid", CLOCKS), OutTimespec("tp"))
def clock_gettime(task: Task, clockid: int, tp: int, layout: Struct | None = None) -> int:
    """Store the time of a clock.  man 2 clock_gettime: EINVAL"""
    now = read_clock(task, clockid)
    task.memory.store(tp, layout or task.abi.timespec, now // SECOND, now % SECOND)
    return 0


@syscall("clock_getres", Choice("clockid", CLOCKS), OutTimespec("res"))
def clock_getres(task: Task, clockid: int, res: int, layout: Struct | None = None) -> int:
    """Store the resolution of a clock.  man 2 clock_getres: EINVAL"""
    read_clock(task, clockid)
    if res:
        resolution = COARSE_RESOLUTION if clockid in COARSE else 1
        task.memory.store(res, layout or task.abi.timespec, 0, resolution)
    return 0


@syscall("clock_settime", Choice("clockid", CLOCKS), Timespec("tp"))
def clock_settime(task: Task, clockid: int, tp: int, layout: Struct | None = None) -> int:
    """Refuse to set a clock.  man 2 clock_settime: EINVAL, EPERM"""
    if clockid not in SETTABLE and clockid >= 0:
        raise LinuxError(EINVAL)
    seconds, nanoseconds = task.memory.load(tp, layout or task.abi.timespec)
    if seconds < 0 or not 0 <= nanoseconds < SECOND:
        raise LinuxError(EINVAL)
    raise LinuxError(EPERM)


@syscall("gettimeofday", OutTimespec("tv", micro=True), Out("tz"))
def gettimeofday(task: Task, tv: int, tz: int) -> int:
    """Store the time, and the kernel's time zone, which is always UTC.  man 2 gettimeofday"""
    if tv:
        now = task.kernel.clock.read(CLOCK_REALTIME)
        task.memory.store(tv, task.abi.timeval, now // SECOND, now % SECOND // 1000)
    if tz:
        task.memory.store(tz, TIMEZONE, 0, 0)
    return 0


@syscall("settimeofday", Timespec("tv", micro=True), Pointer("tz"))
def settimeofday(task: Task, tv: int, tz: int) -> int:
    """Refuse to set the time.  man 2 settimeofday: EINVAL, EPERM"""
    if tv:
        seconds, microseconds = task.memory.load(tv, task.abi.timeval)
        if seconds < 0 or not 0 <= microseconds < 1_000_000:
            raise LinuxError(EINVAL)
    raise LinuxError(EPERM)


@syscall("time", Out("tloc"))
def time(task: Task, tloc: int) -> int:
    """Return, and store, the seconds since the epoch.  man 2 time"""
    now = task.kernel.clock.read(CLOCK_REALTIME) // SECOND
    if tloc:
        task.memory.store(tloc, task.abi.pointer, now)
    return now


@syscall("adjtimex", Pointer("buf"), support=PARTIAL, note="tells only; adjusting is EPERM")
def adjtimex(task: Task, buf: int, layout: Struct = TIMEX) -> int:
    """Tell that the clock is not synchronised by us.  man 2 adjtimex: EPERM"""
    return tell_adjustment(task, buf, layout)


@syscall("clock_adjtime", Choice("clockid", CLOCKS), Pointer("buf"), support=PARTIAL, note="tells only; see adjtimex")
def clock_adjtime(task: Task, clockid: int, buf: int, layout: Struct = TIMEX) -> int:
    """As adjtimex, for CLOCK_REALTIME.  man 2 clock_adjtime: EINVAL, EOPNOTSUPP"""
    if clockid != CLOCK_REALTIME:
        raise LinuxError(EOPNOTSUPP if clockid in CLOCKS else EINVAL)
    return tell_adjustment(task, buf, layout)


def tell_adjustment(task: Task, buf: int, layout: Struct) -> int:
    """Store a struct timex for an unadjusted clock.  EPERM: asked to adjust"""
    if task.memory.read_u32(buf):
        raise LinuxError(EPERM)
    now = task.kernel.clock.realtime()
    task.memory.store(
        buf, layout, 0, 0, 0, 16_000_000, 16_000_000, STA_UNSYNC, 2, 1, 32_768_000,
        now // SECOND, now % SECOND // 1000, 10_000, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    return TIME_ERROR
