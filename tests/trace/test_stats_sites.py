"""The part of `--stats` about the fault path; text of sites; symbols of damaged files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.faults.punning import jump
from lbw.faults.site import Site
from lbw.faults.translate import translate
from lbw.machine.sites import SegmentSite
from lbw.machine.symbols import Symbols
from lbw.trace.sites import disassembly, heading, rows

sys.path.insert(0, str(Path(__file__).parents[1]))
from lbw_command import FIXTURES, lbw

SOURCE = FIXTURES / "guests/segments/sites.c"


def site_of(code: bytes, bits: int = 64) -> SegmentSite:
    site = Site(0x401000, bits, code, translate(code, bits))
    site.fragment = 0x70000000
    return SegmentSite(site, "/program", "")


def test_statistics_count_sites_by_kind_and_opcode(tmp_path):
    subprocess.run(["gcc", "-O1", "-static", "-o", tmp_path / "sites", SOURCE], check=True)
    errors = lbw("run", "--stats", "--root", tmp_path, "/sites").errors
    head, _, opcodes = errors.partition("thread-local memory\n")[2].partition("by opcode\n")
    kinds = {name.strip(): (int(sites), int(traps)) for sites, traps, name in rows_of(head)}
    assert kinds["redirected"] == (1, 10)
    assert kinds["stepped"] == (1, 10)
    assert kinds["punned"] >= (2, 2)
    total = kinds.pop("instructions that trapped")
    assert total == tuple(map(sum, zip(*kinds.values(), strict=True)))
    names = {name: (int(sites), int(traps)) for sites, traps, name in rows_of(opcodes)}
    assert names["call"] == (1, 1)
    assert names["lodsq"] == (1, 10)
    assert tuple(map(sum, zip(*names.values(), strict=True))) == total
    assert re.search(r"^ +10  single steps$", head, re.MULTILINE)
    assert re.search(r"^ +[1-9]\d*  pages of fragments", head, re.MULTILINE)
    assert re.search(r"^ +[1-9]\d*  patched copies of pages", head, re.MULTILINE)


def rows_of(text: str) -> list[tuple[str, str, str]]:
    return [found.groups() for line in text.splitlines() if (found := re.match(r" +(\d+)  +(\d+)  (.+)", line))]


def test_statistics_have_no_such_part_with_true_bases(tmp_path):
    subprocess.run(["gcc", "-O1", "-static", "-o", tmp_path / "sites", SOURCE], check=True)
    errors = lbw("run", "--stats", "--segments=base", "--root", tmp_path, "/sites").errors
    assert "system calls" in errors and "thread-local memory" not in errors


def test_words_of_the_cell_are_named_in_both_modes():
    for bits in (64, 32):
        text = [row[4] for row in rows(site_of(bytes.fromhex("658b0f"), bits))]
        assert any("[cell GS_BASE]" in line for line in text)
        assert any("[cell SAVE_0]" in line for line in text)


def test_the_address_that_a_call_pushes_is_no_instruction():
    last = rows(site_of(bytes.fromhex("64ff17")))[-1]
    assert last[3:] == ("03 10 40 00 00 00 00 00", "address 0x401003")


def test_what_is_not_understood_is_shown_all_the_same():
    site = SegmentSite(Site(0x1000, 64, b"\x64\x06\x06", None), "", "")
    assert (site.mnemonic, site.code, site.fragment_code) == ("?", b"\x64\x06\x06", b"")
    assert rows(site) == [("64 06 06", "?", "", "", "")]


def test_the_heading_counts():
    assert heading([]) == "0 sites, 0 traps"
    site = site_of(bytes.fromhex("64ff17"))
    site.kind, site.traps = "patched", 1
    assert heading([site]) == "1 site, 1 trap: 1 patched"


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> bytes:
    """A small file with symbols."""
    path = tmp_path_factory.mktemp("symbols") / "program"
    source = b"int other(void) { return 2; } int _start(void) { return other(); }"
    subprocess.run(["gcc", "-x", "c", "-o", path, "-nostdlib", "-static", "-"], input=source, check=True)
    return path.read_bytes()


def test_functions_are_found_by_offset(program):
    symbols = Symbols(program)
    names = {symbols.name(offset) for offset in range(len(program))}
    assert {"other+0x0", "_start+0x0", ""} <= names


@given(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8), st.integers(0, 1 << 20))
def test_damaged_files_have_no_symbols_or_some(program, position, bytes_, offset):
    data = bytearray(program)
    position %= len(data)
    data[position : position + len(bytes_)] = bytes_
    assert isinstance(Symbols(bytes(data)).name(offset), str)
    assert isinstance(Symbols(bytes(data[:position])).name(offset), str)


def examples() -> list[tuple[str, list[str]]]:
    """Return the sites that docs/fault-path.md shows: title and lines."""
    text = (FIXTURES.parent / "docs/fault-path.md").read_text()
    blocks = [block.splitlines() for block in re.findall(r"```console\n(0x.*?)```", text, re.DOTALL)]
    return [(lines[0], lines[1:]) for lines in blocks]


def test_the_examples_of_the_document_are_true():
    assert len(examples()) == 2
    for title, lines in examples():
        address = int(re.search(r"at 0x([0-9a-f]+):", title)[1], 16)
        left, right, start = [], b"", 0
        for line in lines:
            cells = re.split(r"  +", line.strip())
            if len(cells) == 5:
                left.append((cells[0], cells[1]))
            place = int(cells[-3], 16)
            start = place if not right else start
            assert place == start + len(right)
            right += bytes.fromhex(cells[-2])
            shown = disassembly(bytes.fromhex(cells[-2]), place, 64)
            assert shown == [(place, cells[-2], cells[-1])]
        code, patch, *copies = [bytes.fromhex(code.replace("[", "").replace("]", "")) for code, _ in left]
        template = translate(code, 64)
        fragment = template.place(start, address)
        assert right == (fragment if not copies else fragment[:-5] + b"".join(copies))
        written = left[1][0].partition(" [")[0]
        assert jump(address, len(code), b"", start).hex(" ")[: len(written)] == written
        assert address + 5 + int.from_bytes(patch[1:], "little", signed=True) == start
