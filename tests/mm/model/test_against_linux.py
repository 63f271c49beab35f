"""Random sequences of memory operations, by several processes: this machine's Linux and lbw agree on every result,
byte, signal and line of /proc/PID/maps.

`--model-batches N` runs so many hundreds of other sequences; what differs is shrunk and shown beside what Linux does.
"""

from __future__ import annotations

import os
import platform
import random
import sys
from pathlib import Path

import pytest
from model_guest import Guest
from operations import Generator, Program
from shrinking import failures, shrink, side_by_side

NATIVE = sys.platform == "linux" and platform.machine() == "x86_64" and os.geteuid() == 0
#: How many sequences there are by default.
COUNTS = {"host": 150, "host32": 100, "host fault": 30, "host base": 30, "host32 fault": 20}


@pytest.mark.parametrize("kind", COUNTS)
def test_random_sequences_do_what_they_do_on_linux(
    kind: str, guests: dict[str, Guest], request: pytest.FixtureRequest
) -> None:
    if not NATIVE:
        return
    batches = request.config.getoption("--model-batches", 0)
    source = random.Random(None if batches else kind)
    for _ in range(batches or 1):
        seeds = [source.getrandbits(40) for _ in range(100 if batches else COUNTS[kind])]
        programs = [Generator(random.Random(seed)).program(15 + seed % 30) for seed in seeds]
        found = failures(guests[kind], programs)
        shown = [side_by_side(guests[kind], shrink(guests[kind], each[0])) for each in list(found.values())[:5]]
        assert found == {}, "\n\n".join(shown)


def regressions() -> list[Program]:
    """Return the sequences that once differed; a line with # says what it was."""
    text = Path(__file__).with_name("regressions.txt").read_text()
    return [[line for line in part.strip().splitlines() if line[0] != "#"] for part in text.split("\n\n")]


@pytest.mark.parametrize("kind", ["host", "host32"])
def test_sequences_that_once_differed(kind: str, guests: dict[str, Guest]) -> None:
    if NATIVE:
        found = failures(guests[kind], regressions())
        assert found == {}, "\n\n".join(side_by_side(guests[kind], each[0]) for each in found.values())
