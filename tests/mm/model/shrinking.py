"""Finding where two runs differ, and the shortest program that still shows it."""

from __future__ import annotations

import re

from model_guest import Guest, Run
from operations import Program


def difference(expected: Run, found: Run) -> int | None:
    """Return the first line that differs."""
    for at, (left, right) in enumerate(zip(expected, found, strict=False)):
        if left != right:
            return at
    return None if len(expected) == len(found) else min(len(expected), len(found))


def kind_of(program: Program, expected: Run, found: Run) -> str | None:
    """Return what sort of difference it is: the operation, and both results without numbers; None: there is none."""
    at = difference(expected, found)
    if at is None:
        return None
    left, right = (run[at] if at < len(run) else "(end)" for run in (expected, found))
    line = program[at] if at < len(program) else "end"
    words = re.sub(r"^(@\d )?(v )?", "", line).split(" ")
    letter = words[0]
    if letter in "VsG":
        return letter + (" signals" if ("!" in left) != ("!" in right) else "")
    detail = {"a": 3, "m": 4, "M": 4}.get(letter)
    if detail is not None and detail < len(words):
        letter += " " + words[detail]
    return f"{letter} {generalized(left)} != {generalized(right)}"


def generalized(line: str) -> str:
    """Return a result without sums and addresses."""
    return re.sub(r"\b[0-9a-f]{3,}\b", "#", line.partition(":")[2])[:40]


def shrink(guest: Guest, program: Program) -> Program:
    """Leave out operations for as long as it stays the same difference; many attempts are one run."""
    (expected,), (found,) = guest.natively([program]), guest.under_lbw([program])
    kind = kind_of(program, expected, found)
    at = difference(expected, found)
    if kind is None or at is None:
        return program
    if at < len(program) and kind_of(program[: at + 1], expected[: at + 1], found[: at + 1]) == kind:
        program = program[: at + 1]
    for size in (16, 8, 4, 2, 1, 1):
        while len(program) > size:
            attempts = [program[:i] + program[i + size :] for i in range(0, len(program), max(1, size // 2))]
            runs = zip(guest.natively(attempts), guest.under_lbw(attempts), strict=True)
            good = [one for one, (a, b) in zip(attempts, runs, strict=True) if kind_of(one, a, b) == kind]
            if not good:
                break
            program = good[-1]
    return program


def side_by_side(guest: Guest, program: Program) -> str:
    """Return what both do, line by line."""
    (expected,), (found,) = guest.natively([program]), guest.under_lbw([program])
    lines = []
    for at, operation in enumerate([*program, "(end)"]):
        left, right = (run[at] if at < len(run) else "" for run in (expected, found))
        lines.append(f"{operation:40} {left}" + ("" if left == right else f"    LBW: {right}"))
    return "\n".join(lines)


def failures(guest: Guest, programs: list[Program]) -> dict[str, list[Program]]:
    """Run all; return those that differ, by kind, the shortest first."""
    kinds: dict[str, list[Program]] = {}
    runs = zip(programs, guest.natively(programs), guest.under_lbw(programs), strict=True)
    for program, expected, found in runs:
        kind = kind_of(program, expected, found)
        if kind is not None:
            kinds.setdefault(kind, []).append(program)
    for group in kinds.values():
        group.sort(key=len)
    return kinds
