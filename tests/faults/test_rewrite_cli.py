"""`lbw rewrite` as a user has it: what it prints, what it writes, one clear line for each mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lbw_command import lbw


@pytest.fixture
def program(tmp_path) -> Path:
    (tmp_path / "p.c").write_text("#include <errno.h>\nint main(void) { errno = 5; return errno; }\n")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    (tmp_path / "p").chmod(0o751)
    return tmp_path / "p"


def test_it_tells_what_it_did_and_what_it_left(program, tmp_path):
    outcome = lbw("rewrite", program, "-o", tmp_path / "new")
    assert (outcome.status, outcome.errors) == (0, "")
    first, reason, calls = outcome.output.splitlines()
    words = first.removeprefix(f"{program}: 64-bit, ").split()
    every, done, left = int(words[0]), int(words[3]), int(words[5])
    assert every == done + left and done > left > 0
    assert reason.split(maxsplit=1) == [str(left), "too short for a jump"]
    assert "system calls, left: they trap by themselves" in calls
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o751
    verbose = lbw("rewrite", "-v", program, "-o", tmp_path / "new").output.splitlines()[3:]
    assert len([line for line in verbose if line.endswith("too short for a jump")]) == left
    assert all(line.startswith("0x") for line in verbose)


def test_the_output_runs_under_lbw_only(program, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    assert lbw("rewrite", program, "-o", root / "new").status == 0
    assert lbw("run", "--root", root, "/new").status == 5
    native = subprocess.run([root / "new"], capture_output=True, text=True)
    assert (native.returncode, native.stderr.splitlines()) == (
        126,
        ['this program was rewritten for lbw; run it with "lbw run"'],
    )


def test_a_file_may_be_rewritten_in_place(program):
    assert lbw("rewrite", program, "-o", program).status == 0
    assert subprocess.run([program], capture_output=True).returncode == 126
    assert sorted(os.listdir(program.parent)) == ["p", "p.c"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"", "not an ELF file"),
        (b"\x7fELF\x02\x01\x01", "not a little-endian ELF file"),
        (None, "No such file"),
    ],
)
def test_bad_input_is_one_line(content, part, tmp_path):
    path = tmp_path / "in"
    if content is not None:
        path.write_bytes(content)
    outcome = lbw("rewrite", path, "-o", tmp_path / "out")
    assert (outcome.status, outcome.output) == (125, "")
    (line,) = outcome.errors.splitlines()
    assert line.startswith(f"lbw: {path}: ") and part in line
    assert not (tmp_path / "out").exists()


def test_an_object_file_is_refused(tmp_path):
    (tmp_path / "o.c").write_text("__thread int x; int f(void) { return x; }\n")
    subprocess.run(["gcc", "-c", "-o", tmp_path / "o.o", tmp_path / "o.c"], check=True)
    outcome = lbw("rewrite", tmp_path / "o.o", "-o", tmp_path / "out")
    assert (outcome.status, outcome.output) == (125, "")
    assert "link it first" in outcome.errors


def test_twice_is_one_line(program, tmp_path):
    assert lbw("rewrite", program, "-o", tmp_path / "new").status == 0
    outcome = lbw("rewrite", tmp_path / "new", "-o", tmp_path / "again")
    assert (outcome.status, outcome.output) == (125, "")
    assert outcome.errors == f"lbw: {tmp_path / 'new'}: it has been rewritten already\n"


def test_what_cannot_be_written_is_one_line(program, tmp_path):
    outcome = lbw("rewrite", program, "-o", tmp_path / "nowhere" / "new")
    assert (outcome.status, outcome.output) == (125, "")
    assert "nowhere" in outcome.errors and len(outcome.errors.splitlines()) == 1
    assert lbw("rewrite", program).status == 125  # -o is wanted


def test_no_sites_no_change(tmp_path):
    (tmp_path / "p.s").write_text(".globl _start\n_start: mov $60, %eax\nmov $7, %edi\nsyscall\n")
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", tmp_path / "p", tmp_path / "p.s"], check=True)
    outcome = lbw("rewrite", tmp_path / "p", "-o", tmp_path / "new")
    assert outcome.status == 0
    assert "nothing to rewrite, the output is the same file" in outcome.output
    assert (tmp_path / "new").read_bytes() == (tmp_path / "p").read_bytes()
    assert subprocess.run([tmp_path / "new"]).returncode == 7


def test_real_programs(tmp_path):
    for name in ("true", "bash"):
        outcome = lbw("rewrite", shutil.which(name) or "", "-o", tmp_path / name)
        assert outcome.status == 0
        assert ", 0 left" in outcome.output
