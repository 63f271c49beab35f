"""Corrupted ELF files: a clear error, or a guest that dies of its own errors; lbw neither fails nor hangs."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbw import PIPE, Machine
from lbw.errors import NotExecutableError, ProgramNotFoundError

SOURCE = """
__asm__(".globl _start\\n_start: mov $60, %eax; mov $7, %edi; syscall; ud2");
char data[100] = {1}, zero[9000];
"""


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A machine whose root has room for one program, and a small program that works."""
    root = tmp_path_factory.mktemp("broken")
    (root / "p.c").write_text(SOURCE)
    for name, options in (("static", ["-static"]), ("pie", ["-static-pie"])):
        command = ["gcc", *options, "-nostdlib", "-Wl,-z,noseparate-code", "-s", "-o", root / name, root / "p.c"]
        subprocess.run(command, check=True)
    programs = [(root / name).read_bytes() for name in ("static", "pie")]
    with Machine(root, memory=64 << 20) as machine:
        yield root, machine, programs


def attempt(root, machine, data: bytes, serial: list[int]) -> None:
    serial[0] += 1
    path = root / f"program{serial[0]}"
    path.write_bytes(data)
    path.chmod(0o755)
    try:
        result = machine.run([f"/{path.name}"], stdout=PIPE, stderr=PIPE)
        assert 0 <= result.status < 256
    except (NotExecutableError, ProgramNotFoundError) as error:
        assert path.name in str(error)
    finally:
        path.unlink()


def test_the_programs_work(setting):
    root, machine, programs = setting
    for number, data in enumerate(programs):
        path = root / f"good{number}"
        path.write_bytes(data)
        path.chmod(0o755)
        assert machine.run([f"/good{number}"]).status == 7


def test_truncated_programs(setting):
    root, machine, programs = setting
    serial = [0]
    for data in programs:
        for length in [*range(0, 400, 9), *range(400, len(data), 997)]:
            attempt(root, machine, data[:length], serial)


HEADERS = 64 + 56 * 8

VALUES = [b"\0", b"\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1", b"\x10\0\0\0"]
PATCHES = st.lists(st.tuples(st.integers(16, HEADERS), st.sampled_from(VALUES)), min_size=1, max_size=4)


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(which=st.integers(0, 1), patches=PATCHES)
def test_corrupted_headers(setting, which, patches):
    root, machine, programs = setting
    data = bytearray(programs[which])
    for offset, patch in patches:
        data[offset : offset + len(patch)] = patch
    attempt(root, machine, bytes(data), [1000])
