"""Long calls do their work in turns: others run in between, timers too, and a kill ends them."""

from __future__ import annotations

import pytest
from kernel_harness import DATA, exit_code

from lbw.abi.errno import EFAULT
from lbw.abi.fcntl import O_CREAT, O_RDWR
from lbw.abi.mman import MADV_POPULATE_WRITE, MAP_ANONYMOUS, MAP_PRIVATE
from lbw.abi.signal import SIGKILL, SIGUSR1
from lbw.cpu.scripted import Call
from lbw.syscalls import memory, mincore, transfer

MB = 1 << 20


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    for module, name in ((transfer, "TURN"), (memory, "BITE"), (mincore, "BITE")):
        monkeypatch.setattr(module, name, MB)


def big_file(guest):
    fd = yield Call("open", guest.string(DATA, b"/file"), O_RDWR | O_CREAT, 0o644)
    assert (yield Call("ftruncate", fd, 4 * MB)) == 0
    area = yield Call("mmap", 0, 4 * MB, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return fd, area


CALLS = {
    "read": (lambda fd, area: Call("read", fd, area, 4 * MB), 4 * MB),
    "pread": (lambda fd, area: Call("pread64", fd, area, 4 * MB, 0), 4 * MB),
    "write": (lambda fd, area: Call("write", fd, area, 4 * MB), 4 * MB),
    "pwrite": (lambda fd, area: Call("pwrite64", fd, area, 4 * MB, 0), 4 * MB),
    "mlock": (lambda fd, area: Call("mlock", area, 4 * MB), 0),
    "populate": (lambda fd, area: Call("madvise", area, 4 * MB, MADV_POPULATE_WRITE), 0),
    "mincore": (lambda fd, area: Call("mincore", area, 4 * MB, DATA + 0x1000), 0),
}


@pytest.mark.parametrize("name", CALLS)
def test_others_run_during_a_long_call(guest, name):
    call, result = CALLS[name]

    def child(cpu):
        guest.log.append("child")
        yield Call("getpid")

    def main(cpu):
        fd, area = yield from big_file(guest)
        yield Call("fork", child=child)
        assert (yield call(fd, area)) == result
        guest.log.append("main")
        yield Call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["child", "main"]


def test_a_long_read_is_ended_by_a_kill_but_by_no_other_signal(guest):
    def term(cpu):
        yield Call("kill", 2, SIGUSR1)

    def kill(cpu):
        yield Call("kill", 2, SIGKILL)

    def handler(cpu):
        guest.log.append("handler")
        yield Call("getpid")

    def main(cpu):
        fd, area = yield from big_file(guest)
        yield from guest.handle(SIGUSR1, handler)
        yield Call("fork", child=term)
        guest.log.append((yield Call("read", fd, area, 4 * MB)))
        yield Call("lseek", fd, 0, 0)
        yield Call("fork", child=kill)
        yield Call("read", fd, area, 4 * MB)
        guest.log.append("alive")

    assert guest.run(main) == SIGKILL
    assert guest.log == ["handler", 4 * MB]


def test_a_long_read_into_memory_that_ends_is_short(guest):
    def main(cpu):
        fd, area = yield from big_file(guest)
        assert (yield Call("munmap", area + 3 * MB, MB)) == 0
        assert (yield Call("read", fd, area, 4 * MB)) == 3 * MB
        assert (yield Call("pread64", fd, area + 3 * MB, 4 * MB, 0)) == -EFAULT

    assert exit_code(guest.run(main)) == 0


def test_an_alarm_rings_during_a_long_call(guest):
    def main(cpu):
        area = yield Call("mmap", 0, 4 * MB, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guest.kernel.timers.add(guest.clock.now, lambda: guest.log.append("rings"))
        assert (yield Call("mlock", area, 4 * MB)) == 0
        guest.log.append("locked")

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["rings", "locked"]
