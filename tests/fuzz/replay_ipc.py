"""Random programs about System V IPC and POSIX message queues: nothing blocks, and ids begin at 0.

Natively they run in an IPC namespace of their own. What tells times or processes is not looked at.
"""

from __future__ import annotations

from hypothesis import strategies as st
from replay_files import any_of, call, text
from replay_memory import address, odd_address, size, touch

CREAT, EXCL, NOWAIT, UNDO = 0o1000, 0o2000, 0o4000, 0x1000
identity = st.one_of(any_of(0, 0, 1), any_of(0, 1, 2, 3, 32768, 65, -1))
key = any_of(0, 5, 5, 6)
getting = any_of(CREAT | 0o600, CREAT | 0o600, CREAT | EXCL | 0o640, 0, 0o600, EXCL | 0o777)


def packed(*numbers: int, width: int) -> str:
    """Return bytes of little-endian numbers."""
    return "".join((number & (1 << 8 * width) - 1).to_bytes(width, "little").hex() for number in numbers)


def permissions(*rest: int) -> str:
    """Return a structure that begins with permissions, as IPC_SET reads it, in 64-bit programs."""
    return "h" + packed(0, 3, 4, 0, 0, 0o7644, width=4) + packed(0, 0, 0, *rest, *[0] * 12, width=8)


# Shared memory
shmat = call("shmat", identity, odd_address, any_of(0, 0, 0o10000, 0o40000, 0o40000, 0o20000, 0o60000, 0o100000))
shared = st.one_of(
    call("shmget", key, any_of(0, 1, 4096, 5000, 9000, 70000), getting),
    shmat.map(lambda line: "P" + line[1:]), shmat.map(lambda line: "P" + line[1:]),
    call("shmdt", odd_address), call("shmdt", address), call("munmap", odd_address, size),
    call("mremap", address, size, size, any_of(0, 1, 3), address).map(lambda line: "P" + line[1:]),
    call("mprotect", address, size, any_of(0, 1, 3)),
    call("shmctl", identity, any_of(0, 0, 1, 2, 3, 11, 12, 13, 14, 15, 99, -1), any_of("z200", "x", permissions())),
    touch, touch, st.just("M"),
)  # fmt: skip

# Semaphores
change = st.tuples(st.sampled_from([0, 1, 2, 1, 0, 9]), st.integers(-3, 3), st.sampled_from([0, 0, UNDO])).map(
    lambda each: packed(each[0], each[1], each[2] | NOWAIT, width=2)
)
operations = st.lists(change, max_size=4).map(lambda each: f"h{''.join(each)} {len(each)}")
semaphores = st.one_of(
    call("semget", key, any_of(0, 1, 3, 3, 4, -1, 32001), getting),
    st.builds("N semop {} {}".format, identity, operations), st.builds("N semop {} {}".format, identity, operations),
    st.builds("N semop {} {}".format, identity, operations), call("semop", identity, "x", any_of(1, 501, 1 << 20)),
    call("semctl", identity, any_of(0, 1, 2, 3, -1), any_of(12, 12, 14, 15), 0),
    call("semctl", identity, any_of(0, 1, 2, 3, -1), 16, any_of(0, 1, 2, 5, 32767, 32768, -1)),
    call("semctl", identity, 0, 13, any_of("o8", "x")),
    call("semctl", identity, 0, 17, any_of("h" + packed(1, 2, 3, 4, width=2), "h" + packed(1, 40000, 1, width=2), "x")),
    call("semctl", identity, 0, any_of(0, 1, 2, 3, 18, 19, 20, 99), any_of("z200", "x", permissions())),
    st.integers(1, 6).map("F {}".format),
)  # fmt: skip

# Messages
message = st.builds(
    lambda kind, data: "h" + packed(kind, width=8) + data.hex(), st.integers(-1, 5), st.binary(min_size=8, max_size=8)
)  # fmt: skip
messages = st.one_of(
    call("msgget", key, getting), call("msgsnd", identity, message, any_of(0, 1, 5, 8), NOWAIT),
    call("msgsnd", identity, message, any_of(0, 1, 5, 8), NOWAIT),
    call("msgsnd", identity, "y9000", any_of(5000, 8192, 8193, -1), NOWAIT),
    call("msgrcv", identity, any_of("o20", "o20", "x", "e12"), any_of(8, 8, 4, 0, -1), any_of(*range(-6, 7)),
         any_of(*(NOWAIT | more for more in (0, 0, 0o10000, 0o20000, 0o40000, 0o60000, 0o50000)))),
    call("msgctl", identity, any_of(0, 2, 3, 11, 12, 13, 99, -1), any_of("z200", "x")),
    call("msgctl", identity, 1, any_of("x", permissions(0, 0, 0, 0, 0, 20))),
)  # fmt: skip

# POSIX queues
NONBLOCK = 0o4000
name = any_of(*map(text, ("q", "q", "r", "", ".", "a/b")))
queue = any_of(3, 3, 4, 5, 6, -1)
attributes = st.tuples(
    st.sampled_from([0, 0, NONBLOCK, 1]), st.sampled_from([3, 2, 10, 0, -1]), st.sampled_from([8, 20, 0, -1])
).map(lambda each: "h" + packed(*each, 0, 0, 0, 0, 0, width=8))
event = st.tuples(st.sampled_from([0, 10, 64, 65]), st.sampled_from([0, 1, 1, 3])).map(
    lambda each: "h" + packed(7, width=8) + packed(*each, width=4) + packed(*[0] * 6, width=8)
)
access = any_of(*(flags | NONBLOCK for flags in (2, 2, 0, 1, 3)))
making = any_of(*(flags | NONBLOCK | 0o100 for flags in (2, 2, 2, 0, 1, 0o202)))
queues = st.one_of(
    call("mq_open", name, making, any_of("0600", "0777", "0"), attributes),
    call("mq_open", name, making, "0600", any_of(0, "x")), call("mq_open", name, access, 0, 0),
    call("mq_unlink", name),
    call("mq_timedsend", queue, any_of("y8", "y20", "x"), any_of(0, 5, 8, 9, 20), any_of(0, 1, 1, 2, 32767, 32768), 0),
    call("mq_timedsend", queue, "y8", any_of(0, 5, 8), any_of(0, 1, 1, 2), 0),
    call("mq_timedreceive", queue, any_of("r30", "r30", "e30", "x"), any_of(30, 8, 7, -1), any_of("o4", 0), 0),
    call("mq_timedreceive", queue, "r30", 30, "o4", 0),
    call("mq_getsetattr", queue, any_of(0, 0, "x"), any_of("o64", 0, "x")),
    call("mq_getsetattr", queue, attributes, "o64"),
    call("mq_notify", queue, event), call("mq_notify", queue, any_of(0, "x")), call("close", queue), call("dup", queue),
    call("read", queue, "r20", 20), call("write", queue, "y5", 5), call("lseek", queue, any_of(0, 3), any_of(0, 1, 2)),
    call("fcntl", queue, any_of(1, 3), 0), call("ftruncate", queue, any_of(0, 5)), call("fsync", queue),
    st.integers(1, 6).map("F {}".format),
    st.builds("N poll p{}:{} 1 0".format, queue, any_of(1, 4, 5)),
)  # fmt: skip


def some(*what: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return a program of such lines."""
    return st.lists(st.one_of(*what), min_size=1, max_size=40)


begin = [f"N shmget 0 9000 {CREAT | 0o600}", f"N semget 5 3 {CREAT | 0o600}", f"N msgget 5 {CREAT | 0o600}"]
programs = st.one_of(
    some(shared).map(lambda then: begin[:1] + then), some(semaphores).map(lambda then: begin[1:2] + then),
    some(messages).map(lambda then: begin[2:] + then), some(queues), some(shared, semaphores, messages, queues),
)  # fmt: skip
