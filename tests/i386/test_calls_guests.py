"""32-bit guest programs, run natively and under lbw: output and exit status compared.

`calls_*.c` make the calls of the i386 table by their numbers, also those that no C library uses any more. The guests
of tests/guests are compiled for i386 too: with 32-bit offsets and times, and with 64-bit ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUESTS = Path(__file__).parents[2] / "chroot_fixtures" / "guests"
CALLS = sorted(path.stem for path in (GUESTS / "i386").glob("calls_*.c"))
SMALL: tuple[str, ...] = ()
LARGE = ("-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64")
#: Guests of tests/guests whose calls have another layout with 64-bit offsets or times: both ways.
BOTH = (
    "file_attrs", "file_getdents", "file_locks", "file_poll", "file_rw", "file_sparse", "process_futex",
    "signal_restart", "signal_timers",
)  # fmt: skip
#: Those where it makes no difference.
ONCE = ("file_links", "file_perm", "process_clone", "process_exec", "process_wait", "signal_masks", "signal_threads")


def compare(source: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    """Compile a guest, run it in both worlds and compare."""
    root = tmp_path / "root"
    for directory in ("tmp", "proc", "dev", "etc", "work"):
        (root / directory).mkdir(parents=True)
    program = root / source.stem
    command = ["gcc", "-m32", "-O1", "-w", "-static", "-pthread", *flags, "-o", str(program), str(source), "-lm"]
    subprocess.run(command, check=True)
    shutil.copy(program, tmp_path / source.stem)
    (tmp_path / "native").mkdir()
    native = subprocess.run(
        [str(tmp_path / source.stem)], cwd=tmp_path / "native", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        timeout=60, env={"PATH": "/bin", "HOME": "/"}, start_new_session=True, preexec_fn=lambda: os.umask(0o22),
    )  # fmt: skip
    ours = subprocess.run(
        [sys.executable, "-m", "lbw", "run", "--root", str(root), "-w", "/work", f"/{source.stem}"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
    )  # fmt: skip
    assert ours.stderr.decode(errors="replace") == ""
    assert ours.stdout.decode(errors="replace") == native.stdout.decode(errors="replace")
    assert ours.returncode == (128 - native.returncode if native.returncode < 0 else native.returncode)


@pytest.mark.parametrize("name", CALLS)
def test_calls_by_number(name, tmp_path):
    compare(GUESTS / "i386" / f"{name}.c", SMALL, tmp_path)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("flags", (SMALL, LARGE), ids=("small", "large"))
def test_calls_of_a_c_library(name, flags, tmp_path):
    compare(GUESTS / f"{name}.c", flags, tmp_path)


@pytest.mark.parametrize("name", ONCE)
def test_calls_without_offsets(name, tmp_path):
    compare(GUESTS / f"{name}.c", SMALL, tmp_path)
