"""Guests that take all they can get: processes, memory, files. lbw lives, and the host does too."""

from __future__ import annotations

import subprocess

import pytest
from lbw_command import FIXTURES, command, host_environment, lbw


@pytest.fixture(scope="module")
def greedy_root(tmp_path_factory):
    """A root with the greedy guest."""
    root = tmp_path_factory.mktemp("greedy")
    for name in ("tmp", "proc", "dev", "bin"):
        (root / name).mkdir()
    source = FIXTURES / "guests" / "greedy" / "greedy.c"
    subprocess.run(["gcc", "-O1", "-static", "-o", root / "bin" / "greedy", source], check=True)
    return root


def greedy(root, what: str, memory: str = "64M"):
    outcome = lbw("run", "--root", root, "--memory", memory, "/bin/greedy", what)
    assert "Traceback" not in outcome.errors
    assert "bug in" not in outcome.errors
    return outcome


@pytest.mark.parametrize("memory", ["16M", "64M", "300M"])
@pytest.mark.parametrize("what", ["malloc", "sparse-write", "sparse-read", "dense"])
def test_the_memory_hog_is_killed(what, memory, greedy_root):
    outcome = greedy(greedy_root, what, memory)
    assert outcome.status == 137
    assert "out of memory: killed greedy[" in outcome.errors


def test_the_largest_process_is_killed_and_the_others_live(greedy_root):
    outcome = greedy(greedy_root, "children")
    assert (outcome.status, outcome.output) == (0, "a child was killed by 9\nthe parent lives\n")
    assert outcome.errors.count("out of memory") == 1


def test_a_stack_without_end(greedy_root):
    assert greedy(greedy_root, "recursion").status == 139


def test_tmpfs_is_full_before_memory_is(greedy_root):
    outcome = greedy(greedy_root, "tmpfs")
    assert (outcome.status, outcome.output) == (0, "No space left on device\n")


def test_mappings_without_end(greedy_root):
    outcome = greedy(greedy_root, "mappings")
    assert (outcome.status, outcome.output) == (0, "Cannot allocate memory\n")


def test_pipes_without_end(greedy_root):
    outcome = greedy(greedy_root, "pipes")
    assert (outcome.status, outcome.output) == (0, "Too many open files\n")


def test_pipes_share_a_quarter_of_the_memory(greedy_root):
    outcome = greedy(greedy_root, "pipe-memory", "16M")
    pipes = (1024 - 3) // 2
    held = 64 * 64 + (pipes - 64) * 4
    assert (outcome.status, outcome.output) == (
        0,
        f"{pipes} pipes, 64 of them large, hold {held} kB\nOperation not permitted\n65536 bytes again\n",
    )


def test_more_than_there_is_cannot_be_mapped(greedy_root):
    outcome = greedy(greedy_root, "too-much")
    assert (outcome.status, outcome.output) == (0, "Cannot allocate memory\n" * 3)


def test_ten_thousand_children_meet_the_limit(greedy_root):
    outcome = greedy(greedy_root, "children-without-end", "1G")
    assert (outcome.status, outcome.output) == (0, "Resource temporarily unavailable\nall have gone\n")


def test_a_fork_bomb_can_be_ended(greedy_root):
    words = command("run", "--root", greedy_root, "--memory", "1G", "/bin/greedy", "bomb")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=host_environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"Resource temporarily unavailable\n"
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, b"")


def test_arguments_have_a_limit(greedy_root):
    outcome = greedy(greedy_root, "arguments")
    assert (outcome.status, outcome.output) == (
        0,
        "one of 128 kB: Argument list too long\nall of 2 MB: Argument list too long\n",
    )
