"""What a user may get wrong: each mistake gets one clear line and the right status, never a traceback."""

from __future__ import annotations

import os
import re
import struct
import subprocess

import pytest
from lbw_command import lbw


def refused(outcome, status: int, *parts: str) -> None:
    """Assert the status, and one line of lbw that has all of `parts`."""
    assert outcome.status == status, outcome
    assert "Traceback" not in outcome.errors
    lines = [line for line in outcome.errors.splitlines() if line.startswith("lbw: ")]
    assert len(lines) == 1, outcome
    for part in parts:
        assert part in lines[0]
    assert outcome.output == ""


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["/bin/nothing"], 127, "/bin/nothing: there is no such program"),
        (["nothing"], 127, "nothing: there is no such program"),
        ([""], 127, "there is no such program"),
        (["/etc/passwd/x"], 127, "there is no such program"),
        (["/etc"], 126, "is a directory"),
        (["/etc/passwd"], 126, "permission denied"),
        (["--memory", "1", "/bin/true"], 125, "too few"),
        (["--memory", "lots", "/bin/true"], 125, "not a size"),
        (["--memory", "-5", "/bin/true"], 125, "not a size"),
        (["--memory", "nan", "/bin/true"], 125, "not a size"),
        (["--memory", "999999T", "/bin/true"], 125, "not a size"),
        (["-u", "nosuchuser", "/bin/true"], 125, "nosuchuser"),
        (["-u", "", "/bin/true"], 125, "no user"),
        (["-u", "root:nosuchgroup", "/bin/true"], 125, "nosuchgroup"),
        (["-u", "4294967295", "/bin/true"], 125, "4294967295"),
        (["--unheard-of", "/bin/true"], 125, "--unheard-of"),
        (["-b", "/nonexistent:/x", "/bin/true"], 125, "does not exist on the host"),
        (["-b", "/:/x:rx", "/bin/true"], 125, "not a bind mount"),
        (["-b", ":/x", "/bin/true"], 125, "not a bind mount"),
        (["-b", "/:relative", "/bin/true"], 125, "must be absolute"),
        (["-b", "/:/etc/passwd", "/bin/true"], 125, "one is a directory"),
        (["-w", "/nonexistent", "/bin/true"], 125, "working directory /nonexistent"),
        (["-w", "/etc/passwd", "/bin/true"], 125, "working directory /etc/passwd"),
        (["-w"], 125, "-w"),
        (["-e", "=x", "/bin/true"], 125, "not a variable"),
        (["--hostname", "h" * 65, "/bin/true"], 125, "host name"),
        (["--strace=/nonexistent/trace", "/bin/true"], 125, "/nonexistent/trace"),
        ([], 125, "which program?"),
    ],
)
def test_a_mistake_is_named(words, status, part, debian_root):
    refused(lbw("run", "--root", debian_root, "--overlay", *words), status, part)


def test_mistakes_before_run():
    refused(lbw("walk"), 125, "walk")
    assert lbw().status == 125
    assert re.fullmatch(r"lbw \d+\.\d+.*\n", lbw("--version").output)


def test_a_missing_root(tmp_path):
    refused(lbw("run", "--root", tmp_path / "none", "/bin/true"), 125, "does not exist")
    (tmp_path / "file").write_text("")
    refused(lbw("run", "--root", tmp_path / "file", "/bin/true"), 125, "is no directory")


def test_a_root_without_a_shell(tmp_path):
    refused(lbw("run", "--root", tmp_path, "/bin/sh"), 127, "/bin/sh: there is no such program in the root")
    refused(lbw("run", "--root", tmp_path, "--overlay", "sh"), 127, "sh: there is no such program")


def test_an_unreadable_root(tmp_path):
    root = tmp_path / "root"
    root.mkdir(mode=0)
    words = ["run", "--root", str(root), "/bin/true"]
    if os.geteuid() == 0:  # root reads everything: go as somebody else
        for part in (tmp_path, *tmp_path.parents):
            if part.stat().st_mode & 0o055 != 0o055:
                part.chmod(part.stat().st_mode | 0o055)
    refused(as_nobody(tmp_path, *words), 125, "permission denied")


def as_nobody(tmp_path, *words):
    """Run lbw as a user who is not root: with setpriv, when this one is."""
    from lbw_command import Outcome, command, host_environment

    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    prefix = []
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    environment = host_environment(HOME=str(home), LBW_DATA_HOME=str(home), LBW_CACHE_HOME=str(home))
    return Outcome(
        subprocess.run([*prefix, *command(*words)], input=b"", capture_output=True, timeout=60, env=environment)
    )


@pytest.fixture
def small_root(tmp_path):
    """An empty root to put one program in."""
    root = tmp_path / "small"
    (root / "bin").mkdir(parents=True)
    return root


def install(root, data: bytes) -> None:
    program = root / "bin" / "program"
    program.write_bytes(data)
    program.chmod(0o755)


def elf(machine: int = 62, kind: int = 2, bits: int = 2, data: int = 1) -> bytes:
    """Return an ELF header with one PT_LOAD."""
    head = b"\x7fELF" + bytes([bits, data, 1]) + bytes(9)
    order = "<" if data == 1 else ">"
    head += struct.pack(order + "HHIQQQIHHHHHH", kind, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack(order + "IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"just text\n", "neither an ELF program nor a script"),
        (b"", "neither an ELF program nor a script"),
        (b"\x7fELF", ""),
        (elf()[:70], ""),
        (elf()[:63], ""),
        (elf(machine=183), "AArch64"),
        (elf(machine=243), "RISC-V"),
        (elf(machine=40, bits=1), "ARM"),
        (elf(machine=22, data=2), ""),
        (elf(kind=1), ""),
        (elf(kind=4), ""),
        (b"#!/bin/nothing\n", "/bin/nothing"),
        (b"#!\n", ""),
        (b"#!/bin/program\n", ""),
        (b"#!" + b"x" * 300 + b"\n", ""),
    ],
)  # fmt: skip
def test_what_is_no_program_here(data, part, small_root):
    install(small_root, data)
    outcome = lbw("run", "--root", small_root, "/bin/program")
    refused(outcome, 127 if b"#!/bin/nothing" in data else 126, "/bin/program", part)


def test_a_missing_interpreter_is_named(small_root, tmp_path):
    source = tmp_path / "p.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", small_root / "bin" / "program", source], check=True)
    outcome = lbw("run", "--root", small_root, "/bin/program")
    refused(outcome, 127, "/bin/program", "ld-linux-x86-64.so.2")
