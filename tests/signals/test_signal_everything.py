"""Signals to everybody: nothing but the sender and init survives `kill -9 -1`."""

from __future__ import annotations

from lbw_command import lbw


def test_kill_of_everything() -> None:
    script = (
        "i=0; while [ $i -lt 20 ]; do (trap '' TERM HUP INT; sleep 1000) & i=$((i+1)); done;"
        "(while :; do :; done) & kill -9 -1; echo $?; wait; echo left: $(ls /proc | grep -c '^[0-9]*$')"
    )
    outcome = lbw("run", "--root", "/", "/bin/bash", "-c", script)
    lines = outcome.output.split("\n")
    assert lines[0] == "0"
    assert int(lines[1].split()[1]) <= 5, outcome  # init, the shell, and those that count


def test_a_process_that_blocks_everything_dies_of_sigkill_alone() -> None:
    script = (
        "perl -e '$| = 1; use POSIX; sigprocmask(SIG_SETMASK, POSIX::SigSet->new(1..31)); kill 15, $$;"
        "print qq(alive\\n);"
        "$| = 1; print q(); system(q(true)); kill 9, $$; print qq(never\\n)'; echo status $?"
    )
    outcome = lbw("run", "--root", "/", "/bin/sh", "-c", script)
    assert outcome.output.split("\n")[:2] == ["alive", "status 137"], outcome
