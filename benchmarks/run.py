"""Measure lbw and every peer that is installed, on the same work, in one run.

The rounds go through all works and peers in turn, so that a change of the machine's load meets them all; the median of
the rounds is printed, and behind it how many times as long (or as much) lbw needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from statistics import median

from benchmarks.memory import MEMORY_WORKS
from benchmarks.peers import PEERS, Peer
from benchmarks.segments import MODES, SEGMENT_WORKS
from benchmarks.turns import TURN_WORKS
from benchmarks.works import WORKS, FailedWork, Places, Work

GUESTS = Path(__file__).parent / "guests"

Number = float | None
Rounds = dict[str, dict[str, list[Number]]]
#: What a peer that fails a work has in the table.
FAILED = float("nan")
#: The tables: what is measured, and who.
TABLES: dict[str, tuple[tuple[Work, ...], tuple[Peer, ...]]] = {
    "works": (WORKS, PEERS), "turns": (TURN_WORKS, PEERS), "memory": (MEMORY_WORKS, PEERS),
    "segments": (SEGMENT_WORKS, MODES),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 0, or 1 when lbw itself failed a work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--root", type=Path, help="a Debian root (default: lbw's default root)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (%(default)s)")
    parser.add_argument("--table", choices=TABLES, action="append", help="only this table")
    parser.add_argument("--only", metavar="TEXT", action="append", help="only works whose name contains TEXT")
    parser.add_argument("--peer", metavar="NAME", action="append", help="only these peers, and lbw")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all rounds there")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    args = parser.parse_args(arguments)

    versions = {}
    tables = []
    for all_works, all_peers in [TABLES[name] for name in args.table or TABLES]:
        works = [work for work in all_works if not args.only or any(text in work.name for text in args.only)]
        peers = [peer for peer in all_peers if not args.peer or peer.name in ("lbw", *args.peer)]
        versions.update({peer.name: peer.available() for peer in peers})
        if works:
            tables.append((works, [peer for peer in peers if versions[peer.name]]))
    rounds: Rounds = {}
    with tempfile.TemporaryDirectory(prefix="lbw-bench-") as scratch:
        places = Places((args.root or default_root()).resolve(), make_guests(Path(scratch)))
        for works, peers in tables:
            rounds.update(measure(works, peers, places, args.rounds))
    load = os.getloadavg()[0]
    medians = {name: {peer: middle(values) for peer, values in row.items()} for name, row in rounds.items()}
    if args.json:
        args.json.write_text(json.dumps({
            "date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "load": load,
            "versions": versions, "rounds": rounds, "medians": medians,
        }, indent=1) + "\n")  # fmt: skip
    header = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, load {load:.1f}, medians of {args.rounds} rounds"
    absent = [name for name, value in versions.items() if value is None]
    for works, peers in tables:
        names = [peer.name for peer in peers]
        rows = [cells(work, medians[work.name], names) for work in works]
        titles = ["work", "target", "met", *(f"{name} {versions[name]}" for name in names)]
        if args.markdown:
            print_markdown(titles, rows)
        else:
            print_plain(header, titles, rows)
    if absent:
        print(f"not installed here: {', '.join(absent)}", file=sys.stderr)
    return int(any(isnan(row["lbw"] or 0) for row in medians.values()))


def measure(works: list[Work], peers: list[Peer], places: Places, count: int) -> Rounds:
    """Return the numbers of all rounds, by work and peer.  A peer that fails a work is not asked for it again."""
    rounds: Rounds = {work.name: {peer.name: [] for peer in peers} for work in works}
    for index in range(count):
        for work in works:
            for peer in peers:
                values = rounds[work.name][peer.name]
                if values and (values[-1] is None or isnan(values[-1])):
                    continue
                progress(f"round {index + 1}/{count}: {work.name}, {peer.name}")
                try:
                    values.append(work.measure(peer, places))
                except FailedWork:
                    values.append(FAILED)
    progress("")
    return rounds


def middle(values: list[Number]) -> Number:
    """Return the median; FAILED if it failed once, None if it was never measured."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return None
    return FAILED if any(map(isnan, numbers)) else median(numbers)


def progress(text: str) -> None:
    """Show what is going on, when somebody is looking."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def default_root() -> Path:
    """Return lbw's default root, which is built when there is none."""
    from lbw.chroot.default import default_root

    return Path(default_root())


def make_guests(scratch: Path) -> Path:
    """Compile the guests into a root of their own; without a compiler it stays empty, and their works are left out.

    Those of `dynamic` use the C library of another root.
    """
    root = scratch / "root"
    for directory in ("etc", "tmp", "proc", "dev/shm"):
        (root / directory).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        print("no C compiler here: the small works are left out", file=sys.stderr)
        return root
    for source in sorted(GUESTS.glob("*.c")):
        subprocess.run([compiler, "-O2", "-static", "-pthread", "-o", root / source.stem, source], check=True)
    dynamic = root / "dynamic"
    dynamic.mkdir()
    subprocess.run([compiler, "-O2", "-fstack-protector-all", "-o", dynamic / "tls", GUESTS / "tls.c"], check=True)
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is not None:  # with its own library: the Debian root has none
        options = ("-O2", "-static-libstdc++", "-static-libgcc")
        subprocess.run([compiler, *options, "-o", dynamic / "throw", GUESTS / "throw.cc"], check=True)
    return root


def cells(work: Work, row: dict[str, Number], names: list[str]) -> list[str]:
    """Return a row of the table as text."""
    own = row.get("lbw")
    if own is None or isnan(own):
        own = None
    return [work.name, *judge(work, own, row), *(cell(work, row.get(name), own, name == "lbw") for name in names)]


def judge(work: Work, own: Number, row: dict[str, Number]) -> tuple[str, str]:
    """Return the target as text, and whether it is met."""
    goal = work.target
    if goal is None:
        return "", ""
    if work.relative_to:
        target = f"{goal:g} x {work.relative_to}"
        other = row.get(work.relative_to)
        goal = goal * other if other is not None else FAILED
    else:
        target = f"{goal:g} {work.unit}" + (f", then {work.aim:g}" if work.aim else "")
    if own is None or isnan(goal):
        return target, "?"
    return target, "yes" if own <= goal else "no"


def cell(work: Work, value: Number, own: Number, is_own: bool) -> str:
    """Return a number of a peer, and how many times as much lbw needs."""
    if value is None:
        return "n/a"
    if isnan(value):
        return "fails"
    text = f"{number(value)} {work.unit}"
    return text if is_own or own is None or value <= 0 else f"{text} ({number(own / value)}x)"


def number(value: float) -> str:
    """Return a number with about three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> str:
    """Return what the processor calls itself, how many there are, and the Python that runs lbw."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} processors, Python {platform.python_version()}"


def print_plain(header: str, titles: list[str], rows: list[list[str]]) -> None:
    """Print a table for a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=f"{header}; (Nx): lbw needs N times as long, or as much", title="lbw and its peers")
    for title in titles:
        table.add_column(title, justify="left" if title in ("work", "target", "met") else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_markdown(titles: list[str], rows: list[list[str]]) -> None:
    """Print a table for a document."""
    print("| " + " | ".join(titles) + " |")
    print("|---|---|---|" + "---:|" * (len(titles) - 3))
    for row in rows:
        print("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")


if __name__ == "__main__":
    sys.exit(main())
