"""`#!` lines. The expectations were compared with Linux, over thousands of random lines."""

from __future__ import annotations

import pytest

from lbw.abi.errno import ENOEXEC
from lbw.loader.image import FormatError
from lbw.loader.script import parse_script


@pytest.mark.parametrize(
    ("line", "interpreter", "argument"),
    [
        (b"#!/bin/sh\necho", b"/bin/sh", None),
        (b"#!/bin/sh", b"/bin/sh", None),
        (b"#! \t/bin/sh \t\n", b"/bin/sh", None),
        (b"#!/usr/bin/env -S python3 -u \nrest", b"/usr/bin/env", b"-S python3 -u"),
        (b"#!/bin/sh\t-e", b"/bin/sh", b"-e"),
        (b"#!/bin/sh\r\n", b"/bin/sh\r", None),
        (b"#!sh\n", b"sh", None),
        (b"#!/bin/sh\0 -x\n", b"/bin/sh", None),
        (b"#!/bin/sh -x\0y\n", b"/bin/sh", b"-x"),
        (b"#!/" + b"i" * 252 + b"\n", b"/" + b"i" * 252, None),
        (b"#!/bin/sh " + b"a" * 300 + b"\n", b"/bin/sh", b"a" * 245),  # the argument is cut off
    ],
)
def test_accepted(line, interpreter, argument):
    script = parse_script(line)
    assert (script.interpreter, script.argument) == (interpreter, argument)


@pytest.mark.parametrize(
    "line", [b"#!\n", b"#! \t \n/bin/sh", b"#!" + b" " * 300 + b"/bin/sh\n", b"#!/" + b"i" * 253 + b"\n"]
)
def test_refused(line):
    with pytest.raises(FormatError) as caught:
        parse_script(line)
    assert caught.value.errno == ENOEXEC


def test_arguments():
    assert parse_script(b"#!/bin/x -a b\n").arguments(b"./s", [b"s", b"1", b"2"]) == [
        b"/bin/x",
        b"-a b",
        b"./s",
        b"1",
        b"2",
    ]
    assert parse_script(b"#!/bin/x\n").arguments(b"./s", [b""]) == [b"/bin/x", b"./s"]
