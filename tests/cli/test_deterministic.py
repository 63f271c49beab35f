"""`lbw run --deterministic`: a run repeats exactly, races, time and randomness included."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lbw_command import FIXTURES, lbw

from lbw.machine import PIPE, Machine

GUESTS = FIXTURES / "guests" / "repeat"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for directory in ("tmp", "proc", "dev", "etc"):
        (root / directory).mkdir()
    for source in GUESTS.glob("*.c"):
        subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", root / source.stem, source], check=True)
    return root


def run(root: Path, *options: str, program: str = "/race"):
    return lbw("run", *options, "--root", str(root), program)


@pytest.mark.parametrize("segments", ["patch", "fault", "base"])
def test_a_race_repeats(root, segments):
    outcomes = {run(root, "--deterministic", "--segments", segments).output for _ in range(3)}
    assert len(outcomes) == 1
    (output,) = outcomes
    assert "an hour: 3600 s" in output and output.endswith(" 1\n")
    assert int(output.split()[1]) > 0  # it is a race


def test_every_trap_repeats(root):
    traces = [run(root, "--deterministic=5", "--strace").errors for _ in range(2)]
    assert traces[0] == traces[1]
    assert traces[0].count("getpid") == 4000


def test_another_seed_is_another_interleaving(root):
    orders = {seed: run(root, f"--deterministic={seed}").output.split()[3] for seed in range(4)}
    assert len(set(orders.values())) == 4
    assert run(root, "--deterministic=0x2").output.split()[3] == orders[2]


def test_runs_in_one_process_repeat_too(root):
    outputs = []
    for _ in range(2):
        with Machine(root, deterministic=7) as machine:
            result = machine.run(["/race"], stdin=b"", stdout=PIPE)
            assert result.status == 0
            outputs.append(result.stdout)
    assert outputs[0] == outputs[1] == run(root, "--deterministic=7").output.encode()


def test_a_program_that_spins_goes_on_and_is_named(root):
    outcome = run(root, "--deterministic", program="/spin")
    assert outcome.output == "seen\n"
    assert "spin[2] computed for a second" in outcome.errors


def test_input_is_awaited(root, tmp_path):
    subprocess.run(
        ["gcc", "-static", "-x", "c", "-o", root / "echo", "-"], check=True, text=True,
        input='#include <unistd.h>\nint main() { char b[9]; long n = read(0, b, 9); return write(1, b, n) != n; }',
    )  # fmt: skip
    with Machine(root, deterministic=0) as machine:
        assert machine.run(["/echo"], stdin=b"hello", stdout=PIPE).stdout == b"hello"


def test_a_seed_is_a_number(root):
    outcome = run(root, "--deterministic=often")
    assert (outcome.status, outcome.errors) == (125, "lbw: --deterministic takes a number, not 'often'\n")
