"""The images of the vDSO are what their sources say, and what lbw believes of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

import lbw.loader.vdso.build as sources
from lbw.abi import vvar
from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64
from lbw.loader.vdso.image import ADDRESSES, RT_SIGRETURN, SIGRETURN

FOLDER = Path(sources.__file__).parent
TABLE = {"x86_64": X86_64, "i386": I386}


class Facts:
    """What is in an image."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.size = path.stat().st_size
            self.entry = elf.header.e_entry
            self.machine = elf.header.e_machine
            self.segments = [(s["p_type"], s["p_flags"], s["p_vaddr"]) for s in elf.iter_segments()]
            code = elf.get_section_by_name(".text")
            self.start, self.text = code["sh_addr"], code.data()
            symbols = elf.get_section_by_name(".dynsym")
            assert isinstance(symbols, SymbolTableSection)
            versions = elf.get_section_by_name(".gnu.version")
            assert isinstance(versions, GNUVerSymSection)
            definitions = elf.get_section_by_name(".gnu.version_d")
            assert isinstance(definitions, GNUVerDefSection)
            names = {d["vd_ndx"]: next(iter(aux)).name for d, aux in definitions.iter_versions()}
            self.symbols = {
                symbol.name: (
                    symbol["st_value"] - self.start, symbol["st_size"], symbol["st_info"]["type"],
                    symbol["st_info"]["bind"], names[versions.get_symbol(number)["ndx"]],
                )
                for number, symbol in enumerate(symbols.iter_symbols())
                if symbol["st_info"]["type"] == "STT_FUNC"
            }  # fmt: skip
            dynamic = elf.get_section_by_name(".dynamic")
            assert isinstance(dynamic, DynamicSection)
            self.soname = next(tag.soname for tag in dynamic.iter_tags("DT_SONAME"))
            self.tags = {tag.entry.d_tag for tag in dynamic.iter_tags()}
            self.relocations = [s.name for s in elf.iter_sections() if s.name.startswith(".rel")]


@pytest.fixture(params=sorted(TABLE))
def name(request) -> str:
    return request.param


@pytest.fixture
def facts(name) -> Facts:
    return Facts(FOLDER / f"{name}.so")


def test_the_image_is_made_of_its_source(name, facts, tmp_path):
    sources.build(name, str(tmp_path / "new.so"))
    new = Facts(tmp_path / "new.so")
    assert new.text == facts.text
    assert new.symbols == facts.symbols
    assert (new.soname, new.machine) == (facts.soname, facts.machine)
    assert new.entry - new.start == facts.entry - facts.start or new.entry == facts.entry == 0


def test_it_is_one_page_that_is_mapped_as_it_is(facts):
    assert facts.size <= 4096
    assert facts.segments[0] == ("PT_LOAD", 5, 0)
    assert [kind for kind, _, _ in facts.segments] == ["PT_LOAD", "PT_DYNAMIC", "PT_GNU_EH_FRAME"]
    assert not facts.relocations
    assert {"DT_HASH", "DT_GNU_HASH", "DT_VERSYM", "DT_VERDEF"} <= facts.tags


def test_it_has_the_symbols_that_programs_look_for(name, facts):
    calls = {"clock_gettime", "clock_getres", "gettimeofday", "time", "getcpu"}
    expected = {f"__vdso_{call}": "LINUX_2.6" for call in calls}
    if name == "x86_64":
        expected |= dict.fromkeys(calls, "LINUX_2.6")
        for call in calls:
            assert facts.symbols[call][:2] == facts.symbols[f"__vdso_{call}"][:2]
    else:
        expected["__vdso_clock_gettime64"] = "LINUX_2.6"
        expected |= dict.fromkeys(("__kernel_vsyscall", "__kernel_sigreturn", "__kernel_rt_sigreturn"), "LINUX_2.5")
    assert {symbol: entry[4] for symbol, entry in facts.symbols.items()} == expected


def test_the_ends_of_signal_handlers_are_where_the_kernel_sends_them():
    facts = Facts(FOLDER / "i386.so")
    offsets = {symbol: entry[0] for symbol, entry in facts.symbols.items()}
    entry = facts.entry - facts.start
    assert offsets["__kernel_vsyscall"] == entry
    assert offsets["__kernel_sigreturn"] == entry + SIGRETURN
    assert offsets["__kernel_rt_sigreturn"] == entry + RT_SIGRETURN
    assert Facts(FOLDER / "x86_64.so").entry == 0


def test_the_assembler_knows_the_page_of_clocks():
    text = (FOLDER / "vvar.h").read_text()
    header = {name: int(value, 0) for name, value in re.findall(r"^#define (\w+) (\w+)$", text, re.MULTILINE)}
    for constant in ("SEQUENCE", "ACTIVE", "BASE_TICKS", "LIMIT", "ENTRIES", "CLOCKS"):
        assert header[constant] == getattr(vvar, constant)
    assert 1 << header["ENTRY_SHIFT"] == vvar.ENTRY.size
    assert vvar.HEAD.size <= vvar.ENTRIES
    assert vvar.HEAD.unpack(b"".join(bytes([i, 0, 0, 0]) for i in range(8)))[:4] == (0, 1, 2 | 3 << 32, 4)
    assert vvar.ENTRY.unpack(b"".join(bytes([i, 0, 0, 0]) for i in range(4))) == (1 << 32, 2, 3)
    assert (header["SECONDS"], header["NANOSECONDS"], header["MULTIPLIER"]) == (0, 8, 12)


def test_it_lies_where_no_mapping_goes_and_beside_the_busiest_tlb_entries(name):
    abi = TABLE[name]
    address = ADDRESSES[abi.word]
    windows = (*abi.mmap_windows[:1], abi.homes, *abi.arena_zones)
    assert all(address + 8192 <= low or high <= address for low, high in windows)
    stack, mappings = abi.stack_top - 1 >> 12, abi.mmap_windows[0][1] - 1 >> 12
    for entries in (64, 256):
        busy = {(number - i) % entries for number in (stack, mappings) for i in range(4)} | {entries - 1}
        assert not busy & {(address >> 12) % entries, (address + 4096 >> 12) % entries}
