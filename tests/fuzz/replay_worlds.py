"""Where a replay program runs: on this machine's Linux, and under lbw. Both start from the same small tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lbw import PIPE, Machine
from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64, Abi

GUEST = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "fuzz" / "replay.c"

Program = list[str]

#: How a program is started natively that finds no IPC objects of others.
ALONE = ["unshare", "--ipc"] if shutil.which("unshare") else []


#: What a program of i386 calls instead, where the old call has less room.
RENAMED = {
    "stat": "stat64", "lstat": "lstat64", "fstat": "fstat64", "newfstatat": "fstatat64", "setgroups": "setgroups32",
    "getgroups": "getgroups32", "setresuid": "setresuid32", "fchown": "fchown32", "sendfile": "sendfile64",
    "mmap": "mmap2",
}  # fmt: skip
#: The arguments that take two registers there.
PAIRS = {
    "pread64": [3], "pwrite64": [3], "fallocate": [2, 3], "fadvise64": [1], "readahead": [1], "sync_file_range": [1, 2],
}  # fmt: skip
#: How programs are compiled for an ABI.
FLAGS = {X86_64: ["-O1"], I386: ["-O1", "-m32", "-D_FILE_OFFSET_BITS=64", "-DWINDOW=0x30000000UL"]}


def encode(program: Program, abi: Abi = X86_64) -> bytes:
    """Return what the guest reads: numbers for the names of system calls."""
    lines = []
    for line in program:
        words = line.split(" ")
        for at, word in enumerate(words[:-1]):
            if word in ("N", "P") and at < 2:
                name, arguments = words[at + 1], words[at + 2 :]
                if abi is I386:
                    name, arguments = narrowed(name, arguments)
                words[at + 1 :] = [str(abi.numbers[name]), *arguments]
                break
        lines.append(" ".join(words))
    return "\n".join(lines).encode()


def narrowed(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Return a call as i386 makes it."""
    if name == "semop":
        return "semtimedop_time64", [*arguments, "0"]
    if name == "mmap":
        arguments = [*arguments[:5], str(int(arguments[5], 0) >> 12)]
    words = []
    for at, word in enumerate(arguments):
        if at in PAIRS.get(name, ()):
            value = int(word, 0)
            words += [str(value & 0xFFFFFFFF), str(value >> 32)]
        else:
            words.append(word)
    return RENAMED.get(name, name), words


def populate(directory: str) -> None:
    """Make a small tree of everything."""
    os.umask(0)
    os.makedirs(f"{directory}/d/e")
    os.mkdir(f"{directory}/m", 0o1777)
    for name, mode, data in [("a", 0o644, b"first"), ("d/b", 0o4755, b"second" * 1000), ("d/e/c", 0o600, b"x" * 70000)]:
        with open(f"{directory}/{name}", "wb") as file:
            file.write(data)
        os.chmod(f"{directory}/{name}", mode)
    os.symlink("d/b", f"{directory}/l")
    os.symlink("../a", f"{directory}/d/u")
    os.symlink("loop", f"{directory}/loop")
    os.symlink("nothing", f"{directory}/dangling")
    os.mkfifo(f"{directory}/p", 0o666)
    os.chmod(directory, 0o755)
    os.umask(0o22)


#: The same tree, made by the guest: for file systems that begin empty.
PROLOGUE = [
    "N umask 0", "N mkdir s64 0755", "N mkdir s642f65 0755", "N mkdir s6d 01777", "N chmod s6d 01777",
    "N open s61 0102 0644", "N write 3 h6669727374 5", "N close 3",
    "N open s642f62 0102 0755", "N write 3 y6000 6000", "N close 3", "N chmod s642f62 04755",
    "N open s642f652f63 0102 0600", "N write 3 y70000 70000", "N close 3",
    "N symlink s642f62 s6c", "N symlink s2e2e2f61 s642f75", "N symlink s6c6f6f70 s6c6f6f70",
    "N symlink s6e6f7468696e67 s64616e676c696e67", "N mknod s70 010666 0", "N umask 18",
]  # fmt: skip


class Worlds:
    """The two worlds; `kind` is the file system that programs work on: host, overlay or tmpfs."""

    def __init__(self, base: str, kind: str, abi: Abi = X86_64) -> None:
        self.kind = kind
        self.base = base
        self.abi = abi
        self.replay = f"{base}/replay-{abi.name}"
        if not os.path.exists(self.replay):
            subprocess.run(["gcc", *FLAGS[abi], "-static", "-o", self.replay, os.fspath(GUEST)], check=True)
        self.root = f"{base}/root-{kind}-{abi.name}"
        for directory in ("tmp", "proc", "dev", "etc", "w"):
            os.makedirs(f"{self.root}/{directory}")
        shutil.copy(self.replay, f"{self.root}/replay")
        self.machine = self.start()
        self.native = tempfile.mkdtemp(prefix="lbw-fuzz-", dir="/dev/shm" if kind == "tmpfs" else base)
        self.count = 0

    def start(self) -> Machine:
        """Return a machine on the root."""
        return Machine(root=self.root, overlay=self.kind == "overlay", memory=256 << 20)

    def close(self) -> None:
        self.machine.close()
        shutil.rmtree(self.native)
        shutil.rmtree(self.root)

    def both(self, program: Program, jail: bool = True) -> tuple[list[str], list[str]]:
        """Return what Linux prints, and what lbw prints."""
        return self.natively(program, jail), self.under_lbw(program, jail)

    def natively(self, program: Program, jail: bool = True) -> list[str]:
        """Run on this machine, in a fresh directory that is the root if `jail`."""
        self.count += 1
        directory = f"{self.native}/{self.count}"
        os.mkdir(directory)
        try:
            if self.kind == "tmpfs":
                program = PROLOGUE + program
            else:
                populate(directory)
            process = subprocess.run(
                [*ALONE, self.replay, directory] + ["chroot"] * jail, input=encode(program, self.abi),
                capture_output=True, env={}, timeout=30, start_new_session=True,
            )  # fmt: skip
            status = process.returncode
            return result(128 - status if status < 0 else status, process.stdout, process.stderr)
        finally:
            shutil.rmtree(directory)

    def under_lbw(self, program: Program, jail: bool = True) -> list[str]:
        """Run under lbw, in the same state."""
        self.count += 1
        if self.kind == "tmpfs":
            if self.count % 500 == 0:  # before /tmp is full
                self.machine.close()
                self.machine = self.start()
            directory = f"/tmp/{self.count}"
            making = encode([f"N mkdir s{directory.encode().hex()} 0755"], self.abi)
            made = self.machine.run(["/replay", "/tmp"], stdin=making)
            assert made.status == 0
            program = PROLOGUE + program
        else:
            directory = f"/w/{self.count}"
            os.mkdir(self.root + directory)
            populate(self.root + directory)
        try:
            ended = self.machine.run(
                ["/replay", directory] + ["chroot"] * jail, stdin=encode(program, self.abi), stdout=PIPE, stderr=PIPE
            )
            return result(ended.status, ended.stdout or b"", ended.stderr or b"")
        finally:
            if self.kind == "host":  # what is below an overlay must not change
                shutil.rmtree(self.root + directory)


def result(status: int, output: bytes, errors: bytes) -> list[str]:
    """Return the lines of a run."""
    lines = output.decode(errors="backslashreplace").splitlines()
    return [*lines, f"status {status}", *errors.decode(errors="replace").splitlines()]


def divergence(expected: list[str], found: list[str]) -> int | None:
    """Return the first line that differs."""
    for at, (left, right) in enumerate(zip(expected, found, strict=False)):
        if left != right:
            return at
    return None if len(expected) == len(found) else min(len(expected), len(found))
