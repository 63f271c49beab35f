"""Layouts of siginfo_t and ucontext_t, compared with what the C compiler of the host says."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from lbw.abi.errno import E2BIG, LinuxError
from lbw.abi.signal import (
    CLD_EXITED,
    POLL_IN,
    SEGV_MAPERR,
    SI_QUEUE,
    SI_TIMER,
    SI_USER,
    SIGALRM,
    SIGCHLD,
    SIGPOLL,
    SIGSEGV,
    SIGSYS,
    SIGUSR1,
)
from lbw.signals.frames_x86_64 import FRAME_SIZE
from lbw.signals.siginfo import CHILD, FAULT, KILL, POLL, RT, SIZE, SYS, TIMER, SigInfo, layout_of, pack, unpack

PROGRAM = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <ucontext.h>
#define O(name) printf("%s %zu\n", #name, offsetof(siginfo_t, name));
#define U(name) printf("%s %zu\n", #name, offsetof(ucontext_t, name));
int main(void) {
    O(si_signo) O(si_errno) O(si_code) O(si_pid) O(si_uid) O(si_status) O(si_utime) O(si_stime) O(si_addr) O(si_value)
    O(si_timerid) O(si_overrun) O(si_band) O(si_fd) O(si_call_addr) O(si_syscall) O(si_arch)
    U(uc_flags) U(uc_link) U(uc_stack) U(uc_mcontext.gregs[REG_R8]) U(uc_mcontext.gregs[REG_RDI])
    U(uc_mcontext.gregs[REG_RSP]) U(uc_mcontext.gregs[REG_RIP]) U(uc_mcontext.gregs[REG_EFL])
    U(uc_mcontext.gregs[REG_CSGSFS]) U(uc_mcontext.gregs[REG_ERR]) U(uc_mcontext.gregs[REG_TRAPNO])
    U(uc_mcontext.gregs[REG_OLDMASK]) U(uc_mcontext.gregs[REG_CR2]) U(uc_mcontext.fpregs) U(uc_sigmask)
    printf("sizeof %zu\n", sizeof(siginfo_t));
    return 0;
}
"""

#: What the program prints, for hosts without such a compiler.
RECORDED = """
si_signo 0
si_errno 4
si_code 8
si_pid 16
si_uid 20
si_status 24
si_utime 32
si_stime 40
si_addr 16
si_value 24
si_timerid 16
si_overrun 20
si_band 16
si_fd 24
si_call_addr 16
si_syscall 24
si_arch 28
uc_flags 0
uc_link 8
uc_stack 16
uc_mcontext.gregs[REG_R8] 40
uc_mcontext.gregs[REG_RDI] 104
uc_mcontext.gregs[REG_RSP] 160
uc_mcontext.gregs[REG_RIP] 168
uc_mcontext.gregs[REG_EFL] 176
uc_mcontext.gregs[REG_CSGSFS] 184
uc_mcontext.gregs[REG_ERR] 192
uc_mcontext.gregs[REG_TRAPNO] 200
uc_mcontext.gregs[REG_OLDMASK] 208
uc_mcontext.gregs[REG_CR2] 216
uc_mcontext.fpregs 224
uc_sigmask 296
sizeof 128
"""


@pytest.fixture(scope="module")
def offsets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    output = RECORDED
    if shutil.which("gcc") and platform.machine() == "x86_64" and platform.system() == "Linux":
        output = compile_and_run(tmp_path_factory.mktemp("layouts"))
    return {name: int(value) for name, value in (line.split() for line in output.split("\n") if line)}


def compile_and_run(directory: Path) -> str:
    (directory / "layouts.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-o", directory / "layouts", directory / "layouts.c"], check=True)
    return subprocess.run([directory / "layouts"], check=True, capture_output=True, text=True).stdout


def field(data: bytes, offsets: dict[str, int], name: str, size: int = 4) -> int:
    return int.from_bytes(data[offsets[name] : offsets[name] + size], "little")


def test_siginfo(offsets: dict[str, int]) -> None:
    assert offsets["sizeof"] == SIZE
    data = pack(SigInfo(SIGCHLD, CLD_EXITED, errno=5, pid=7, uid=8, status=9, utime=10, stime=11), 8)
    names = ("si_signo", "si_errno", "si_code", "si_pid", "si_uid", "si_status")
    assert [field(data, offsets, name) for name in names] == [SIGCHLD, 5, CLD_EXITED, 7, 8, 9]
    assert [field(data, offsets, name, 8) for name in ("si_utime", "si_stime")] == [10, 11]
    data = pack(SigInfo(SIGSEGV, SEGV_MAPERR, address=0x1122334455667788), 8)
    assert field(data, offsets, "si_addr", 8) == 0x1122334455667788
    data = pack(SigInfo(SIGUSR1, SI_QUEUE, pid=3, uid=4, value=2**63 + 5), 8)
    assert field(data, offsets, "si_value", 8) == 2**63 + 5 and field(data, offsets, "si_uid") == 4
    data = pack(SigInfo(SIGALRM, SI_TIMER, timer=3, overrun=4, value=5), 8)
    assert [field(data, offsets, name) for name in ("si_timerid", "si_overrun", "si_value")] == [3, 4, 5]
    data = pack(SigInfo(SIGPOLL, POLL_IN, band=0x41, fd=6), 8)
    assert (field(data, offsets, "si_band", 8), field(data, offsets, "si_fd")) == (0x41, 6)
    data = pack(SigInfo(SIGSYS, 1, address=0x1234, status=99), 8)
    assert (field(data, offsets, "si_call_addr", 8), field(data, offsets, "si_syscall")) == (0x1234, 99)
    assert field(data, offsets, "si_arch") == 0xC000003E


def test_ucontext(offsets: dict[str, int]) -> None:
    from signal_fakes import FakeContext, FakeMemory

    from lbw.abi.signal import SA_RESTORER
    from lbw.cpu.contracts import R8, RDI, RDX, RIP, RSP
    from lbw.signals.actions import Action
    from lbw.signals.frames import FRAMES
    from lbw.signals.task_signals import TaskSignals

    context, memory, signals = FakeContext(), FakeMemory((0x1000, 0x10000)), TaskSignals()
    for number in range(17):
        context.registers[number] = 0x100 + number
    context.registers[RSP] = 0x8000
    signals.error_code, signals.trap_number, signals.fault_address, signals.blocked = 21, 22, 23, 24
    signals.altstack.base, signals.altstack.size, signals.altstack.flags = 25, 26, 1
    FRAMES["x86_64"].build(context, memory, signals, Action(1 << 20, SA_RESTORER, 2), SigInfo(SIGUSR1))
    data = memory.read(context.registers[RDX], FRAME_SIZE)

    def register(name: str) -> int:
        return field(data, offsets, f"uc_mcontext.gregs[REG_{name}]", 8)

    assert field(data, offsets, "uc_flags", 8) == 7 and field(data, offsets, "uc_link", 8) == 0
    assert field(data, offsets, "uc_stack", 8) == 25
    assert [register(name) for name in ("R8", "RDI", "RSP", "RIP", "EFL", "CSGSFS")] == [
        0x100 + R8, 0x100 + RDI, 0x8000, 0x100 + RIP, 0x202, 0x002B_0000_0000_0033,
    ]  # fmt: skip
    assert [register(name) for name in ("ERR", "TRAPNO", "CR2", "OLDMASK")] == [21, 22, 23, 24]
    assert field(data, offsets, "uc_sigmask", 8) == 24
    assert field(data, offsets, "uc_mcontext.fpregs", 8) % 64 == 0


def test_layout_classes() -> None:
    assert layout_of(SIGUSR1, SI_USER) == KILL
    assert layout_of(SIGSEGV, SI_USER) == KILL
    assert layout_of(SIGSEGV, 0x80) == KILL
    assert layout_of(SIGSEGV, SEGV_MAPERR) == FAULT
    assert layout_of(SIGCHLD, CLD_EXITED) == CHILD
    assert layout_of(SIGPOLL, POLL_IN) == POLL
    assert layout_of(SIGSYS, 1) == SYS
    assert layout_of(40, SI_QUEUE) == RT
    assert layout_of(40, SI_TIMER) == TIMER
    assert layout_of(40, -6) == KILL


def test_what_a_guest_queues_arrives_as_it_was() -> None:
    data = bytes(range(48)) + bytes(80)
    info = unpack(data, 40, 8)
    assert pack(info, 8) == (40).to_bytes(4, "little") + data[4:]


def test_what_the_kernel_does_not_know_must_be_zero() -> None:
    known, unknown = SI_QUEUE, -80
    for code in (known, unknown):
        data = bytearray(128)
        data[8:12] = code.to_bytes(4, "little", signed=True)
        data[48] = 1
        if code == known:
            assert pack(unpack(bytes(data), 40, 8), 8)[48:] == bytes(80)
        else:
            with pytest.raises(LinuxError) as caught:
                unpack(bytes(data), 40, 8)
            assert caught.value.errno == E2BIG
