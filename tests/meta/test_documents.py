"""The documents are true where a machine can tell."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from meta_sources import REPOSITORY

import lbw

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])


def commands(text: str) -> list[str]:
    """Return the commands of the first two code blocks of a shell."""
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[:2]]


def output_of(*words: str) -> str:
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True).stdout


def test_continuous_integration_calls_the_second_command_of_the_readme():
    first, second = commands((REPOSITORY / "README.md").read_text())
    assert first.startswith("sh setup.sh") and "lbw run /bin/sh" in first
    script = [line.strip() for line in (REPOSITORY / ".ci" / "run").read_text().splitlines() if line.strip()]
    assert script[-1] == second
    assert (REPOSITORY / second.split()[1]).is_file()


def test_coverage_is_what_the_generator_writes():
    assert (REPOSITORY / "docs" / "coverage.md").read_text() == output_of("-m", "lbw.trace.coverage")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    """`lbw/mm/vma.py` in a document is a file of the tree."""
    for name in re.findall(r"`((?:lbw|tests|benchmarks|docs|chroot_fixtures)/[\w./-]*)`", path.read_text()):
        assert (REPOSITORY / name).exists(), f"{path.name}: {name}"


def test_options_that_are_named_exist():
    """Every option of lbw in the README is one that the command line knows."""
    known = ""
    for words in (["--help"], ["run", "--help"], ["chroot", "create", "--help"]):
        known += output_of("-m", "lbw", *words)
    for line in (REPOSITORY / "README.md").read_text().splitlines():
        if re.match(r"\$ (\.venv/bin/)?lbw (run|chroot)", line):
            for option in re.findall(r"(?<= )--[a-z]+", line.partition(" /bin/")[0]):
                assert option in known, line


def test_the_changelog_knows_this_version():
    pattern = rf"^## \[?{re.escape(lbw.__version__)}\]?"
    assert re.search(pattern, (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
