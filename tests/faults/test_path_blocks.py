"""Generated functions, run plainly, in single steps and with signals, natively and in the three modes of `--segments`.

`pytest tests/fuzz tests/faults/test_path_blocks.py --fuzz-examples N` for more of them. Some of those find what Unicorn
does otherwise than a processor, with its true bases too; so they are compared with that.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest
from block_program import Generator

from lbw import PIPE, STDOUT, Machine

HARNESS = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "faults" / "blocks" / "harness.c"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    examples = metafunc.config.getoption("--fuzz-examples", 0)
    draw = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))  # all workers must draw the same
    metafunc.parametrize("seed", [draw.randrange(1 << 32) for _ in range(examples)] if examples else [1, 2, 3])


def test_generated_functions_do_what_they_do_natively(request, seed, tmp_path):
    root = tmp_path / "root"
    for directory in ("tmp", "proc", "dev"):
        (root / directory).mkdir(parents=True)
    source, program = tmp_path / "blocks.s", root / "program"
    source.write_text(Generator(seed).program(25))
    subprocess.run(["gcc", "-O1", "-static", "-no-pie", "-o", program, HARNESS, source], check=True)
    outputs = {}
    for segments in ("base", "fault", "patch"):
        with Machine(root, segments=segments) as machine:
            outputs[segments] = machine.run(["/program"], stdout=PIPE, stderr=STDOUT).stdout
    assert outputs["fault"] == outputs["base"]
    assert outputs["patch"] == outputs["base"]
    if not request.config.getoption("--fuzz-examples", 0):
        assert outputs["base"] == subprocess.run([program], stdout=subprocess.PIPE, check=True, timeout=60).stdout
