"""Random programs about pipes, FIFOs, poll and select: one process, nothing blocks."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from replay_files import O_NONBLOCK, any_of, call, fd, reading, text, vectored, writing

pipe_fd = st.one_of(any_of(3, 4, 5, 6), fd)
fifo = any_of(text("p"), text("p"), text("n"), text("a"))
count = any_of(0, 1, 5, 4095, 4096, 4097, 65535, 65536, 70000)


@st.composite
def polling(draw: st.DrawFn) -> str:
    entries = draw(st.lists(st.tuples(fd, any_of(0, 1, 4, 5, 0x2000, 0x7FF)), min_size=1, max_size=5))
    words = ",".join(f"{number}:{events}" for number, events in entries)
    return f"N poll p{words} {len(entries)} 0"


@st.composite
def selecting(draw: st.DrawFn) -> str:
    def bitmap() -> str:
        return draw(st.one_of(st.just("0"), st.integers(0, 1023).map(lambda bits: f"q{bits & ~7}")))

    return f"N pselect6 {draw(any_of(10, 8, 4, 0, 64, -1))} {bitmap()} {bitmap()} {bitmap()} T0 0"


def lines(name: str, make: SearchStrategy[str]) -> SearchStrategy[str]:
    """Return lines that use pipe descriptors."""
    return st.builds(lambda line, number: " ".join([*line.split()[:2], number, *line.split()[3:]]), make, pipe_fd)


operation = st.one_of(
    lines("read", reading("read")), lines("read", reading("read")), lines("write", writing("write")),
    lines("write", writing("write")), lines("readv", vectored("readv", "V")), lines("writev", vectored("writev", "v")),
    polling(), polling(), selecting(),
    call("pipe2", "o8", any_of(O_NONBLOCK, O_NONBLOCK | 0o40000, O_NONBLOCK | 0o2000000)),
    call("open", fifo, any_of(O_NONBLOCK, O_NONBLOCK | 1, O_NONBLOCK | 2, O_NONBLOCK | 0o10000000)),
    call("mknod", text("n"), "010644", 0), call("close", pipe_fd), call("close", pipe_fd),
    call("dup2", pipe_fd, any_of(3, 5, 8)), call("dup", pipe_fd),
    call("fcntl", pipe_fd, any_of(1032, 3), 0),
    call("fcntl", pipe_fd, 1031, any_of(0, 1, 4096, 5000, 8192, 65536, 1 << 20)),
    call("ioctl", pipe_fd, 0x541B, "o4"), call("fstat", pipe_fd, "S"), call("lseek", pipe_fd, 0, any_of(0, 1, 3)),
    call("splice", pipe_fd, 0, pipe_fd, 0, count, any_of(2, 3)), call("tee", pipe_fd, pipe_fd, count, any_of(2, 2, 16)),
    lines("vmsplice", vectored("vmsplice", "v")).map(lambda line: line + " 2"),
    lines("vmsplice", vectored("vmsplice", "V")).map(lambda line: line + " 2"),
    call("sendfile", pipe_fd, pipe_fd, 0, count),
    call("ftruncate", pipe_fd, 0), call("fsync", pipe_fd), call("fchmod", pipe_fd, "0600"),
    call("fchown", pipe_fd, 5, 6),
    call("flock", pipe_fd, any_of(5, 6, 12)),
    call("openat", -100, any_of(*(text(f"/proc/self/fd/{number}") for number in (3, 4, 5))), any_of(O_NONBLOCK,
        O_NONBLOCK | 1)),
)  # fmt: skip
begin = st.sampled_from(
    [["N pipe2 o8 2048"], ["N pipe2 o8 2048", "N pipe2 o8 2048"], ["N open s70 2048", "N open s70 2049"]]
)
programs = st.builds(lambda first, then: first + then, begin, st.lists(operation, min_size=1, max_size=40))
