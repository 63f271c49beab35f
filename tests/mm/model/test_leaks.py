"""Doing the same for ever takes no more memory than doing it a few times: of frames, granules, page tables, VMAs,
Python objects, host descriptors.

The guest says when it is warm and when it has finished; everything is counted at both times. `--leak-factor N` repeats
N times as often: with 40, 10,000 processes and a million mappings.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from invariants import check, living

from lbw import PIPE, Machine
from lbw.cpu.contracts import INTERRUPT_32, RAX, SYSCALL

GUEST = Path(__file__).parents[3] / "chroot_fixtures" / "guests" / "fuzz" / "leaks.c"
#: How often, by default.
COUNTS = {"forks": 250, "maps": 15000, "threads": 400, "files": 300, "shared": 300}
#: sched_yield in both ABIs: the guest does nothing else with it.
MARKS = ((SYSCALL, 24), (INTERRUPT_32, 158))
#: Caches of the interpreter and of lbw fill and empty a little.
SLACK = 300


class Snapshot:
    """How much there is of everything."""

    def __init__(self, machine: Machine) -> None:
        board = machine.board
        vfs = machine.tree.vfs
        vfs._recent.clear()  # it remembers so many locations, and with those of /proc processes that are gone
        vfs._older.clear()
        gc.collect()
        spaces, backings = living(board.engine)
        self.figures = {
            "frames": board.frames.used,
            "page tables": sum(space.mmu.tables for space in spaces),
            "address spaces": len(spaces),
            "mmus": len(board.engine.spaces),
            "backings": len(backings),
            "VMAs": sum(len(space.vmas) for space in spaces),
            "mappings": sum(len(backing.mappings) for backing in backings),
            "descriptors": len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0,
            "committed": board.frames.commitment.pages,
        }
        self.granules = board.frames.granules.committed
        self.types = Counter(type(each).__qualname__ for each in gc.get_objects())
        self.blocks = sys.getallocatedblocks()
        self.kernel = check(board.engine)


def marks(machine: Machine, arguments: list[str]) -> list[Snapshot]:
    """Run the guest; return what there was at each of its marks."""
    engine = machine.board.engine
    kind = type(engine)
    original = kind.wait
    found = []

    def wait(self):  # type: ignore[no-untyped-def]
        context, trap = original(self)
        if (trap.kind, context.registers[RAX]) in MARKS:
            found.append(Snapshot(machine))
        return context, trap

    kind.wait = wait  # type: ignore[method-assign]
    try:
        ended = machine.run(["/leaks", *arguments], stdout=PIPE)
    finally:
        kind.wait = original  # type: ignore[method-assign]
    assert (ended.status, ended.stdout) == (0, b"done\n")
    return found


@pytest.fixture(scope="module", params=[64, 32])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("leaks")
    for directory in ("tmp", "proc", "dev", "etc", "work"):
        (root / directory).mkdir()
    flags = ["-m32", "-D_FILE_OFFSET_BITS=64"] if request.param == 32 else []
    subprocess.run(["gcc", "-O1", *flags, "-static", "-pthread", "-o", root / "leaks", GUEST], check=True)
    return root


@pytest.mark.parametrize("kind", COUNTS)
def test_what_is_done_for_ever_leaks_nothing(kind: str, root: Path, request: pytest.FixtureRequest) -> None:
    factor = request.config.getoption("--leak-factor", 1)
    with Machine(root=root, memory=256 << 20) as machine:
        _, warm, last = marks(machine, [kind, str(COUNTS[kind] * factor)])
        frames = machine.board.frames.used
    differences = {name: (warm.figures[name], last.figures[name]) for name in last.figures}
    if kind == "maps":  # 64 random mappings are not always the same ones; but there are never many
        assert last.figures["frames"] <= warm.figures["frames"] + 64 * (12 + 4)
        assert last.figures["VMAs"] <= warm.figures["VMAs"] + 64 * 3
        exact = ["address spaces", "mmus", "descriptors"]
    else:
        exact = list(last.figures)
    assert {name: differences[name] for name in exact if len(set(differences[name])) > 1} == {}
    assert last.kernel <= warm.kernel + 2  # a fragment more
    assert last.granules <= warm.granules + 40
    grown = {name: count - warm.types[name] for name, count in last.types.items() if count > warm.types[name] + SLACK}
    assert grown == {}
    assert last.blocks <= warm.blocks + 10 * SLACK
    assert frames < last.figures["frames"] + 100
    shutil.rmtree(root / "work")
    (root / "work").mkdir()
