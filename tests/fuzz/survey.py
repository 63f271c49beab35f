"""Run many random programs and show each kind of divergence once, with the shortest program found for it.

python tests/fuzz/survey.py FAMILY [--fs host|overlay|tmpfs] [--i386] [-n EXAMPLES]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from replay_families import FAMILIES
from replay_worlds import PROLOGUE, Program, Worlds, divergence

from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--fs", choices=["host", "overlay", "tmpfs"], default="host")
    parser.add_argument("--i386", action="store_true", help="programs of 32 bits")
    parser.add_argument("-n", type=int, default=300)
    options = parser.parse_args()
    family = FAMILIES[options.family]
    base = tempfile.mkdtemp(prefix="lbw-survey-")
    worlds = Worlds(base, options.fs, I386 if options.i386 else X86_64)
    kinds: dict[str, Program] = {}
    counts: dict[str, int] = {}

    def kind_of(program: Program) -> str | None:
        expected, found = worlds.both(program, family.jail)
        at = divergence(expected, found)
        if at is None:
            return None
        left = expected[at] if at < len(expected) else "(end)"
        right = found[at] if at < len(found) else "(end)"
        number = left.split(":")[0]
        line = "?"
        whole = PROLOGUE + program if options.fs == "tmpfs" else program
        if number.isdigit() and int(number) < len(whole):
            line = whole[int(number)]
        if worlds.natively(program, family.jail) != expected:
            return None
        words = [*line.split()[:2], left.partition(":")[2], "!=", right.partition(":")[2]]
        return " ".join(words)

    @settings(max_examples=options.n, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(family.programs)
    def check(program: Program) -> None:
        kind = kind_of(program)
        if kind is not None:
            counts[kind] = counts.get(kind, 0) + 1
            if kind not in kinds or len(program) < len(kinds[kind]):
                kinds[kind] = program

    check()
    shown = sorted(kinds, key=lambda kind: -counts[kind])
    for kind in shown[:40]:
        program = shrink(kinds[kind], lambda shorter, kind=kind: kind_of(shorter) == kind)  # type: ignore[misc]
        print(f"== {counts[kind]} x {kind}")
        print("\n".join(program))
    worlds.close()
    shutil.rmtree(base)


def shrink(program: Program, still: Callable[[Program], bool]) -> Program:
    """Leave out lines for as long as it stays the same divergence."""
    at = len(program) - 1
    while at >= 0:
        shorter = program[:at] + program[at + 1 :]
        if shorter and still(shorter):
            program = shorter
        at -= 1
    return program


if __name__ == "__main__":
    main()
