"""Debian's i386 programs: output, errors and status are those of the same root under native chroot."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from lbw_command import FIXTURES, in_root, natively

sys.path.append(str(Path(__file__).parents[1] / "root"))
from program_cases import normal  # of the tests of the 64-bit root

_COMMANDS = tomllib.loads((FIXTURES / "i386_programs.toml").read_text())
PROGRAMS = {f"shell {name}": ("/bin/bash", "-c", text) for name, text in _COMMANDS["shell"].items()}
PROGRAMS |= {f"perl {name}": ("/usr/bin/perl", "-e", text) for name, text in _COMMANDS["perl"].items()}



@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_behaves_as_in_a_native_chroot(name, i386_root, native_i386):
    ours = in_root(i386_root, *PROGRAMS[name])
    if native_i386 is not None:
        native = natively(native_i386, *PROGRAMS[name])
        assert (ours.status, ours.output, normal(ours.errors)) == (native.status, native.output, normal(native.errors))
    else:
        assert ours.output
        assert "lbw:" not in ours.errors


@pytest.mark.parametrize("script", sorted(path.name for path in (FIXTURES / "scripts").glob("*.*sh")))
def test_a_script_behaves_as_in_a_native_chroot(script, i386_root, native_i386):
    words = ("/bin/bash" if script.endswith(".bash") else "/bin/dash", "-s")
    text = (FIXTURES / "scripts" / script).read_bytes()
    ours = in_root(i386_root, *words, stdin=text)
    assert "lbw:" not in ours.errors
    if native_i386 is not None:
        native = natively(native_i386, *words, stdin=text)
        assert (ours.status, ours.output, normal(ours.errors)) == (native.status, native.output, normal(native.errors))
