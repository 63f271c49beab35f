"""Who may see a robust list, what becomes of it, and waits for several words that signals and deaths end."""

from __future__ import annotations

from struct import pack

from kernel_harness import DATA, SHARED, Guest, exit_code

from lbw.abi.errno import EAGAIN, EFAULT, EINTR, EPERM, ESRCH, ETIMEDOUT
from lbw.abi.futex import FUTEX_32, FUTEX_OWNER_DIED, FUTEX_WAITERS, FUTEX_WAKE
from lbw.abi.sched import CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM
from lbw.abi.signal import SA_RESTART, SIGKILL, SIGUSR1
from lbw.cpu.scripted import Call

SECOND = 10**9
THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
HEAD, WORD, OTHER, TIME = SHARED + 0x1000, SHARED, SHARED + 64, DATA + 0x100


def sleep(guest, seconds=1):
    return Call("nanosleep", guest.timespec(TIME, seconds * SECOND), 0)


def test_a_list_is_seen_by_those_who_may_inspect_the_thread():
    guest = Guest()
    answers = {}

    def ask(who, pid):
        answers[who] = result = yield Call("get_robust_list", pid, DATA, DATA + 8)
        if not result:
            answers[who] = guest.memory.read_u64(DATA), guest.memory.read_u64(DATA + 8)

    def same_user(cpu):
        yield from ask("same user", 2)
        yield from ask("own, new", 0)

    def other_user(cpu):
        yield Call("setuid", 2000)
        yield from ask("other user", 2)
        yield from ask("nobody", 999)

    def main(cpu):
        yield Call("set_robust_list", HEAD, 24)
        yield from ask("own", 0)
        assert (yield Call("get_robust_list", 0, 8, DATA)) == -EFAULT
        assert (yield Call("get_robust_list", 0, DATA, 8)) == -EFAULT
        for child in (same_user, other_user):
            yield Call("fork", child=child)
            yield Call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    assert answers == {
        "own": (HEAD, 24), "same user": (HEAD, 24), "own, new": (0, 24), "other user": -EPERM, "nobody": -ESRCH,
    }  # fmt: skip


def test_locks_of_all_threads_that_are_killed_together_are_marked(guest):
    """Each thread holds a lock of its own; who waits for one of them hears of it."""
    threads = 3

    def hold(index):
        head, entry = HEAD + 0x100 * index, HEAD + 0x100 * index + 0x40
        guest.memory.write(head, pack("<QqQ", entry, 16, 0))
        guest.memory.write(entry, pack("<Q", head))
        guest.memory.write_u32(entry + 16, (yield Call("gettid")) | FUTEX_WAITERS)
        assert (yield Call("set_robust_list", head, 24)) == 0

    def thread(index):
        def script(cpu):
            yield from hold(index)
            yield Call("pause")

        return script

    def child(cpu):
        for index in range(threads):
            yield Call("clone", THREAD, DATA + 0x4000 + 0x400 * index, child=thread(index))
        yield Call("pause")

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield sleep(guest)
        words = [HEAD + 0x100 * index + 0x50 for index in range(threads)]
        for at, address in enumerate(words):
            value = guest.memory.read_u32(address)
            guest.memory.write(DATA + 0x400 + 24 * at, pack("<QQII", value, address, FUTEX_32, 0))
        yield Call("fork", child=killer(pid))
        assert (yield Call("futex_waitv", DATA + 0x400, threads, 0, 0, 0)) >= 0
        assert [guest.memory.read_u32(address) for address in words] == [FUTEX_WAITERS | FUTEX_OWNER_DIED] * threads

    def killer(pid):
        def script(cpu):
            yield sleep(guest)
            yield Call("kill", pid, SIGKILL)

        return script

    assert exit_code(guest.run(main)) == 0
    assert len(guest.kernel.futexes) == 0


def test_a_wait_for_several_words_and_signals(guest):
    def handler(cpu):
        guest.log.append("handler")
        yield Call("getpid")

    def vector():
        for at, address in enumerate((WORD, OTHER)):
            guest.memory.write(DATA + 0x400 + 24 * at, pack("<QQII", 0, address, FUTEX_32, 0))
        return DATA + 0x400

    def wait(flags, time=0):
        yield from guest.handle(SIGUSR1, handler, flags)
        guest.log.append((yield Call("futex_waitv", vector(), 2, 0, time, 1)))

    def child(cpu):
        yield from wait(0)
        yield from wait(SA_RESTART)
        yield from wait(SA_RESTART, guest.timespec(TIME + 64, guest.clock.now + 2 * SECOND))
        guest.memory.write_u32(OTHER, 1)
        guest.log.append((yield Call("futex_waitv", vector(), 2, 0, 0, 1)))

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield sleep(guest)
        yield Call("kill", pid, SIGUSR1)
        yield sleep(guest)
        yield Call("kill", pid, SIGUSR1)
        yield sleep(guest)
        assert (yield Call("futex", OTHER, FUTEX_WAKE, 9, 0, 0, 0)) == 1
        yield sleep(guest)
        yield Call("kill", pid, SIGUSR1)
        yield Call("wait4", -1, 0, 0, 0)

    assert exit_code(guest.run(main)) == 0
    assert guest.log == ["handler", -EINTR, "handler", 1, "handler", -ETIMEDOUT, -EAGAIN]
    assert len(guest.kernel.futexes) == 0
