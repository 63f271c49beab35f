"""What is installed from a wheel is all of lbw, and runs where the source tree is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from meta_sources import PACKAGE, REPOSITORY

PATTERNS = ("*.egg-info", "build", "__pycache__")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build from a copy, so that the tree stays as it is."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(PACKAGE, source / "lbw", ignore=shutil.ignore_patterns(*PATTERNS))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", target, source]
    subprocess.run(command, check=True, capture_output=True)
    (result,) = target.glob("*.whl")
    return result


def test_every_file_is_in_it(wheel):
    paths = {*PACKAGE.rglob("*.py"), PACKAGE / "py.typed"}
    paths |= {path for path in (PACKAGE / "loader" / "vdso").iterdir() if path.is_file()}  # images and their sources
    files = {path.relative_to(REPOSITORY).as_posix() for path in paths}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lbw/")} == files


def test_it_runs_where_the_sources_are_not(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    (tmp_path / "root").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert run("-c", "import lbw; print(lbw.__file__)").stdout.strip() == str(installed / "lbw" / "__init__.py")
    assert run("-m", "lbw", "--version").stdout.startswith("lbw ")
    missing = run("-m", "lbw", "run", "--root", "root", "/bin/true")
    assert (missing.returncode, missing.stderr) == (127, "lbw: /bin/true: there is no such program in the root\n")
