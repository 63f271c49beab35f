"""Random programs of system calls, replayed by this machine's Linux and under lbw: everything observable agrees.

The oracle is the running kernel, in a chroot: as root on Linux. Elsewhere two file systems of lbw are compared with
each other, which still finds whatever crashes. `survey.py` shows all divergences at once.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from replay_families import FAMILIES
from replay_worlds import Program, Worlds, divergence

from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64

REGRESSIONS = Path(__file__).with_name("regressions.txt")
NATIVE = sys.platform == "linux" and platform.machine() == "x86_64" and os.geteuid() == 0
CASES = [("files", "host"), ("files", "overlay"), ("files", "tmpfs"), ("memory", "host"), ("pipes", "host"),
         ("ipc", "host"), ("ipc", "host32"), ("credentials", "host"), ("credentials", "tmpfs"), ("processes", "host"),
         ("files", "host32"),
         ("memory", "host32"), ("pipes", "host32"), ("credentials", "host32"), ("processes", "host32"),
         ("waiting", "host"), ("waiting", "overlay"), ("waiting", "host32")]  # fmt: skip


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Worlds]]:
    """The worlds by file system, made when first asked for."""
    base = tmp_path_factory.mktemp("fuzz")
    base.chmod(0o755)
    made = AllWorlds(str(base))
    yield made
    for one in made.values():
        one.close()


class AllWorlds(dict[str, Worlds]):
    """Worlds by file system; those of programs of 32 bits have a 32 behind it."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def __missing__(self, kind: str) -> Worlds:
        made = self[kind] = Worlds(self.base, kind.removesuffix("32"), I386 if kind.endswith("32") else X86_64)
        return made


def compare(worlds: dict[str, Worlds], kind: str, program: Program, jail: bool) -> None:
    """Fail with the program and both outputs when they differ."""
    found = worlds[kind].under_lbw(program, jail)
    if NATIVE:
        expected = worlds[kind].natively(program, jail)
        if divergence(expected, found) is not None:  # a second look: is Linux itself of one mind?
            expected = worlds[kind].natively(program, jail)
            found = worlds[kind].under_lbw(program, jail)
    else:
        other = kind.replace("host", "overlay") if "host" in kind else "host"
        expected = worlds[other].under_lbw(program, jail)
    assert found == expected, "\n".join(program)


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_random_programs_behave_as_they_do_natively(
    family: str, kind: str, worlds: dict[str, Worlds], request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--fuzz-examples", 0)
    chosen = FAMILIES[family]

    @settings(
        max_examples=wanted or 60, deadline=None, derandomize=not wanted, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(chosen.programs)
    def check(program: Program) -> None:
        compare(worlds, kind, program, chosen.jail)

    check()


def regressions() -> Iterator[tuple[str, str, Program]]:
    """Return (family, file system, program) of each paragraph, whose first line is `# FAMILY KIND: what it was`."""
    for paragraph in REGRESSIONS.read_text().split("\n\n"):
        title, *program = paragraph.strip().splitlines()
        family, kind = title.removeprefix("# ").split(":")[0].split()
        yield family, kind, program


@pytest.mark.parametrize(("family", "kind", "program"), list(regressions()))
def test_programs_that_once_differed(family: str, kind: str, program: Program, worlds: dict[str, Worlds]) -> None:
    compare(worlds, kind, program, FAMILIES[family].jail)
