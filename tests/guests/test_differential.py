"""Guest programs in C: compiled once, run natively and under lbw, output and exit status compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUESTS = Path(__file__).parents[2] / "chroot_fixtures" / "guests"
SOURCES = sorted(path.name for path in GUESTS.glob("*.c") if not path.stem.startswith("loader_"))  # no libc in those
AREAS = ("faults", "threads", "signals", "time", "tty", "waiting", "ipc", "unix", "memory")
SOURCES += sorted(f"{area}/{path.name}" for area in AREAS for path in GUESTS.glob(f"{area}/*.c*"))


#: How programs reach thread-local memory, `lbw run --segments`.
SEGMENTS = ("patch", "fault", "base")


def build(source: str, directory: Path) -> Path:
    path = GUESTS / source
    program = directory / path.stem
    compiler = "gcc" if path.suffix == ".c" else "g++"
    subprocess.run([compiler, "-O1", "-static", "-pthread", "-o", program, path, "-lm"], check=True)
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


def under_lbw(program: str, root: Path, *options: str) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "lbw", "run", *options, "--root", str(root), "-w", "/work"]
    process = subprocess.run([*command, f"/{program}"], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return process.returncode, process.stdout, process.stderr


#: Guests of threads, signals, waiting and IPC must not notice that time is virtual; all but those that compute until
#: a certain time, which stands still meanwhile.
VIRTUAL = [source for source in SOURCES if source.partition("/")[0] in ("threads", "signals", "waiting", "ipc", "unix")]
VIRTUAL = [source for source in VIRTUAL if source != "threads/rseq.c"]


class Original:
    """A guest, and what it does natively."""

    def __init__(self, source: str, directory: Path) -> None:
        self.source = source
        self.program = build(source, directory)
        self.status, self.output = natively(self.program, directory / "native")


@pytest.fixture(scope="module", params=SOURCES)
def original(request, tmp_path_factory) -> Original:
    return Original(request.param, tmp_path_factory.mktemp("guest"))


@pytest.mark.parametrize("segments", SEGMENTS)
def test_a_guest_behaves_as_it_does_natively(original, segments, tmp_path):
    root = make_root(tmp_path, original.program)
    status, output, errors = under_lbw(original.program.name, root, "--segments", segments)
    assert errors.decode(errors="replace") == ""
    assert output.decode(errors="replace") == original.output.decode(errors="replace")
    assert status == original.status


def test_a_guest_behaves_so_in_virtual_time(original, tmp_path):
    if original.source not in VIRTUAL:
        return
    root = make_root(tmp_path, original.program)
    status, output, errors = under_lbw(original.program.name, root, "--deterministic")
    assert all("this run may not repeat" in line for line in errors.decode(errors="replace").splitlines())
    assert output.decode(errors="replace") == original.output.decode(errors="replace")
    assert status == original.status
