"""Record what the programs of tests/root print natively: `python chroot_fixtures/record_expected.py ROOT`, as root.

ROOT is a Debian root made by `lbw chroot create`; a copy of it is used.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from lbw_command import natively  # noqa: E402  (after the path)
from program_cases import ALWAYS, EXPECTED, SCRIPT_NAMES, normal, stdin, words  # noqa: E402


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root"
        subprocess.run(["cp", "-a", sys.argv[1], root], check=True)
        recorded = {}
        for name in [*ALWAYS, *SCRIPT_NAMES]:
            outcome = natively(root, *words(name), stdin=stdin(name))
            recorded[name] = [outcome.status, outcome.output, normal(outcome.errors)]
        EXPECTED.write_text(json.dumps(recorded, indent=1) + "\n")


main()
