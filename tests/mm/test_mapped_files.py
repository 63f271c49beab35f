"""Mapped files seen from outside: what is in the host's file, and when; what guests see of changes by the host."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest
from lbw_command import FIXTURES, command, host_environment, lbw

RECORD = struct.Struct("<II56s")
COUNT = 2000


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mapped") / "mapped"
    source = FIXTURES / "guests" / "mapped" / "mapped.c"
    subprocess.run(["gcc", "-O1", "-static", "-o", path, source], check=True)
    return path


@pytest.fixture
def root(program, tmp_path) -> Path:
    root = tmp_path / "root"
    for name in ("tmp", "proc", "dev", "bin", "data", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(program, root / "bin" / "mapped")
    return root


class Running:
    """A guest that runs beside the test."""

    def __init__(self, root: Path, *words: str, options: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            command("run", "--root", root, *options, "/bin/mapped", *words),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=host_environment(),
            start_new_session=True,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self, signo: int = 0) -> int:
        if signo:
            self.process.send_signal(signo)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.mark.parametrize("how", ["msync", "fsync", "write"])
def test_what_was_acknowledged_survives_the_death_of_lbw(how, root):
    chance = random.Random(how)
    for _ in range(3):
        file = root / "data" / "records"
        file.write_bytes(bytes(RECORD.size * COUNT))
        guest = Running(root, "records", "/data/records", how)
        acknowledged = 0
        for _ in range(chance.randrange(1, 400)):
            acknowledged = int(guest.line())
        assert guest.end(signal.SIGKILL) == -signal.SIGKILL
        data = file.read_bytes()
        for number in range(1, acknowledged + 1):
            found = RECORD.unpack_from(data, (number - 1) * 37 % COUNT * RECORD.size)
            assert found == (number, number * 2654435761 % (1 << 32), bytes([(number - 1) % 256]) * 56)


def test_a_signal_that_ends_lbw_loses_nothing(root):
    file = root / "data" / "file"
    file.write_bytes(bytes(5000))
    guest = Running(root, "store", "/data/file", "kept by SIGTERM")
    assert guest.line() == "stored"
    assert file.read_bytes()[:4] == bytes(4)
    guest.end(signal.SIGTERM)
    assert file.read_bytes() == b"kept by SIGTERM".ljust(5000, b"\0")


@pytest.mark.parametrize("last", [(), ("exec",)])
def test_exit_and_exec_write_back(last, root):
    file = root / "data" / "file"
    file.write_bytes(bytes(5000))
    guest = Running(root, "store", "/data/file", "kept", *last)
    assert guest.line() == "stored"
    guest.go_on()
    assert guest.end() == 0
    assert file.read_bytes() == b"kept".ljust(5000, b"\0")


def test_a_pass_in_the_background_writes_back(root):
    file = root / "data" / "file"
    file.write_bytes(bytes(5000))
    guest = Running(root, "store", "/data/file", "by and by")
    assert guest.line() == "stored"
    for _ in range(600):
        if file.read_bytes()[:9] == b"by and by":
            break
        time.sleep(0.1)
    assert file.read_bytes() == b"by and by".ljust(5000, b"\0")
    guest.end(signal.SIGKILL)


def test_a_file_is_modified_when_it_is_stored_to_not_when_it_is_written(root):
    file = root / "data" / "file"
    file.write_bytes(bytes(5000))
    os.utime(file, ns=(0, 10**18))
    guest = Running(root, "store", "/data/file", "x")
    assert guest.line() == "stored"
    stored = time.time_ns()
    time.sleep(0.05)
    guest.go_on()
    guest.end()
    assert 10**18 < file.stat().st_mtime_ns <= stored


@pytest.mark.parametrize("how", ["stat", "open", "mmap"])
def test_changes_by_the_host_are_seen(how, root):
    file = root / "data" / "file"
    file.write_bytes(b"a" * 16384)
    guest = Running(root, "watch", "/data/file", how)
    assert guest.line() == "aa"
    with open(file, "r+b") as stream:
        stream.write(b"b" * 16384)
    guest.go_on()
    assert guest.line() == "bb"
    with open(file, "r+b") as stream:
        stream.write(b"c" * 20000)
    guest.go_on()
    assert guest.line() == "cc"
    assert guest.end() == 0


def test_what_the_host_refuses_is_told_and_kept_and_reported_at_the_end(root):
    (root / "data" / "file").write_bytes(b"")
    os.truncate(root / "data" / "file", 1 << 20)
    guest = Running(root, "full", "/data/file", "128")
    assert guest.line() == "stored"
    resource.prlimit(guest.process.pid, resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))
    output, errors = guest.process.communicate(b"\n", timeout=60)
    # each attempt fails anew
    assert output.decode().split() == ["msync:", "EFBIG"] * 2 + ["fsync:", "EFBIG"] * 2 + ["text", "text"]
    assert errors.decode() == "lbw: 4096 bytes of a mapped file could not be written back: EFBIG\n"


def test_two_mounts_of_a_directory_and_a_hard_link_are_one_file(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    binds = ("--bind", f"{outside}:/data", "--bind", f"{outside}:/bound")
    for second in ("/bound/file", "/data/link", "/bound/link"):
        (outside / "file").write_bytes(b"........")
        (outside / "link").unlink(missing_ok=True)
        os.link(outside / "file", outside / "link")
        outcome = lbw("run", "--root", root, *binds, "/bin/mapped", "twice", "/data/file", second)
        assert (outcome.status, outcome.output, outcome.errors) == (0, "123 123 123\n0 0\n", "")
        assert (outside / "file").read_bytes() == b"1"


def test_an_overlay_keeps_the_file_below_as_it_is(root):
    file = root / "data" / "file"
    file.write_bytes(b"a" * 5000)
    outcome = lbw("run", "--root", root, "--overlay", "/bin/mapped", "copied", "/data/file")
    assert (outcome.status, outcome.output, outcome.errors) == (0, "a!!\n", "")
    assert file.read_bytes() == b"a" * 5000


def test_a_read_only_mount_shows_but_takes_nothing(root, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"text")
    outcome = lbw("run", "--root", root, "--bind", f"{tmp_path}/outside:/data:ro", "/bin/mapped", "both", "/data/file")
    assert (outcome.status, outcome.output, outcome.errors) == (1, "read: t\nprotect: EACCES\n/data/file: EROFS\n", "")


def test_programs_that_are_mapped_for_writing_do_not_start(root):
    shutil.copy(root / "bin" / "mapped", root / "data" / "program")
    outcome = lbw("run", "--root", root, "/bin/mapped", "busy", "/data/program")
    assert outcome.output == "mapped: ETXTBSY\nmapped privately: ETXTBSY\nunmapped: 0\nrunning: ETXTBSY\n"
    assert (outcome.status, outcome.errors) == (0, "")
