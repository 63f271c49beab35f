"""Reading clocks. Nobody can set them: they are the host's.  man 2 clock_gettime, gettimeofday, time, adjtimex"""

from __future__ import annotations

from struct import Struct

from lbw.abi.clock import CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI
from lbw.abi.errno import EINVAL, EOPNOTSUPP, EPERM, LinuxError
from lbw.kernel.cpu_clocks import PROF, VIRTUAL, find_cpu_clock, is_cpu_clock, read_clock
from lbw.syscalls.displays import OutTimespec, Timespec
from lbw.syscalls.parameters import Out, Pointer
from lbw.syscalls.table import PARTIAL, syscall
from lbw.syscalls.time_displays import CLOCK_NAMES, ClockId, OutTimex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SECOND = 1_000_000_000
#: Clocks that move at each tick (250 a second) in Linux, and say so; here they are as fine as the others.
COARSE = (CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE)
COARSE_RESOLUTION = 4_000_000
#: No clock is set to so late a time or later, s: thirty years before it overflows (TIME_SETTOD_SEC_MAX).
LATEST = (2**63 - 1) // SECOND - 30 * 365 * 24 * 3600
#: struct timezone
TIMEZONE = Struct("<ii")
#: struct timex of a 64-bit ABI: modes, offset, freq, maxerror, esterror, status, constant, precision, tolerance, time s
#: and us, tick, then ppsfreq, jitter, shift, stabil, jitcnt, calcnt, errcnt, stbcnt and tai.
TIMEX = Struct("<I4xqqqqi4xqqqqqqqqi4xqqqqqi44x")
TIME_ERROR, STA_UNSYNC = 5, 0x40
ADJ_OFFSET_SINGLESHOT, ADJ_OFFSET_READONLY, ADJ_ADJTIME = 0x0001, 0x2000, 0x8000


@syscall("clock_gettime", ClockId("clockid"), OutTimespec("tp"))
def clock_gettime(task: Task, clockid: int, tp: int, layout: Struct | None = None) -> int:
    """Store the time of a clock.  man 2 clock_gettime: EINVAL"""
    now = read_clock(task, clockid)
    task.memory.store(tp, layout or task.abi.timespec, now // SECOND, now % SECOND)
    return 0


@syscall("clock_getres", ClockId("clockid"), OutTimespec("res"))
def clock_getres(task: Task, clockid: int, res: int, layout: Struct | None = None) -> int:
    """Store the resolution of a clock.  man 2 clock_getres: EINVAL, EFAULT"""
    read_clock(task, clockid)
    if res:
        coarse = clockid in COARSE or (clockid < 0 and clockid & 3 in (PROF, VIRTUAL))
        task.memory.store(res, layout or task.abi.timespec, 0, COARSE_RESOLUTION if coarse else 1)
    return 0


@syscall("clock_settime", ClockId("clockid"), Timespec("tp"))
def clock_settime(task: Task, clockid: int, tp: int, layout: Struct | None = None) -> int:
    """Refuse to set a clock.  man 2 clock_settime: EINVAL: it cannot be set, or to that; EFAULT; EPERM"""
    if clockid >= 0 and clockid != CLOCK_REALTIME:
        raise LinuxError(EINVAL)
    seconds, nanoseconds = task.memory.load(tp, layout or task.abi.timespec)
    if clockid < 0:
        find_cpu_clock(task, clockid)
    elif not 0 <= seconds < LATEST or not 0 <= nanoseconds < SECOND:
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
    """Refuse to set the time.  man 2 settimeofday: EFAULT, EINVAL, EPERM"""
    seconds = microseconds = 0
    if tv:
        seconds, microseconds = task.memory.load(tv, task.abi.timeval)
        if not 0 <= microseconds <= 1_000_000:
            raise LinuxError(EINVAL)
    if tz:
        task.memory.load(tz, TIMEZONE)
    if not 0 <= seconds < LATEST or microseconds == 1_000_000:
        raise LinuxError(EINVAL)
    raise LinuxError(EPERM)


@syscall("time", Out("tloc"))
def time(task: Task, tloc: int) -> int:
    """Return, and store, the seconds since the epoch.  man 2 time"""
    now = task.kernel.clock.read(CLOCK_REALTIME) // SECOND
    if tloc:
        task.memory.store(tloc, task.abi.pointer, now)
    return now


@syscall("adjtimex", OutTimex("buf"), support=PARTIAL, note="tells only; adjusting is EPERM")
def adjtimex(task: Task, buf: int, layout: Struct = TIMEX) -> int:
    """Tell that the clock is not synchronised by us.  man 2 adjtimex: EPERM"""
    return tell_adjustment(task, buf, layout)


@syscall("clock_adjtime", ClockId("clockid"), OutTimex("buf"), support=PARTIAL, note="tells only; see adjtimex")
def clock_adjtime(task: Task, clockid: int, buf: int, layout: Struct = TIMEX) -> int:
    """As adjtimex, for CLOCK_REALTIME.  man 2 clock_adjtime: EFAULT, EINVAL, EOPNOTSUPP"""
    task.memory.read(buf, layout.size)
    if clockid != CLOCK_REALTIME:
        known = clockid in CLOCK_NAMES or is_cpu_clock(clockid)
        raise LinuxError(EOPNOTSUPP if known else EINVAL)
    return tell_adjustment(task, buf, layout)


def tell_adjustment(task: Task, buf: int, layout: Struct) -> int:
    """Store a struct timex for an unadjusted clock.  EFAULT; EPERM: asked to adjust; EINVAL: asked for nonsense"""
    modes = int.from_bytes(task.memory.read(buf, layout.size)[:4], "little")
    if modes & ADJ_ADJTIME:
        if not modes & ADJ_OFFSET_SINGLESHOT:
            raise LinuxError(EINVAL)
        if not modes & ADJ_OFFSET_READONLY:
            raise LinuxError(EPERM)
    elif modes:
        raise LinuxError(EPERM)
    clock = task.kernel.clock
    now = clock.read(CLOCK_REALTIME)
    leap = (clock.read(CLOCK_TAI) - now + SECOND // 2) // SECOND
    task.memory.store(
        buf, layout, modes, 0, 0, 16_000_000, 16_000_000, STA_UNSYNC, 2, 1, 32_768_000,
        now // SECOND, now % SECOND // 1000, 10_000, 0, 0, 0, 0, 0, 0, 0, 0, leap,
    )  # fmt: skip
    return TIME_ERROR
