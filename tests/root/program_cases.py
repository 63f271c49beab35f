"""What is run in the Debian root, natively and under lbw.

The commands are in chroot_fixtures/programs.toml, the scripts in chroot_fixtures/scripts/. What those print that do not
depend on the root's packages is recorded in chroot_fixtures/expected/, for machines that cannot chroot.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from lbw_command import FIXTURES

EXPECTED = FIXTURES / "expected" / "programs.json"
SCRIPTS = FIXTURES / "scripts"

_COMMANDS = tomllib.loads((FIXTURES / "programs.toml").read_text())
IN_ROOT: dict[str, str] = _COMMANDS["in_root"]
ALWAYS: dict[str, str] = _COMMANDS["always"]

_KILLED = re.compile(r"(line \d+:) +\d+ +(?=Killed|Terminated|Segmentation)")


def words(name: str) -> tuple[str, ...]:
    """Return the command of a case; `.bash` and `.sh` are scripts, which are fed to the shell's input."""
    if name.endswith(".bash"):
        return ("/bin/bash", "-s")
    if name.endswith(".sh"):
        return ("/bin/dash", "-s")
    return ("/bin/bash", "-c", (IN_ROOT | ALWAYS)[name])


def stdin(name: str) -> bytes:
    """Return what a case reads."""
    script = SCRIPTS / name
    return Path(script).read_bytes() if script.suffix in (".bash", ".sh") else b""


def normal(text: str) -> str:
    """Take process ids out of bash's messages about killed jobs."""
    return _KILLED.sub(r"\1 PID ", text)


SCRIPT_NAMES = sorted(path.name for path in SCRIPTS.iterdir())
