"""Dynamic programs in the three modes: libraries that come and go, sites shared by all processes of a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbw import PIPE, STDOUT, Machine

GUESTS = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "faults" / "dynamic"
MODELS = {"general_dynamic": "global-dynamic", "local_dynamic": "local-dynamic", "initial_exec": "initial-exec"}
SEGMENTS = ("patch", "fault", "base")


def copy_libraries(program: Path, root: Path) -> None:
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    for name in re.findall(r"(/\S+) \(0x", listed):
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(name), target)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for directory in ("bin", "lib", "tmp", "proc", "dev"):
        (root / directory).mkdir()
    subprocess.run(["gcc", "-O1", "-pthread", "-o", root / "bin/tls", GUESTS / "tls_program.c"], check=True)
    for name, model in MODELS.items():
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", f"-ftls-model={model}", f"-DNAME={name}", f"-DVARIABLE={name}_value",
             "-o", root / f"lib/{name}.so", GUESTS / "tls_library.c"], check=True,
        )  # fmt: skip
    copy_libraries(root / "bin/tls", root)
    for program in ("dash", "cat", "true", "ls"):
        found = shutil.which(program)
        assert found is not None
        shutil.copy(os.path.realpath(found), root / "bin" / program)
        copy_libraries(root / "bin" / program, root)
    return root


@pytest.fixture(scope="module")
def native(root) -> str:
    return subprocess.run([root / "bin/tls", root / "lib"], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def machine(root) -> Iterator[Machine]:
    with Machine(root) as machine:
        yield machine


@pytest.mark.parametrize("segments", SEGMENTS)
def test_libraries_with_thread_local_memory_come_and_go(root, native, segments):
    with Machine(root, segments=segments) as machine:
        result = machine.run(["/bin/tls", "/lib"], stdout=PIPE, stderr=STDOUT)
    assert result.stdout is not None
    assert result.stdout.decode() == native
    assert result.status == 0


def test_what_one_process_met_no_other_process_meets_again(machine):
    machine.run(["/bin/dash", "-c", "/bin/true; /bin/ls / | /bin/cat"], stdout=PIPE)
    faults = machine.board.faults
    before = faults.traps
    script = "i=0; while [ $i -lt 100 ]; do /bin/true; /bin/ls / | /bin/cat; i=$((i+1)); done"
    result = machine.run(["/bin/dash", "-c", script], stdout=PIPE)
    assert result.status == 0
    assert result.stdout == machine.run(["/bin/dash", "-c", script], stdout=PIPE).stdout
    assert faults.traps - before < 20  # by 600 processes


def test_a_child_that_shares_its_parents_page_table_traps_once_at_each_site(root):
    apart = "-Wl,-z,max-page-size=0x200000"  # data has a page table of its own, so that of the code stays shared
    subprocess.run(["gcc", "-O1", "-static", apart, "-o", root / "bin/forked", GUESTS / "forked.c"], check=True)
    for _ in range(4):  # which of the two the engine comes to first is a matter of luck
        with Machine(root) as machine:
            assert machine.run(["/bin/forked"]).status == 0
            assert sum(site.traps for site in machine.sites()) < 500
