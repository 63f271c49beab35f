"""POSIX message queues: order, hand-over, notification, the file system and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipc_world import ROOT, USER, Around, failure

from lbw.abi.errno import EBUSY, EEXIST, EINVAL, EMFILE, ENOENT, ENOMEM, ENOSPC, EPERM
from lbw.abi.fcntl import O_RDWR
from lbw.abi.poll import POLLIN, POLLOUT
from lbw.abi.stat import S_IFDIR, S_IFIFO, S_IFREG
from lbw.ipc.budget import MESSAGE, MemoryBudget
from lbw.ipc.mqueue import Notification, Queue, Transfer
from lbw.ipc.mqueue_fs import HARD_MESSAGES, HARD_SIZE, QueueFileSystem


@pytest.fixture
def fs(around) -> QueueFileSystem:
    return QueueFileSystem(around)


def make(limit: int) -> Queue:
    return Queue(limit, 10, MemoryBudget(Around().frames))


@given(st.lists(st.one_of(st.integers(0, 4), st.none()), max_size=60), st.integers(1, 5))
def test_messages_leave_by_priority_and_age(steps, limit):
    """A priority is a message, None a wish; both wait when they must. No order is lost by waiting."""
    queue, held, senders, receivers, got, expected = make(limit), [], [], [], {}, {}
    for number, priority in enumerate(steps):
        if priority is not None:
            message = (priority, b"%d" % number)
            if queue.full:
                senders.append(message)
                queue.senders.append(Transfer(message))
            elif receivers:
                expected[receivers.pop(0)] = message
                queue.send(*message)
            else:
                held.append(message)
                queue.send(*message)
        elif held:
            best = max(held, key=lambda message: message[0])
            held.remove(best)
            if senders:
                held.append(senders.pop(0))
            assert queue.receive() == best
        else:
            receivers.append(number)
            got[number] = Transfer()
            queue.receivers.append(got[number])
        assert len(queue) == len(held) and queue.bytes == sum(len(text) for _, text in held)
        assert len(queue.senders) == len(senders) and len(queue.receivers) == len(receivers)
    assert {number: each.message for number, each in got.items() if each.done} == expected


def test_notification_comes_once_and_only_into_an_empty_queue():
    queue, told = make(5), []

    def register(pid: int) -> None:
        queue.notify(Notification(pid, 0, 0, lambda: told.append(pid)))

    register(1)
    assert failure(lambda: register(2)) == EBUSY
    queue.forget(2)  # not theirs
    queue.send(0, b"a")
    queue.send(0, b"b")
    assert told == [1] and queue.notification is None
    register(2)
    queue.send(0, b"c")
    assert told == [1]
    queue.forget(2)
    assert queue.notification is None
    while len(queue):
        queue.receive()
    register(3)
    queue.receivers.append(Transfer())
    queue.send(0, b"to who waits")
    assert told == [1]
    queue.send(0, b"d")
    assert told == [1, 3]


def test_a_queue_ends_with_its_last_use(fs, around):
    around.who = USER
    inode = fs.root.make(b"q", 0o600, 1000, 1000, 10, 100)
    cost = fs.accounts[1000]
    assert cost == 10 * (100 + 48) + 10 * 48 and fs.count == 1
    one, other = inode.open(O_RDWR).acquire(), inode.open(O_RDWR).acquire()
    fs.root.unlink(b"q")
    assert failure(lambda: fs.root.lookup(b"q")) == ENOENT
    assert inode.stat().nlink == 0 and fs.accounts[1000] == cost
    one.release()
    assert fs.count == 1
    other.release()
    assert fs.count == 0 and fs.accounts[1000] == 0


def test_what_the_root_takes(fs):
    root = fs.root
    inode = root.create(b"q", S_IFREG | 0o640, 1, 2)
    assert (inode.contents.limit, inode.contents.largest) == (10, 8192)
    assert failure(lambda: root.create(b"q", S_IFREG, 0, 0)) == EEXIST
    for action in (
        lambda: root.create(b"p", S_IFIFO, 0, 0), lambda: root.mkdir(b"d", S_IFDIR, 0, 0),
        lambda: root.symlink(b"s", b"q", 0, 0), lambda: root.link(b"l", inode),
        lambda: root.rename(b"q", root, b"r", 0),
    ):  # fmt: skip
        assert failure(action) == EPERM
    assert root.entries() == [(b"q", inode.ino, S_IFREG)]


def test_limits(fs, around):
    def make(limit: int, largest: int) -> int:
        return failure(lambda: fs.root.make(b"%d" % fs.count, 0o600, 0, 0, limit, largest))

    assert make(HARD_MESSAGES, HARD_SIZE) == 0
    for bad in ((0, 1), (1, 0), (-1, 1), (1, -1), (HARD_MESSAGES + 1, 1), (1, HARD_SIZE + 1)):
        assert make(*bad) == EINVAL
    around.who = USER
    assert make(11, 1) == make(10, 8193) == EINVAL
    fs.count_limit = 2
    around.allowance = 10 * (8192 + 48) + 10 * 48
    assert make(10, 8192) == 0
    assert make(1, 1) == ENOSPC
    fs.count_limit = 9
    assert make(1, 1) == EMFILE
    around.who, around.allowance = ROOT, 1 << 62
    fs.count_limit = 0
    assert make(1, 1) == 0


def test_as_a_file(fs, around):
    file = fs.root.make(b"q", 0o600, 0, 0, 1, 100).open(O_RDWR).acquire()
    buffer = bytearray(200)

    def text(offset: int = 0) -> bytes:
        return bytes(buffer[: file.pread([memoryview(buffer)], offset)])

    assert text() == b"QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"
    assert file.poll() & (POLLIN | POLLOUT) == POLLOUT
    file.contents.send(1, b"12345")
    file.contents.notify(Notification(10, 0, 34, lambda: None))
    assert text() == b"QSIZE:5          NOTIFY:0     SIGNO:34    NOTIFY_PID:10    \n"
    assert text(6) == text()[6:] and text(500) == b""
    assert file.poll() & (POLLIN | POLLOUT) == POLLIN
    around.number = 11
    file.descriptor_closed()
    assert file.contents.notification is not None
    around.number = 10
    file.descriptor_closed()
    assert file.contents.notification is None
    assert failure(lambda: file.write([memoryview(b"x")])) == EINVAL


def test_the_memory_of_all_messages_has_a_limit(around):
    around.frames.limit = 1
    fs = QueueFileSystem(around)
    inode = fs.root.make(b"q", 0o600, 0, 0, 9, 100)
    file = inode.open(O_RDWR).acquire()
    file.contents.send(1, b"")
    file.contents.send(1, b"")
    assert failure(lambda: file.contents.send(1, b"")) == ENOMEM
    file.contents.receive()
    assert fs.budget.used == MESSAGE
    fs.root.unlink(b"q")
    file.release()
    assert fs.budget.used == 0
