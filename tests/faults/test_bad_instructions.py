"""Exceptions: signal, si_code, si_addr, trap number, error code and all registers as Linux gives them on this machine.

Each case runs natively and under lbw in the three modes of `--segments` by the same guest (`probe.c`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from instruction_cases import BY_THE_BOOK, DIFFERENT, EMULATED, assemble, for_bits, lines
from lbw_command import FIXTURES, lbw

SOURCE = FIXTURES / "guests" / "instructions" / "probe.c"
MODES = ["patch", "fault", "base"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("probes")
    for bits in (64, 32):
        options = ["-O1", "-static", "-no-pie", "-fno-stack-protector", f"-m{bits}"]
        subprocess.run(["gcc", *options, "-o", root / f"probe{bits}", SOURCE], check=True)
    return root


def outcomes(output: str, cases: list[str]) -> dict[str, str]:
    """Return case -> what the probe printed of it."""
    found = {}
    for line in output.splitlines():
        number, _, text = line.partition(": ")
        found[cases[int(number)]] = text
    assert list(found) == cases
    return found


def natively(root: Path, cases: list[str], bits: int, folder: Path) -> dict[str, str]:
    probe = [root / f"probe{bits}"]
    text = assemble(cases, bits, folder)
    return outcomes(subprocess.run(probe, input=text, capture_output=True, text=True, timeout=60).stdout, cases)


def under_lbw(root: Path, cases: list[str], bits: int, mode: str, folder: Path) -> dict[str, str]:
    text = assemble(cases, bits, folder)
    outcome = lbw("run", "--segments", mode, "--root", root, f"/probe{bits}", stdin=text.encode())
    assert outcome.errors == ""
    return outcomes(outcome.output, cases)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [64, 32])
def test_exceptions_are_those_of_linux(root, tmp_path, bits, mode):
    cases = for_bits(bits)
    assert under_lbw(root, cases, bits, mode, tmp_path) == natively(root, cases, bits, tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_where_the_processor_is_different_is_known(root, tmp_path, mode):
    cases = [*DIFFERENT, *BY_THE_BOOK]
    for case, text in under_lbw(root, cases, 64, mode, tmp_path).items():
        wanted = DIFFERENT.get(case) or BY_THE_BOOK[case]
        assert re.fullmatch(re.escape(wanted).replace(re.escape("..."), ".*"), text), (case, text)


def processor_has(*flags: str) -> bool:
    words = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    return set(flags) <= set(words)


@pytest.mark.parametrize("mode", MODES)
def test_emulated_instructions_are_those_of_this_machine(root, tmp_path, mode):
    cases = lines(EMULATED)
    ours = under_lbw(root, cases, 64, mode, tmp_path)
    assert not any("signal=4" in text for text in ours.values())
    if processor_has("bmi1", "bmi2"):
        assert ours == natively(root, cases, 64, tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_segment_bases_can_be_set_by_instructions(root, tmp_path, mode):
    cases = [
        "rdfsbase rax; mov rcx, fs:[0]; sub rax, rcx @ rcx=0",  # the thread block begins with its own address
        "wrgsbase rsi; mov rax, gs:[0]; rdgsbase rcx",
        "wrgsbase eax; rdgsbase rax @ rax=0xffffffff20000300",
        "wrgsbase rax @ rax=0x8000000000000000",
    ]
    ours = under_lbw(root, cases, 64, mode, tmp_path)
    assert "rax=0 " in ours[cases[0]]
    assert "rax=0xd1a2734414e5b68" in ours[cases[1]] and "rcx=0x20000200" in ours[cases[1]]
    assert "rax=0x20000300" in ours[cases[2]]
    refused = ours[cases[3]].startswith("signal=11 code=128 addr=0 trapno=13 err=0 rip=code+0")
    assert refused == (mode != "base")  # the processor itself takes any base


FAR_ACCESSES = [
    "!64008600000020",  # add fs:[esi+0x20000000], al: FS is null, so this is memory of the program
    "!640086000000e0 @ esi=0x40000100",
    "!640fb60e",  # movzx ecx, byte ptr fs:[esi]
    "!646206 @ eax=0",  # bound eax, fs:[esi]
    "!648e06",  # mov es, fs:[esi]
    "!f364a4 @ ecx=3",  # rep movsb from fs:[esi]
    "!640fb506",  # lgs eax, fs:[esi]
]


def test_accesses_far_from_a_segment_base_are_alike_in_all_modes(root, tmp_path):
    base, fault, patch = (under_lbw(root, FAR_ACCESSES, 32, mode, tmp_path) for mode in ("base", "fault", "patch"))
    assert fault == base
    assert patch == base


@pytest.fixture
def broken(tmp_path) -> str:
    return assemble(["!0f0a"], 64, tmp_path)


def test_strict_ends_with_a_dump(root, broken):
    outcome = lbw("run", "--strict", "--root", root, "/probe64", stdin=broken.encode())
    assert outcome.status == 125
    first, *rest = outcome.errors.splitlines()
    assert first.startswith("lbw: unable to interpret instruction at 0x10000000 in probe64[")
    assert "0f 0a" in first
    dump = "\n".join(rest)
    assert "rax 1122334455667788" in dump and "rip 0000000010000000" in dump
    assert re.search(r"^=> 10000000: ", dump, re.MULTILINE)
    assert re.search(r"^10000000-\w+ rwxp ", dump, re.MULTILINE) and "[stack]" in dump


def test_strict_lets_ud2_be_what_it_is(root, tmp_path):
    text = assemble(["ud2; nop"], 64, tmp_path)
    outcome = lbw("run", "--strict", "--root", root, "/probe64", stdin=text.encode())
    assert outcome.errors == "" and outcome.output.startswith("0: signal=4")


def test_an_illegal_instruction_is_told_quietly(root, broken):
    outcome = lbw("run", "--root", root, "/probe64", stdin=broken.encode())
    assert outcome.errors == ""
    assert outcome.output == "0: signal=4 code=2 addr=code+0 trapno=6 err=0 rip=code+0\n"


assert shutil.which("as"), "the assembler of binutils is needed"
