"""strace: what a line looks like, and what happens to lines of calls that wait."""

from __future__ import annotations

import io

from kernel_harness import DATA, Guest

from lbw.abi.fcntl import AT_FDCWD, O_CREAT, O_RDWR
from lbw.abi.signal import SIGSEGV
from lbw.cpu.scripted import Call, Compute
from lbw.signals.siginfo import SigInfo
from lbw.trace.strace import Strace, siginfo_fields


def traced(main) -> list[str]:
    """Run `main` and return the lines of its trace."""
    stream = io.StringIO()
    guest = Guest(observer=Strace(stream))
    guest.run(lambda cpu: main(guest))
    return stream.getvalue().splitlines()


def test_arguments_results_and_errors():
    def main(guest):
        yield Call("openat", AT_FDCWD, guest.string(DATA, b'/a "b"'), O_CREAT | O_RDWR, 0o640)
        guest.memory.write(DATA, b"some\nbytes")
        yield Call("write", 0, DATA, 10)
        yield Call("pread64", 0, DATA, 4, 2)
        yield Call("unlink", guest.string(DATA, b"nosuch"))
        yield Call("unlink", 8)
        yield Call("pipe2", DATA, 0o2004000)
        yield Call("lseek", 0, -3, 2)

    assert traced(main)[:7] == [
        r'2 openat(AT_FDCWD, "/a \"b\"", O_RDWR|O_CREAT, 0640) = 0',
        r'2 write(0, "some\nbytes", 10) = 10',
        '2 pread64(0, "me\\nb", 4, 2) = 4',
        '2 unlink("nosuch") = -1 ENOENT (No such file or directory)',
        "2 unlink(0x8) = -1 EFAULT (Bad address)",
        "2 pipe2([1, 2], O_NONBLOCK|O_CLOEXEC) = 0",
        "2 lseek(0, -3, SEEK_END) = 7",
    ]


def test_structures_and_vectors():
    def main(guest):
        yield Call("openat", AT_FDCWD, guest.string(DATA, b"/f"), O_CREAT | O_RDWR, 0o640)
        guest.memory.write(DATA + 64, b"abcdef")
        guest.memory.write(DATA, b"".join(n.to_bytes(8, "little") for n in (DATA + 64, 2, DATA + 66, 4)))
        yield Call("writev", 0, DATA, 2)
        yield Call("fstat", 0, DATA)
        yield Call("getcwd", DATA, 100)
        guest.timespec(DATA, 1_500_000_000)
        yield Call("nanosleep", DATA, 0)

    lines = traced(main)
    assert lines[1] == '2 writev(0, [{iov_base="ab", iov_len=2}, {iov_base="cdef", iov_len=4}], 2) = 6'
    assert lines[2] == "2 fstat(0, {st_mode=S_IFREG|0640, st_size=6, ...}) = 0"
    assert lines[3] == '2 getcwd("/", 100) = 2'


def test_memory_of_others_and_what_is_resident():
    def main(guest):
        guest.memory.write(DATA + 64, b"abcdef")
        guest.memory.write(DATA, b"".join(n.to_bytes(8, "little") for n in (DATA + 64, 4, DATA + 128, 4)))
        yield Call("process_vm_readv", 2, DATA + 16, 1, DATA, 1, 0)
        yield Call("process_vm_writev", 2, DATA, 1, DATA + 16, 1, 0)
        yield Call("process_vm_writev", 77, DATA, 1, DATA + 16, 1, 0)
        yield Call("process_madvise", 5, DATA, 2, 20, 0)
        yield Call("process_mrelease", 5, 0)
        yield Call("mincore", DATA & -4096, 4096, DATA)
        yield Call("mincore", 1, 4096, DATA)

    area, other = f"{{iov_base={DATA + 64:#x}, iov_len=4}}", f"{{iov_base={DATA + 128:#x}, iov_len=4}}"
    assert traced(main)[:7] == [
        f'2 process_vm_readv(2, [{{iov_base="abcd", iov_len=4}}], 1, [{area}], 1, 0) = 4',
        f'2 process_vm_writev(2, [{{iov_base="abcd", iov_len=4}}], 1, [{other}], 1, 0) = 4',
        f'2 process_vm_writev(77, [{{iov_base="abcd", iov_len=4}}], 1, [{other}], 1, 0) = -1 ESRCH (No such process)',
        f"2 process_madvise(5, [{area}, {other}], 2, MADV_COLD, 0) = -1 EBADF (Bad file descriptor)",
        "2 process_mrelease(5, 0) = -1 EBADF (Bad file descriptor)",
        f"2 mincore({DATA & -4096:#x}, 4096, [1]) = 0",
        f"2 mincore(0x1, 4096, {DATA:#x}) = -1 EINVAL (Invalid argument)",
    ]


def test_futex_has_the_arguments_of_its_operation():
    def main(guest):
        guest.timespec(DATA, 1_500_000_000)
        word, other = 0x2000000, 0x2000040
        yield Call("futex", word, 0x80, 1, DATA, 77, 77)
        yield Call("futex", word, 1, 2, DATA, 77, 77)
        yield Call("futex", word, 0x109, 1, 0, 77, 0xFFFFFFFF)
        yield Call("futex", word, 4, 1, 2, other, 3)
        yield Call("futex", word, 5, 1, 2, other, 0x80000001 | 3 << 12 | 4 << 24)
        yield Call("futex", word, 7, 1, 2, other, 3)
        yield Call("futex", word, 13, 1, 8, other, 3)
        yield Call("futex", word, 0x101, 1, 2, other, 3)
        guest.memory.write(DATA + 64, b"".join(n.to_bytes(8, "little") for n in (1, word, 0x82, 1, 0, 2)))
        yield Call("futex_waitv", DATA + 64, 2, 0, DATA, 1)

    assert traced(main)[:9] == [
        "2 futex(0x2000000, FUTEX_WAIT_PRIVATE, 1, {tv_sec=1, tv_nsec=500000000})"
        " = -1 EAGAIN (Resource temporarily unavailable)",
        "2 futex(0x2000000, FUTEX_WAKE, 2) = 0",
        "2 futex(0x2000000, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME, 1, NULL, FUTEX_BITSET_MATCH_ANY)"
        " = -1 EAGAIN (Resource temporarily unavailable)",
        "2 futex(0x2000000, FUTEX_CMP_REQUEUE, 1, 2, 0x2000040, 3) = -1 EAGAIN (Resource temporarily unavailable)",
        "2 futex(0x2000000, FUTEX_WAKE_OP, 1, 2, 0x2000040,"
        " FUTEX_OP_OPARG_SHIFT<<28|FUTEX_OP_SET<<28|0x3<<12|FUTEX_OP_CMP_GT<<24|0x1) = 0",
        "2 futex(0x2000000, FUTEX_UNLOCK_PI) = -1 EPERM (Operation not permitted)",
        "2 futex(0x2000000, FUTEX_LOCK_PI2, 0x8) = -1 EFAULT (Bad address)",
        "2 futex(0x2000000, 0x101 /* FUTEX_??? */, 1) = -1 ENOSYS (Function not implemented)",
        "2 futex_waitv([{val=0x1, uaddr=0x2000000, flags=FUTEX_32|FUTEX_PRIVATE_FLAG},"
        " {val=0x1, uaddr=NULL, flags=FUTEX_32}], 2, 0, {tv_sec=1, tv_nsec=500000000}, CLOCK_MONOTONIC)"
        " = -1 EFAULT (Bad address)",
    ]


def test_a_call_that_waits_is_one_line_when_nobody_interrupts():
    def main(guest):
        yield Call("poll", 0, 0, 10)

    assert traced(main)[0] == "2 poll(NULL, 0, 10) = 0"


def test_a_call_that_waits_is_broken_by_others():
    def child(cpu):
        yield Compute(1)
        yield Call("write", 1, DATA, 1)
        yield Compute(5)
        return 0

    def main(guest):
        yield Call("pipe2", DATA + 64, 0)
        guest.memory.write(DATA, b"!")
        yield Call("fork", child=child)
        yield Call("read", 0, DATA, 1)

    lines = traced(main)
    begun = lines.index("2 read(0 <unfinished ...>")
    resumed = lines.index('2 <... read resumed>, "!", 1) = 1')
    assert '3 write(1, "!", 1) = 1' in lines[begun + 1 : resumed] + lines[resumed:]


def test_poll_shows_what_happened_once_more():
    def main(guest):
        yield Call("pipe2", DATA, 0)
        guest.memory.write(DATA, b"\1\0\0\0\4\0\0\0")
        yield Call("poll", DATA, 1, 0)

    assert traced(main)[1] == (
        "2 poll([{fd=1, events=POLLOUT}], 1, 0) = 1 ([{fd=1, events=POLLOUT, revents=POLLOUT}])"
    )


def test_the_last_call_does_not_return():
    def main(guest):
        yield Call("exit_group", 3)

    assert "2 exit_group(3) = ?" in traced(main)


def test_siginfo():
    assert siginfo_fields(SigInfo(SIGSEGV, 1, address=0x10)) == [
        "si_signo=SIGSEGV", "si_code=SEGV_MAPERR", "si_addr=0x10",
    ]  # fmt: skip
    assert siginfo_fields(SigInfo(2, 0, pid=4, uid=5)) == ["si_signo=SIGINT", "si_code=SI_USER", "si_pid=4", "si_uid=5"]


def test_signals_and_ends():
    def main(guest):
        yield Call("kill", 2, 15)

    assert traced(main) == [
        "2 kill(2, SIGTERM) = 0",
        "2 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=2, si_uid=0} ---",
        "2 +++ killed by SIGTERM +++",
    ]
