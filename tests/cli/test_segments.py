"""`lbw run --segments`: the three modes on a real shell, and what is none."""

from __future__ import annotations

import pytest
from lbw_command import in_root, lbw

SCRIPT = 'for i in 1 2 3; do x=$(echo "$i" | cat); sum="$sum$x"; done; echo "$sum"; (exit 7)'


@pytest.mark.parametrize("segments", ["patch", "fault", "base"])
def test_a_shell_runs_in_each_mode(debian_root, segments):
    outcome = in_root(debian_root, "/bin/sh", "-c", SCRIPT, options=("--segments", segments))
    assert (outcome.status, outcome.output, outcome.errors) == (7, "123\n", "")


def test_statistics_tell_what_became_of_sites(debian_root):
    patch = in_root(debian_root, "/bin/true", options=("--stats",)).errors
    fault = in_root(debian_root, "/bin/true", options=("--stats", "--segments=fault")).errors
    base = in_root(debian_root, "/bin/true", options=("--stats", "--segments=base")).errors
    assert "patched" in patch and "mov" in patch
    assert "redirected" in fault
    assert "redirected" not in base


def test_another_mode_is_a_usage_error(debian_root):
    outcome = lbw("run", "--root", debian_root, "--segments", "sometimes", "/bin/true")
    assert outcome.status == 125
    assert "segments" in outcome.errors
