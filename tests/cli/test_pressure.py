"""Guests that need more memory than the machine has: what can be had again is, and else the right one dies."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from lbw_command import FIXTURES, lbw

GRANULE, SIZE = 65536, 300 << 20


def make_file(path: Path) -> None:
    """Make a file of 300 MB each of whose granules begins with its number."""
    with path.open("wb") as file:
        for number in range(SIZE // GRANULE):
            file.seek(number * GRANULE)
            file.write(struct.pack("<q", number))
        file.truncate(SIZE)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the guest and a large file."""
    root = tmp_path_factory.mktemp("pressure")
    for name in ("tmp", "proc", "dev", "bin"):
        (root / name).mkdir()
    source = FIXTURES / "guests" / "greedy" / "pressure.c"
    subprocess.run(["gcc", "-O1", "-static", "-o", root / "bin" / "pressure", source], check=True)
    make_file(root / "file")
    return root


def pressure(root, what: str):
    outcome = lbw("run", "--root", root, "--memory", "64M", "/bin/pressure", what, "/file")
    assert "Traceback" not in outcome.errors
    assert "bug in" not in outcome.errors
    return outcome


@pytest.mark.parametrize(
    "what, output",
    [
        ("read-private", "0 wrong, 0 the second time\n"),
        ("read-shared", "0 wrong, 0 the second time\n"),
        ("write-private", "0 wrong\n"),
        ("read-into-memory", "0 wrong, read 40 MB at once, 0 wrong\n"),
        ("locked", "0 wrong, 0 absent\n"),
    ],
)
def test_a_file_larger_than_the_memory_just_works(what, output, root):
    outcome = pressure(root, what)
    assert (outcome.status, outcome.output, outcome.errors) == (0, output, "")


def test_a_file_larger_than_the_memory_is_written_through_a_mapping(root):
    try:
        outcome = pressure(root, "write-shared")
        with (root / "file").open("rb") as file:
            for number in range(0, SIZE // GRANULE, 97):
                file.seek(number * GRANULE)
                assert struct.unpack("<q", file.read(8)) == (number + 1000000,)
    finally:
        make_file(root / "file")
    assert (outcome.status, outcome.output, outcome.errors) == (0, "0 wrong, msync 0, 0 wrong in the file\n", "")


@pytest.mark.parametrize(
    "what, output, kills",
    [
        ("adjusted", "small -9, large -9\n", 2),
        ("shared", "-9 7 -9 7 \n", 2),
        ("together", "-9\n", 1),
        ("fork", "-9\n5\n", 1),
        ("allocating", "asking -9, large -15\n", 1),
        ("tmpfs", "No space left on device after 32 MB\n4 6\n", 0),
    ],
)
def test_who_dies(what, output, kills, root):
    outcome = pressure(root, what)
    assert (outcome.status, outcome.output) == (0, output)
    lines = outcome.errors.splitlines()
    assert len(lines) == kills
    assert all(line.startswith("lbw: out of memory: killed pressure[") for line in lines)


def test_many_small_processes(root):
    outcome = pressure(root, "processes")
    assert (outcome.status, outcome.output) == (0, "some died, some stayed, 20 in all\n")


def test_page_tables_count(root):
    outcome = pressure(root, "tables")
    assert outcome.status == 137
    assert outcome.errors.count("out of memory") == 1


@pytest.mark.parametrize("what, why", [("panic", "panic_on_oom is set"), ("nobody", "no process may be killed")])
def test_without_anybody_to_kill_the_run_ends(what, why, root):
    outcome = pressure(root, what)
    assert outcome.status == 137
    assert outcome.errors == f"lbw: kernel panic: out of memory, and {why}\n"


@pytest.mark.parametrize("segments", ["patch", "fault", "base"])
def test_text_and_fragments_go_while_a_program_runs_through_them(debian_root, segments):
    perl = "/usr/bin/perl", "-e", "push @a, 'x' x 1e5 . rand while 1"
    outcome = lbw("run", "--root", debian_root, "--segments", segments, "--memory", "64M", *perl)
    assert outcome.status == 137
    assert outcome.errors.startswith("lbw: out of memory: killed perl[")
