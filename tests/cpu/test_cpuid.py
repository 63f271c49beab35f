"""The processor is what `lbw.abi.cpuid` says: its answers, and what it refuses."""

from __future__ import annotations

from struct import pack

import pytest
from engine_runs import next_trap

from lbw.abi.cpuid import BRAND, FEATURE_NAMES, MAX_LEAF, SIGNATURE, VENDOR, XSTATE_FEATURES, Identity
from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import ALL, FAULT, RAX, RBX, RCX, RDX, SYSCALL, UD
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.host.memory import Ram
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses

CODE = 0x40_0000


class Processor:
    """A machine that runs one piece of code at a time."""

    def __init__(self, parked: bool) -> None:
        self.ram = Ram(16 << 20)
        self.engine = UnicornEngine(self.ram, Frames(self.ram), code_cache=16 << 20, parked=parked)
        self.space = AddressSpace(self.engine.create_mmu(), self.engine.frames, HomeAddresses(), X86_64)
        self.space.mmap(CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
        self.context = self.engine.create_context(self.space.mmu)

    def run(self, code: str, rax: int = 0, rcx: int = 0):
        """Run code that ends in a trap; return that."""
        self.space.write(CODE, bytes.fromhex(code) + bytes.fromhex("0f05"))
        self.context.reset(CODE, 0)
        self.context.registers[RAX], self.context.registers[RCX] = rax, rcx
        self.context.modified = ALL
        return next_trap(self.engine, self.context, self.space)

    def has(self, code: str) -> bool:
        trap = self.run(code)
        assert trap.kind == SYSCALL or (trap.kind, trap.vector) == (FAULT, UD), trap.kind
        return trap.kind == SYSCALL


@pytest.fixture(scope="module", params=[False, True], ids=["base", "parked"])
def processor(request):
    processor = Processor(request.param)
    yield processor
    processor.engine.close()
    processor.ram.close()


def answers(processor: Processor, leaf: int, subleaf: int = 0) -> dict[str, int]:
    """Run `cpuid; mov r8, rcx` and so on: the `syscall` at the end takes RCX and R11."""
    processor.run("0fa2 4989c8", rax=leaf, rcx=subleaf)
    registers = processor.context.registers
    return {"eax": registers[RAX], "ebx": registers[RBX], "ecx": registers[8], "edx": registers[RDX]}


def test_the_instruction_says_what_the_table_says(processor):
    identity: Identity = processor.engine.identity
    for word in FEATURE_NAMES:
        leaf, register = word.split(".")
        leaf, _, subleaf = leaf.partition(":")
        answer = answers(processor, int(leaf, 16), int(subleaf or "0", 16))[register]
        if word == "1.ecx":
            assert answer & 1 << 27  # OSXSAVE follows CR4
            answer &= ~(1 << 27)
        assert answer == identity.words[word], word


def test_an_xsave_image_has_the_components_that_are_told(processor):
    assert answers(processor, 13) == {"eax": XSTATE_FEATURES, "ebx": 576, "ecx": 576, "edx": 0}
    assert not any(answers(processor, 13, 2).values())  # no AVX


def test_vendor_brand_and_signature(processor):
    first = answers(processor, 0)
    assert pack("<III", first["ebx"], first["edx"], first["ecx"]) == VENDOR
    assert first["eax"] == MAX_LEAF
    assert answers(processor, 1)["eax"] == SIGNATURE
    brand = b"".join(pack("<4I", *answers(processor, leaf).values()) for leaf in range(0x8000_0002, 0x8000_0005))
    assert brand.rstrip(b"\0") == BRAND


# the features that the decoder looks at, with an instruction of each
INSTRUCTIONS = {
    "pni": "f20f7cc1", "ssse3": "660f3800c1", "sse4_1": "660f3a0cc101", "sse4_2": "660f3837c1", "popcnt": "f30fb8c1",
    "aes": "660f38dcc1", "pclmulqdq": "660f3a44c100", "movbe": "480f38f00425 00004000", "rdrand": "0fc7f0",
    "rdseed": "0fc7f8", "adx": "660f38f6c1", "clflushopt": "660fae3c25 00004000", "clwb": "660fae3425 00004000",
    "rdtscp": "0f01f9",
    "lahf_lm": "9f", "cx16": "48 0fc70c25 00004000", "fsgsbase": "f3480faec0", "rdpid": "f30fc7f8",
    "bmi1": "c4e278f2c1", "bmi2": "c4e26af7c1", "xsave": "0f01d0", "sha_ni": "0f38c8c1", "svm": "0f01d8", "sep": "0f34",
    "3dnow": "0f0fc1b4", "xsaveopt": "0fae3425 40004000",
}  # fmt: skip

#: Without the feature this still does something else.
LEFT = {"sep"}


@pytest.mark.parametrize("feature", INSTRUCTIONS)
def test_a_feature_is_told_when_its_instructions_work(processor, feature):
    told = feature in processor.engine.identity.flags()
    if feature not in LEFT:
        assert processor.has(INSTRUCTIONS[feature]) == told


def test_without_bmi_tzcnt_and_lzcnt_are_bsf_and_bsr(processor):
    processor.run("b900010000 f30fbcc1 f30fbdd9")  # mov ecx, 256; tzcnt eax, ecx; lzcnt ebx, ecx
    assert (processor.context.registers[RAX], processor.context.registers[RBX]) == (8, 8)
