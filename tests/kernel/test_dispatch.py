"""Unknown calls, failing handlers, faults, observers, out of memory."""

from __future__ import annotations

import pytest
from kernel_harness import DATA, SIZE, TABLE, Guest, exit_code

from lbw.abi.errno import EIO, ENOMEM, ENOSYS
from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE
from lbw.abi.signal import SIGFPE, SIGKILL, SIGSEGV
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import DE
from lbw.cpu.scripted import Call, Raise, Touch
from lbw.errors import LbwError
from lbw.kernel.dispatch import StrictStop


def test_unknown_call_is_named_once(guest):
    def main(cpu):
        guest.kernel.current.set_comm(b"prog")
        for _ in range(3):
            assert (yield Call("lookup_dcookie", 1, 2)) == -ENOSYS
        assert (yield Call(5000)) == -ENOSYS
        assert (yield Call(2**64 - 1)) == -ENOSYS

    assert exit_code(guest.run(main)) == 0
    assert len(guest.reports) == 3
    assert "prog[2]" in guest.reports[0]
    assert "212 lookup_dcookie(0x1, 0x2" in guest.reports[0]


def test_strict_stops_with_a_register_dump():
    guest = Guest(strict=True)

    def main(cpu):
        yield Call("lookup_dcookie")

    with pytest.raises(StrictStop, match=r"lookup_dcookie(.|\n)*rip ") as stop:
        guest.run(main)
    assert isinstance(stop.value, LbwError)
    assert stop.value.exit_status == 125
    assert guest.engine.mmus == 0


class BrokenRow:
    """A row whose handler fails as told."""

    restart = 0

    def __init__(self, name, handler):
        self.name = name
        self.handler = handler

    def entry(self, abi):
        return lambda task, registers: self.handler()


def install(guest, **handlers):
    rows = list(TABLE)
    for name, handler in handlers.items():
        rows[X86_64.numbers[name]] = BrokenRow(name, handler)
    guest.kernel.install(X86_64, rows)


def test_a_bug_in_a_handler_is_reported_and_survived(guest):
    def broken():
        raise KeyError("oops")

    async def broken_later():
        raise IndexError("later")

    def no_memory():
        raise MemoryError

    install(guest, mlock=broken, munlock=broken_later, mlockall=no_memory, munlockall=lambda: "text")

    def main(cpu):
        assert (yield Call("mlock")) == -EIO
        assert (yield Call("munlock")) == -EIO
        assert (yield Call("mlockall")) == -ENOMEM
        assert (yield Call("munlockall")) == -EIO

    assert exit_code(guest.run(main)) == 0
    assert len(guest.reports) == 3
    assert "bug in mlock" in guest.reports[0] and "oops" in guest.reports[0]


def test_calls_are_counted(guest):
    def main(cpu):
        for _ in range(5):
            yield Call("getpid")

    guest.run(main)
    assert guest.kernel.call_counts()["getpid"] == 5


def test_an_observer_sees_every_call():
    seen = []

    class Observer:
        def enter(self, task, row, registers):
            seen.append(("enter", row.name))
            return row.name

        def block(self, task, row, token):
            seen.append(("block", token))

        def leave(self, task, row, token, result):
            seen.append(("leave", token, result))

        def signal(self, task, info):
            seen.append(("signal", info.signo))

        def exited(self, process):
            seen.append(("exited", process.pid, process.exit_status))

    guest = Guest(observer=Observer())

    def main(cpu):
        yield Call("getpid")
        yield Call("nanosleep", guest.timespec(DATA, 1000), 0)
        yield Call("close", 99)

    assert exit_code(guest.run(main)) == 0
    assert seen[:7] == [
        ("enter", "getpid"), ("leave", "getpid", 2),
        ("enter", "nanosleep"), ("block", "nanosleep"), ("leave", "nanosleep", 0),
        ("enter", "close"), ("leave", "close", -9),
    ]  # fmt: skip
    assert ("exited", 2, 0) in seen


def test_page_faults_are_served(guest):
    def main(cpu):
        for page in range(0, SIZE, 4096):
            yield Touch(DATA + page)
            yield Touch(DATA + page, write=True)

    assert exit_code(guest.run(main)) == 0
    assert guest.kernel.counters.page_faults > 0


def test_bad_access_is_sigsegv(guest):
    def main(cpu):
        yield Touch(0x40, write=True)

    assert guest.run(main) == SIGSEGV


def test_exceptions_are_signals(guest):
    def main(cpu):
        yield Raise(DE)

    assert guest.run(main) == SIGFPE


def test_out_of_memory_kills_the_largest():
    guest = Guest(memory=8 << 20)
    base = 0x4000_0000
    pages = 4096

    def glutton(cpu):
        guest.kernel.current.set_comm(b"glutton")
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        for part in range(0, pages * 4096, 1 << 20):
            assert (yield Call("mmap", base + part, 1 << 20, PROT_READ | PROT_WRITE, flags, -1, 0)) > 0
        for page in range(pages):
            yield Touch(base + page * 4096, write=True)

    def main(cpu):
        pid = yield Call("fork", child=glutton)
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == SIGKILL
        return 3

    assert exit_code(guest.run(main)) == 3
    assert len(guest.reports) == 1
    assert "out of memory" in guest.reports[0] and "glutton[3]" in guest.reports[0]
