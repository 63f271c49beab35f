"""The initial stack, against one that Linux made (chroot_fixtures/guests/loader_stack.c writes it)."""

from __future__ import annotations

from pathlib import Path
from struct import unpack, unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.auxv import AT_EXECFN, AT_PLATFORM, AT_RANDOM
from lbw.abi.errno import E2BIG, LinuxError
from lbw.abi.x86_64 import X86_64
from lbw.loader.stack import STRING_MAX, build_stack, check_strings

TOP = X86_64.stack_top


def at(stack, address, length=None):
    offset = address - stack.pointer
    if length is None:
        return stack.data[offset : stack.data.index(b"\0", offset)]
    return stack.data[offset : offset + length]


def pointers(stack, address):
    """The words from `address` up to a zero."""
    found = []
    while (word := unpack("<Q", at(stack, address, 8))[0]) != 0:
        found.append(word)
        address += 8
    return found, address + 8


def test_same_bytes_as_linux():
    # env -i A=1 BB=two setarch -R ./dump x yy ""
    dump = (Path(__file__).parent / "native_stack.bin").read_bytes()
    (pointer,), data = unpack_from("<Q", dump), dump[8:]
    argv, envp, execfn = [b"./dump", b"x", b"yy", b""], [b"A=1", b"BB=two"], b"./dump"
    words = unpack_from("<46Q", data, 8 * (1 + len(argv) + 1 + len(envp) + 1))
    auxv = [(kind, value) for kind, value in zip(words[::2], words[1::2], strict=True)]
    auxv = auxv[: auxv.index((0, 0))]
    random_at = dict(auxv)[AT_RANDOM] - pointer
    cleared = [(kind, 0 if kind in (AT_RANDOM, AT_PLATFORM, AT_EXECFN) else value) for kind, value in auxv]

    stack = build_stack(X86_64, TOP, argv, envp, execfn, cleared, data[random_at : random_at + 16])

    assert stack.pointer == pointer
    assert stack.data.hex() == data.hex()


strings = st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\0", b"-")), max_size=12)


@given(strings, strings, st.integers(0, 30))
def test_everything_can_be_found_again(argv, envp, entries):
    auxv = [(100 + i, i) for i in range(entries)] + [(AT_RANDOM, 0), (AT_EXECFN, 0), (AT_PLATFORM, 0)]
    stack = build_stack(X86_64, TOP, argv, envp, b"/bin/x", auxv, bytes(range(16)))

    assert stack.pointer % 16 == 0
    assert stack.pointer + len(stack.data) == TOP
    assert unpack("<Q", at(stack, stack.pointer, 8)) == (len(argv),)
    arguments, address = pointers(stack, stack.pointer + 8)
    environment, address = pointers(stack, address)
    assert [at(stack, p) for p in arguments] == argv
    assert [at(stack, p) for p in environment] == envp
    assert at(stack, address, len(stack.auxv)) == stack.auxv
    words = unpack(f"<{len(stack.auxv) // 8}Q", stack.auxv)
    vector = dict(zip(words[::2], words[1::2], strict=True))
    assert words[-2:] == (0, 0)
    assert at(stack, vector[AT_EXECFN]) == b"/bin/x"
    assert at(stack, vector[AT_PLATFORM]) == b"x86_64"
    assert at(stack, vector[AT_RANDOM], 16) == bytes(range(16))
    assert at(stack, stack.arg_start, stack.arg_end - stack.arg_start) == b"".join(a + b"\0" for a in argv)
    assert at(stack, stack.env_start, stack.env_end - stack.env_start) == b"".join(e + b"\0" for e in envp)


MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("argv", "envp", "limit", "fits"),
    [
        ([b"a" * (STRING_MAX - 1)], [], 8 * MEGABYTE, True),
        ([b"a" * STRING_MAX], [], 8 * MEGABYTE, False),
        ([], [b"a" * STRING_MAX], 8 * MEGABYTE, False),
        ([b"a" * 1015] * 2048, [], 8 * MEGABYTE, False),  # a quarter of 8 MB, path and pointers included
        ([b"a" * 1015] * 2047, [], 8 * MEGABYTE, True),
        ([b"a" * 1015] * 6145, [], 64 * MEGABYTE, False),  # never more than 6 MB
        ([b"a" * 1015] * 6143, [], 2**64 - 1, True),
        ([b"a" * 1015] * 127, [], 4096, True),  # always 128 kB
        ([b"a" * 1015] * 128, [], 4096, False),
        ([b""] * 233_000, [], 8 * MEGABYTE, True),  # pointers count
        ([b""] * 234_000, [], 8 * MEGABYTE, False),
    ],
)
def test_limits(argv, envp, limit, fits):
    if fits:
        check_strings(argv, envp, b"/x", limit)
    else:
        with pytest.raises(LinuxError) as caught:
            check_strings(argv, envp, b"/x", limit)
        assert caught.value.errno == E2BIG
