"""What is measured.  A work returns one number of one peer in one round; None where the peer cannot do such a thing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import Peer

#: Seconds after which a peer is given up.
TIMEOUT = 30


class FailedWork(Exception):
    """The peer was started and did not do the work."""


class Places:
    """Where things are: a Debian root, and a root with nothing but the guests of the benchmarks."""

    def __init__(self, debian: Path, guests: Path) -> None:
        self.debian = debian
        self.guests = guests


Measure = Callable[[Peer, Places], "float | None"]


class Work:
    """A row of the table.

    `target` is in the unit of the row, or, with `relative_to`, a multiple of what that peer needs.  `aim` is better
    still.  `source` says how the number comes about.
    """

    def __init__(
        self, name: str, unit: str, measure: Measure, target: float | None = None, aim: float | None = None,
        relative_to: str | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.unit = unit
        self.measure = measure
        self.target = target
        self.aim = aim
        self.relative_to = relative_to


def micro(work: str, milliseconds: int = 200, scale: float = 1e-3) -> Measure:
    """Measure one work of guests/micro.c by the guest's own clock; `scale` converts nanoseconds."""

    def measure(peer: Peer, places: Places) -> float | None:
        words = peer.command(places.guests, "/micro", work, str(milliseconds))
        if words is None or not (places.guests / "micro").exists():
            return None
        return number_of(run(words)) * scale

    return measure


def command(program: str, *arguments: str) -> Measure:
    """Measure a whole command, from its start to its end, in milliseconds."""

    def measure(peer: Peer, places: Places) -> float | None:
        words = peer.command(places.debian, program, *arguments)
        if words is None or (program == "/bin/sh" and not peer.children):
            return None
        start = time.perf_counter()
        run(words)
        return (time.perf_counter() - start) * 1e3

    return measure


def loop(count: int) -> Measure:
    """Measure one turn of a dash loop that runs /bin/true, in milliseconds; a first loop warms up."""
    script = (
        "loop() { i=0; while [ $i -lt $1 ]; do /bin/true; i=$((i+1)); done; };"
        f" loop 20; echo warm; loop {count}; echo done"
    )

    def measure(peer: Peer, places: Places) -> float | None:
        words = peer.command(places.debian, "/bin/dash", "-c", script)
        if words is None or not peer.children:
            return None
        times = {}
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            env=environment(),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                times[line.strip()] = time.perf_counter()
        if process.returncode or len(times) != 2:
            raise FailedWork(process.returncode)
        return (times[b"done"] - times[b"warm"]) / count * 1e3

    return measure


def peak_memory(peer: Peer, places: Places) -> float | None:
    """Return the peak resident size of the largest process while /bin/true runs, MB (10^6 bytes)."""
    words = peer.command(places.debian, "/bin/true")
    if words is None or not (places.guests / "peak").exists():
        return None
    reader, writer = os.pipe()
    try:
        run(["sh", "-c", f'exec 3>&{writer}; exec "$@"', "sh", str(places.guests / "peak"), *words], writer)
        os.close(writer)
        writer = -1
        return int(os.read(reader, 100)) * 1024 / 1e6
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def number_of(output: str) -> float:
    """Return the number that a guest printed."""
    try:
        return float(output.split()[-2])
    except (ValueError, IndexError):
        raise FailedWork(output) from None


def run(words: list[str], *descriptors: int) -> str:
    """Run a host command; return what it wrote to stdout.  FailedWork: it failed, or took too long"""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT,
            cwd="/", env=environment(), pass_fds=descriptors, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailedWork(str(error)) from None
    if done.returncode:
        raise FailedWork(f"status {done.returncode}")
    return done.stdout.decode(errors="replace")


def environment() -> dict[str, str]:
    """Return what every peer gets: little, and a way to find lbw in a source tree."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "LC_ALL": "C",
    }


WORKS: tuple[Work, ...] = (
    Work("getpid by syscall", "us", micro("getpid"), 4),
    Work("open + read 1 byte + close", "us", micro("open"), 60),
    Work("demand-zero fault, every 2nd page", "us", micro("fault"), 8),
    Work("demand-zero fault, every page", "us", micro("fault-sequential")),
    Work("fork + exit + wait, static", "us", micro("fork")),
    Work("dash: /bin/true, each, warm", "ms", loop(200), 5),
    Work("whole command: /bin/true", "ms", command("/bin/true"), 250, aim=150),
    Work("qsort of 2 M ints", "s", micro("qsort", 1, 1e-9), 2.5, relative_to="qemu-user"),
    Work("peak memory of /bin/true", "MB", peak_memory, 90),
    Work("64 kB through a pipe", "us", micro("pipe")),
    Work("tar c /usr/bin | gzip", "ms", command("/bin/sh", "-c", "tar c /usr/bin | gzip -1 | wc -c")),
)
