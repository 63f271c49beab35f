"""The guest of the memory model: built once, run natively and under lbw, many sequences at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from operations import Program

from lbw import PIPE, Machine

SOURCE = Path(__file__).parents[3] / "chroot_fixtures" / "guests" / "fuzz" / "memory_model.c"
FLAGS = {64: ["-O1"], 32: ["-O1", "-m32", "-D_FILE_OFFSET_BITS=64"]}

#: What a sequence printed: a line for each operation, and its exit status.
Run = list[str]


class Guest:
    """The guest for an ABI of so many bits, with a root of its own."""

    def __init__(self, base: Path, bits: int = 64, segments: str = "patch") -> None:
        self.root = base / "root"
        self.directory = base / "native"
        self.directory.mkdir(parents=True)
        for name in ("tmp", "proc", "dev", "etc", "work"):
            (self.root / name).mkdir(parents=True)
        self.program = self.root / "memory_model"
        subprocess.run(["gcc", *FLAGS[bits], "-static", "-o", self.program, SOURCE], check=True)
        # Mappings of a tmpfs need one
        self.memory = tempfile.mkdtemp(prefix="lbw-model-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.segments = segments
        self.machine: Machine | None = None

    def close(self) -> None:
        if self.machine is not None:
            self.machine.close()
        shutil.rmtree(self.memory)

    def natively(self, programs: list[Program]) -> list[Run]:
        """Run on this machine."""
        command = [os.fspath(self.program), os.fspath(self.directory), self.memory]
        ended = subprocess.run(
            command, input=encode(programs), stdout=subprocess.PIPE, env={}, timeout=100, start_new_session=True
        )
        return decode(ended.stdout, len(programs))

    def under_lbw(self, programs: list[Program]) -> list[Run]:
        """Run on a machine that is used again and again."""
        if self.machine is None:
            self.machine = Machine(root=self.root, memory=256 << 20, segments=self.segments)
        return self.run_on(self.machine, programs)

    @staticmethod
    def run_on(machine: Machine, programs: list[Program]) -> list[Run]:
        """Run on `machine`, whose root is this guest's."""
        ended = machine.run(["/memory_model", "/work", "/dev/shm"], stdin=encode(programs), stdout=PIPE, stderr=PIPE)
        sys.stderr.buffer.write(ended.stderr or b"")
        assert ended.stderr == b""
        return decode(ended.stdout or b"", len(programs))


def encode(programs: list[Program]) -> bytes:
    """Return what the guest reads."""
    return "\n".join(line for program in programs for line in ["-", *program]).encode() + b"\n"


def decode(output: bytes, count: int) -> list[Run]:
    """Return what each of `count` sequences printed."""
    runs: list[Run] = [[]]
    for line in output.decode(errors="backslashreplace").splitlines():
        runs[-1].append(line)
        if line.startswith("= "):
            runs.append([])
    if not runs[-1]:
        runs.pop()
    return runs + [["nothing"]] * (count - len(runs))
