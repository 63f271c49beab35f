"""The host's clocks. All in nanoseconds; lbw never sets one."""

from __future__ import annotations

import sys
import time

#: Never goes back; its zero is arbitrary.
monotonic_ns = time.monotonic_ns

#: Since the epoch.
realtime_ns = time.time_ns

#: CPU time of lbw itself, all threads.
process_cpu_ns = time.process_time_ns


def uptime_ns() -> int:
    """Return the time since the host booted, suspended time included where the host tells."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def raw_ns() -> int:
    """Return the monotonic time that nobody adjusts, where the host has it."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic_ns()


def atomic_ns() -> int:
    """Return international atomic time, as far as the host knows the leap seconds; else the time since the epoch."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_TAI)
    return time.time_ns()


def boot_time_ns() -> int:
    """Return when the host booted, since the epoch."""
    return time.time_ns() - uptime_ns()


def file_time_ns() -> int:
    """Return the time that a host's file gets when it is written to now, ns since the epoch.

    Linux stamps files with the time of its last tick, clock 5 (CLOCK_REALTIME_COARSE, which Python does not name).
    """
    return time.clock_gettime_ns(5) if sys.platform == "linux" else time.time_ns()
