"""Threads, signals and switches: what it costs to go from one task to another.

Everything runs on one processor of the host (taskset), where there is such a command: natively two threads would
otherwise run at once, and wake each other across processors.
"""

from __future__ import annotations

import resource
import shutil

from benchmarks.peers import Peer
from benchmarks.works import Measure, Places, Work, number_of, run


def turns(work: str, count: int, scale: float = 1e-3) -> Measure:
    """Measure one work of guests/turns.c by the guest's own clock; `scale` converts nanoseconds."""

    def measure(peer: Peer, places: Places) -> float | None:
        words = command(peer, places, work, str(count))
        return None if words is None else number_of(run(words)) * scale

    return measure


def command(peer: Peer, places: Places, *arguments: str) -> list[str] | None:
    """Return the host command for guests/turns.c, on one processor."""
    words = peer.command(places.guests, "/turns", *arguments)
    if words is None or not (places.guests / "turns").exists():
        return None
    return ["taskset", "-c", "0", *words] if shutil.which("taskset") else words


def idle(seconds: int) -> Measure:
    """Measure the processor time of a guest that sleeps, beyond what starting it takes; in %."""

    def used(words: list[str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def measure(peer: Peer, places: Places) -> float | None:
        long = command(peer, places, "idle", str(seconds * 1000))
        short = command(peer, places, "idle", "1")
        if long is None or short is None:
            return None
        starts = [used(short) for _ in range(3)]
        return max(0.0, used(long) - sorted(starts)[1]) / seconds * 100

    return measure


TURN_WORKS: tuple[Work, ...] = (
    Work("pthread_create + pthread_join", "us", turns("create", 2000), 150),
    Work("uncontended mutex: lock + unlock", "ns", turns("mutex", 2_000_000, 1)),
    Work("futex ping-pong, two threads, a round", "us", turns("futex", 20000), 25),
    Work("pipe ping-pong, two processes, a round", "us", turns("pipe", 20000), 40),
    Work("signal to self, with handler", "us", turns("signal", 20000), 40),
    Work("clock_gettime", "ns", turns("clock", 300_000, 1)),
    Work("switch between tasks that compute", "us", turns("switch", 5000), 100),
    Work("idle: processor time", "%", idle(3), 0.5),
)
