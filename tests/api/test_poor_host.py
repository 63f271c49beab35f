"""A host that has less memory than the machine was promised: lbw lives, and so do its guests as far as it goes."""

from __future__ import annotations

import subprocess

import pytest
from lbw_command import FIXTURES
from strict_ram import StrictRam

from lbw import PIPE, Machine
from lbw.machine import hardware


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("poor")
    for name in ("tmp", "proc", "dev", "bin"):
        (root / name).mkdir()
    source = FIXTURES / "guests" / "greedy" / "pressure.c"
    subprocess.run(["gcc", "-O1", "-static", "-o", root / "bin" / "pressure", source], check=True)
    with (root / "file").open("wb") as file:
        for number in range(480):
            file.seek(number * 65536)
            file.write(number.to_bytes(8, "little"))
        file.truncate(480 * 65536)
    return root


@pytest.mark.parametrize(
    "what, status, output",
    [
        ("read-private", 0, b"0 wrong, 0 the second time\n"),
        ("write-shared", 0, b"0 wrong, msync 0, 0 wrong in the file\n"),
        ("together", 0, b"-9\n"),
        ("tables", 137, b""),
    ],
)
def test_the_host_gives_a_tenth_of_the_memory(what, status, output, root, monkeypatch):
    rams: list[StrictRam] = []

    def poor(size: int) -> StrictRam:
        rams.append(StrictRam(size, 100))
        return rams[-1]

    monkeypatch.setattr(hardware, "Ram", poor)
    with Machine(root, overlay=True, memory=64 << 20) as machine:
        result = machine.run(["/bin/pressure", what, "/file"], stdout=PIPE)
        found = 128 + result.signal if result.signal else result.status
        assert (found, result.stdout) == (status, output)
        assert rams[0].refusals
        again = machine.run(["/bin/pressure", "hello"])
        assert again.status == 5
