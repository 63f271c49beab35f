"""Real programs of a Debian root: output, errors and status are those of the same root under native chroot."""

from __future__ import annotations

import json

import pytest
from lbw_command import in_root, natively
from program_cases import ALWAYS, EXPECTED, IN_ROOT, SCRIPT_NAMES, normal, stdin, words


def parts(outcome) -> tuple[int, str, str]:
    return outcome.status, outcome.output, normal(outcome.errors)


@pytest.mark.parametrize("name", [*ALWAYS, *SCRIPT_NAMES])
def test_a_program_behaves_as_in_a_native_chroot(name, debian_root, native_root):
    if native_root is not None:
        expected = parts(natively(native_root, *words(name), stdin=stdin(name)))
    else:
        expected = tuple(json.loads(EXPECTED.read_text())[name])
    assert parts(in_root(debian_root, *words(name), stdin=stdin(name))) == expected


@pytest.mark.parametrize("name", IN_ROOT)
def test_a_program_finds_in_the_root_what_is_there(name, debian_root, native_root):
    outcome = in_root(debian_root, *words(name))
    if native_root is not None:
        assert parts(outcome) == parts(natively(native_root, *words(name)))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.count("\n") >= 1
