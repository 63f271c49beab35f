"""Guest programs in C: compiled once, run natively and under lbw, output and exit status compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUESTS = Path(__file__).parents[2] / "chroot_fixtures" / "guests"
SOURCES = sorted(path.stem for path in GUESTS.glob("*.c") if not path.stem.startswith("loader_"))  # no libc in those


@pytest.fixture(scope="session")
def binaries(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("guests")


def build(source: str, binaries: Path) -> Path:
    program = binaries / source
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", program, GUESTS / f"{source}.c", "-lm"], check=True)
    return program


def make_root(tmp_path: Path, program: Path) -> Path:
    root = tmp_path / "root"
    for directory in ("tmp", "proc", "dev", "etc", "work"):
        (root / directory).mkdir(parents=True)
    shutil.copy(program, root / program.name)
    return root


def natively(program: Path, directory: Path) -> tuple[int, bytes]:
    """Run in `directory` as the guest does: nothing inherited but the standard streams."""
    directory.mkdir()
    process = subprocess.run(
        [str(program.resolve())], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
        env={"PATH": "/bin", "HOME": "/"}, start_new_session=True, preexec_fn=lambda: os.umask(0o22),
    )  # fmt: skip
    status = process.returncode
    return (128 - status if status < 0 else status), process.stdout


def under_lbw(program: str, root: Path) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "lbw", "run", "--root", str(root), "-w", "/work", f"/{program}"]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return process.returncode, process.stdout, process.stderr


@pytest.mark.parametrize("source", SOURCES)
def test_a_guest_behaves_as_it_does_natively(source, binaries, tmp_path):
    program = build(source, binaries)
    expected_status, expected = natively(program, tmp_path / "native")
    root = make_root(tmp_path, program)
    status, output, errors = under_lbw(program.name, root)
    assert errors.decode(errors="replace") == ""
    assert output.decode(errors="replace") == expected.decode(errors="replace")
    assert status == expected_status
