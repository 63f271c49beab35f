"""The Unicorn machine as the kernel sees it: traps, registers, address spaces, translated code."""

from __future__ import annotations

import threading
import time
from struct import Struct

import pytest

from lbw.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.cpu.contracts import (
    ALL,
    BP,
    DE,
    FAULT,
    GP,
    PAGE_FAULT,
    PF_FETCH,
    PF_PRESENT,
    PF_USER,
    PF_WRITE,
    PREEMPTED,
    R11,
    R12,
    R13,
    RAX,
    RBX,
    RCX,
    RDI,
    RESULT,
    RIP,
    SYSCALL,
    UD,
)  # fmt: skip
from lbw.cpu.unicorn.flush_causes import REMOVED
from lbw.mm.remap import mremap

CODE, DATA = 0x40_0000, 0x100_0000
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS


class Guest:
    """One context in one address space, with code at CODE and data at DATA."""

    def __init__(self, bench, code: str = "0f05") -> None:
        self.engine = bench.engine
        self.space = bench.space()
        self.space.mmap(CODE, 0x4000, RW | PROT_EXEC, PRIVATE | MAP_FIXED)
        self.space.mmap(DATA, 0x10000, RW, PRIVATE | MAP_FIXED)
        self.context = bench.engine.create_context(self.space.mmu)
        self.start(code)

    def start(self, code: str, **_: int) -> None:
        self.space.write(CODE, bytes.fromhex(code))
        self.context.reset(CODE, DATA + 0x8000)

    def trap(self):
        """Run to the next trap that is no demand paging."""
        while True:
            self.engine.resume(self.context)
            context, trap = self.engine.wait()
            assert context is self.context
            if trap.kind != PAGE_FAULT or self.space.find(trap.address) is None:
                return trap
            vma = self.space.find(trap.address)
            if trap.error_code & PF_WRITE and not vma.prot & PROT_WRITE:
                return trap
            if trap.error_code & PF_FETCH and not vma.prot & PROT_EXEC:
                return trap
            self.space.fault(trap.address, trap.error_code)

    def __getitem__(self, register: int) -> int:
        return self.context.registers[register]

    def set(self, register: int, value: int) -> None:
        self.context.registers[register] = value
        self.context.modified = ALL


@pytest.fixture
def guest(bench) -> Guest:
    return Guest(bench)


def test_a_syscall_traps_behind_the_instruction_with_its_registers(guest):
    guest.start("b8d2040000 bf07000000 0f05 b801000000 0f05")
    assert guest.trap().kind == SYSCALL
    assert (guest[RAX], guest[RDI], guest[RIP]) == (1234, 7, CODE + 12)


def test_a_syscall_leaves_rip_in_rcx_and_flags_in_r11(guest):
    guest.start("4831c0 0f05 0f05")  # xor rax, rax sets ZF and PF
    guest.trap()
    assert guest[RCX] == CODE + 5
    assert guest[R11] & 0x44 == 0x44
    guest.context.registers[RAX] = 1
    guest.context.modified = RESULT
    guest.trap()
    assert guest[R11] & 0x44 == 0x44


def test_the_result_of_a_syscall_reaches_the_guest(guest):
    guest.start("0f05 4889c3 0f05")
    guest.trap()
    guest.context.registers[RAX] = 0xFFFF_FFFF_FFFF_FFDA
    guest.context.modified = RESULT
    guest.trap()
    assert guest[RBX] == 0xFFFF_FFFF_FFFF_FFDA


@pytest.mark.parametrize(
    ("code", "vector", "offset"),
    [
        ("31c9 f7f1", DE, 2), ("cc", BP, 1), ("0f0b", UD, 0), ("f4", GP, 0), ("fa", GP, 0), ("ec", GP, 0),
        ("ee", GP, 0), ("e4f0", GP, 0), ("e6f0", GP, 0), ("0f22d8", GP, 0), ("cd81", GP, 0), ("0f01f8", GP, 0),
        ("48b80000000000000080 488b00", GP, 10),
    ],
)  # fmt: skip
def test_exceptions_are_reported_with_vector_and_rip(guest, code, vector, offset):
    guest.start(code + "9090 0f05")
    trap = guest.trap()
    if code == "0f01f8":  # swapgs: some processors call it undefined in ring 3
        assert trap.kind == FAULT and trap.vector in (GP, UD)
        return
    assert (trap.kind, trap.vector, guest[RIP] - CODE) == (FAULT, vector, offset)


def test_faults_can_follow_each_other(guest):
    for _ in range(5):
        guest.start("31c9 f7f1")
        assert guest.trap().vector == DE
        guest.start("488b042500000030 0f05")
        assert guest.trap().kind == PAGE_FAULT


def test_a_page_fault_has_address_and_cause(guest):
    guest.start("c60425f80f003001 0f05")  # mov byte [0x30000ff8], 1
    trap = guest.trap()
    assert (trap.kind, trap.address, trap.error_code) == (PAGE_FAULT, 0x3000_0FF8, PF_USER | PF_WRITE)
    guest.start("8a0425f80f0030 0f05")
    assert guest.trap().error_code == PF_USER
    guest.space.mprotect(DATA, 0x1000, PROT_READ)
    guest.space.read(DATA, 1)
    guest.start(f"c60425{DATA.to_bytes(4, 'little').hex()}01 0f05")
    assert guest.trap().error_code == PF_USER | PF_WRITE | PF_PRESENT


def test_a_jump_to_data_is_refused(guest):
    guest.space.write(DATA, b"\x0f\x05")
    guest.start(f"b8{DATA.to_bytes(4, 'little').hex()} ffe0")
    trap = guest.trap()
    assert trap.kind == PAGE_FAULT and trap.error_code & PF_FETCH and trap.address == DATA


def test_kernel_memory_is_out_of_reach(guest):
    guest.start("48b80000000000 80ffff 488b00 0f05")
    trap = guest.trap()
    assert trap.kind == PAGE_FAULT and trap.error_code & PF_PRESENT


def test_code_written_by_the_kernel_is_run_anew(guest):
    guest.start("b801000000 0f05")
    guest.trap()
    assert guest[RAX] == 1
    guest.start("b802000000 0f05")
    guest.trap()
    assert guest[RAX] == 2


def test_code_written_by_the_guest_is_run_anew(guest):
    # patch the immediate of a mov that has been executed, then execute it again
    guest.start("31db b801000000 48ffc3 4883fb02 740a c6042503004000 2a ebe8 0f05")
    guest.trap()
    assert guest[RAX] == 0x2A


def test_code_made_writable_changed_and_made_executable_again_is_run_anew(guest):
    guest.start("b801000000 0f05")
    guest.trap()
    guest.space.mprotect(CODE, 0x1000, RW)
    guest.space.write(CODE, bytes.fromhex("b803000000 0f05"))
    guest.space.mprotect(CODE, 0x1000, PROT_READ | PROT_EXEC)
    guest.context.reset(CODE, DATA + 0x8000)
    guest.trap()
    assert guest[RAX] == 3


def test_frames_of_dead_code_do_not_run_as_new_code(bench):
    for value in range(1, 40):
        guest = Guest(bench)
        guest.start(f"b8{value:02x}000000 0f05")
        guest.trap()
        assert guest[RAX] == value
        guest.space.release()


def test_fp_and_simd_state_survives_a_switch(bench):
    one, two = Guest(bench), Guest(bench)
    for number, guest in enumerate((one, two)):
        guest.start("f3480f2ac7 660f6ed7 d9e8 d9eb 0f05 0f05")  # cvtsi2ss xmm0, rdi; movd xmm2, edi; fld1; fldpi
        guest.set(RDI, 1000 + number)
        guest.trap()
    images = [guest.context.read_fpu() for guest in (one, two)]
    assert images[0] != images[1]
    one.trap()
    assert one.context.read_fpu() == images[0]
    assert images[0][32:42].hex() == "35c26821a2da0fc90040"  # ST0 = pi
    assert images[0][48:58].hex() == "0000000000000080ff3f"  # ST1 = 1
    assert int.from_bytes(images[0][192:196], "little") == 1000


def test_an_fpu_image_can_be_written_back(guest):
    guest.start("d9e8 d9eb 660f6ed7 0f05 660f7ed0 d9c9 0f05")
    guest.set(RDI, 77)
    guest.trap()
    image = guest.context.read_fpu()
    other = Guest(guest_bench(guest), "9090 660f7ed0 0f05")
    other.context.write_fpu(image)
    assert other.context.read_fpu() == image
    other.trap()
    assert other[RAX] == 77


def guest_bench(guest):
    class Borrowed:
        engine = guest.engine

        @staticmethod
        def space():
            from lbw.abi.x86_64 import X86_64
            from lbw.mm.address_space import AddressSpace
            from lbw.mm.homes import HomeAddresses

            return AddressSpace(guest.engine.create_mmu(), guest.engine.frames, HomeAddresses(), X86_64)

    return Borrowed


def test_flags_can_be_read_and_written(guest):
    guest.start("4831c0 0f05 9c 5b 0f05")
    guest.trap()
    assert guest.context.flags & 0x40
    guest.context.flags = guest.context.flags & ~0x40 | 0x1
    guest.trap()
    assert guest[RBX] & 0x41 == 0x1


def test_segment_bases_belong_to_the_context(bench):
    guests = [Guest(bench) for _ in range(3)]
    for number, guest in enumerate(guests):
        guest.start("64488b0425 08000000 0f05 ebf3".replace(" ", ""))
        guest.space.write(DATA + 0x108, bytes((number + 1, 0, 0, 0, 0, 0, 0, 0)))
        guest.context.fs_base = DATA + 0x100
    for _ in range(2):
        for number, guest in enumerate(guests):
            assert guest.trap().kind == SYSCALL
            assert guest[RAX] == number + 1
            assert guest.context.fs_base == DATA + 0x100


def test_a_clone_goes_its_own_way(guest):
    guest.start("0f05 48ffc0 0f05")
    guest.trap()
    clone = guest.context.clone()
    clone.registers[RAX] = 100
    clone.modified = ALL
    guest.context.registers[RAX] = 10
    guest.context.modified = RESULT
    guest.trap()
    guest.engine.resume(clone)
    context, trap = guest.engine.wait()
    assert context is clone and trap.kind == SYSCALL
    assert (clone.registers[RAX], guest[RAX]) == (101, 11)


def test_a_loop_is_interrupted_exactly(guest):
    guest.start("48ffc3 49ffc4 ebf8")  # inc rbx; inc r12; jmp
    timer = threading.Timer(0.02, guest.engine.interrupt)
    timer.start()
    assert guest.trap().kind == PREEMPTED
    timer.join()
    offset = guest[RIP] - CODE
    assert offset in (0, 3, 6)
    assert guest[RBX] - guest[R12] == (offset == 3)


def test_an_interrupt_before_the_run_is_not_lost(guest):
    guest.start("ebfe")
    guest.engine.interrupt()
    assert guest.trap().kind == PREEMPTED


def test_many_interrupts_never_look_like_system_calls(guest):
    guest.engine.expect_interrupts()
    guest.start("0f05 ebfc")  # the loop goes to behind... the syscall itself: an interrupt may hit its successor
    stop = False

    def pester() -> None:
        while not stop:
            guest.engine.interrupt()
            time.sleep(0)

    thread = threading.Thread(target=pester)
    thread.start()
    calls = 0
    try:
        for number in range(20000):
            trap = guest.trap()
            if trap.kind == SYSCALL:
                calls += 1
                assert guest[RIP] == CODE + 2
                guest.context.registers[RAX] = number
                guest.context.modified = RESULT
            else:
                assert trap.kind == PREEMPTED
                assert guest[RIP] in (CODE, CODE + 2)
    finally:
        stop = True
        thread.join()
    assert calls


def test_registers_survive_switching_address_spaces(bench):
    guests = [Guest(bench, "b801000000 48ffc3 0f05 ebf9") for _ in range(4)]
    for round_ in range(1, 6):
        for guest in guests:
            guest.trap()
            assert guest[RBX] == round_


LOAD = "488b07 0f05 ebf9"  # mov rax, [rdi]; syscall; jmp


def test_what_the_kernel_copies_on_write_the_guest_sees(guest):
    guest.start(LOAD)
    guest.set(RDI, DATA)
    assert guest.trap().kind == SYSCALL and guest[RAX] == 0  # a page of zeros, shared by all
    guest.space.write(DATA, b"12345678")
    assert guest.trap().kind == SYSCALL and guest[RAX] == int.from_bytes(b"12345678", "little")
    child = guest.space.fork()
    guest.trap()
    guest.space.write(DATA, b"87654321")
    assert guest.trap().kind == SYSCALL and guest[RAX] == int.from_bytes(b"87654321", "little")
    assert child.read(DATA, 8) == b"12345678"


SHARED_CODE = 0x200_0000
MOVES = [f"b8{number}000000 0f05" for number in ("11", "22")]  # mov eax, n; syscall


def run_at(guest: Guest, address: int) -> int:
    guest.context.registers[RIP] = address
    guest.context.modified = ALL
    assert guest.trap().kind == SYSCALL
    return guest[RAX]


def test_shared_code_made_writable_changed_and_made_executable_again_is_run_anew(guest):
    guest.space.mmap(SHARED_CODE, 0x1000, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
    for code, result in zip(MOVES * 2, [0x11, 0x22] * 2, strict=True):
        guest.space.mprotect(SHARED_CODE, 0x1000, RW)
        guest.space.write(SHARED_CODE, bytes.fromhex(code))
        guest.space.mprotect(SHARED_CODE, 0x1000, PROT_READ | PROT_EXEC)
        assert run_at(guest, SHARED_CODE) == result


def test_frames_of_dead_shared_code_do_not_run_as_new_code(guest):
    for code, result in zip(MOVES * 4, [0x11, 0x22] * 4, strict=True):
        guest.space.mmap(SHARED_CODE, 0x1000, RW | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
        guest.space.write(SHARED_CODE, bytes.fromhex(code))
        assert run_at(guest, SHARED_CODE) == result


def test_code_of_a_space_that_its_context_has_left_is_invalidated(bench):
    first, second = Guest(bench, MOVES[0]), Guest(bench, MOVES[0])
    assert first.trap().kind == SYSCALL and first[RAX] == 0x11
    first.context.mmu = second.space.mmu  # execve
    first.space.write(CODE, bytes.fromhex(MOVES[1]))
    first.context.mmu = first.space.mmu
    assert run_at(first, CODE) == 0x22
    assert second.trap().kind == SYSCALL and second[RAX] == 0x11


def test_an_interrupt_while_the_run_is_prepared_is_not_lost(guest):
    guest.start("48ffc3 ebfb")  # inc rbx; jmp
    library = guest.engine.processor.library
    flush = library.control

    def interrupted_flush(*arguments: object) -> None:
        library.control = flush
        flush(*arguments)
        guest.engine.interrupt()

    guest.engine.flush_pending = REMOVED
    library.control = interrupted_flush
    rescue = threading.Timer(2, guest.engine.interrupt)
    rescue.start()
    assert guest.trap().kind == PREEMPTED
    rescue.cancel()
    assert guest[RBX] == 0


@pytest.mark.parametrize("writer", ["guest", "kernel", "parent"])
def test_code_in_shared_memory_is_run_anew_when_another_mapping_of_it_is_written(guest, writer):
    space, writable = guest.space, SHARED_CODE + 0x10_0000
    space.mmap(writable, 0x1000, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
    assert mremap(space, writable, 0, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, SHARED_CODE) == SHARED_CODE
    space.mprotect(SHARED_CODE, 0x1000, PROT_READ | PROT_EXEC)
    parent = space.fork()
    guest.space.write(CODE, bytes.fromhex("488907 0f05"))  # mov [rdi], rax; syscall
    for code, result in zip(MOVES * 2, [0x11, 0x22] * 2, strict=True):
        if writer == "guest":
            guest.set(RDI, writable)
            guest.set(RAX, int.from_bytes(bytes.fromhex(code), "little"))
            run_at(guest, CODE)
        else:
            (parent if writer == "parent" else space).write(writable, bytes.fromhex(code))
        assert run_at(guest, SHARED_CODE) == result
    parent.release()


def test_an_interrupt_never_repeats_an_instruction_nor_skips_one(guest):
    # counters in memory and in registers, several blocks, and a system call in every round
    guest.engine.expect_interrupts()
    guest.start("48ff07 48ffc3 eb00 48ff4708 49ffc4 b801000000 0f05 48ff4710 49ffc5 ebe1")
    guest.set(RDI, DATA)
    stop = False

    def pester() -> None:
        while not stop:
            guest.engine.interrupt()
            time.sleep(0.0002)

    thread = threading.Thread(target=pester)
    thread.start()
    calls = preempted = 0
    places = {0: (0, 0, 0), 8: (1, 0, 0), 22: (1, 1, 0)}
    try:
        while calls < 30000:
            kind = guest.trap().kind
            if kind == SYSCALL:
                calls += 1
                guest.context.registers[RAX] = 0
                guest.context.modified = RESULT
            else:
                assert kind == PREEMPTED
                preempted += 1
            counts = guest.space.load(DATA, Struct("<QQQ"))
            assert counts == (guest[RBX], guest[R12], guest[R13])
            offset = guest[RIP] - CODE
            first, second, third = places[offset]
            assert counts == (calls + first - second, calls, calls - second + third), (offset, calls)
    finally:
        stop = True
        thread.join()
    assert preempted


def test_ports_stay_refused_when_interrupts_are_expected(guest):
    guest.engine.expect_interrupts()
    guest.start("48ffc3 e410 48ffc3 0f05")  # inc rbx; in al, 16; inc rbx; syscall
    trap = guest.trap()
    assert (trap.kind, trap.vector) == (FAULT, GP)
    assert guest[RBX] == 1
    guest.start("48ffc3 0f05")
    assert guest.trap().kind == SYSCALL
