"""Message queues of System V: which message a receiver gets, who waits, limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipc_world import ROOT, USER, Around, failure

from lbw.abi.errno import E2BIG, EAGAIN, EIDRM, EINVAL, ENOMEM, EPERM
from lbw.abi.ipc import IPC_PRIVATE, MSG_COPY, MSG_EXCEPT, MSG_NOERROR
from lbw.ipc.budget import MESSAGE, MemoryBudget
from lbw.ipc.msg import MessageQueues, Wish

KINDS = st.integers(1, 5)


def make() -> tuple[MessageQueues, object]:
    around = Around()
    table = MessageQueues(around, MemoryBudget(around.frames))
    return table, table.make(IPC_PRIVATE, 0o600, ROOT)


def chosen(messages, kind, flags):
    """Return the position that man 2 msgop says."""
    if not kind:
        return 0 if messages else -1
    if kind < 0:
        fitting = [message for message in messages if message[0] <= -kind]
        return messages.index(min(fitting, key=lambda message: message[0])) if fitting else -1
    fits = [(message[0] != kind) if flags & MSG_EXCEPT else (message[0] == kind) for message in messages]
    return fits.index(True) if True in fits else -1


@given(st.lists(KINDS, max_size=8), st.lists(st.tuples(st.integers(-6, 6), st.sampled_from((0, MSG_EXCEPT)))))
def test_receivers_get_what_they_want(kinds, wishes):
    _, queue = make()
    left = [(kind, b"%d" % number) for number, kind in enumerate(kinds)]
    for kind, text in left:
        queue.send(kind, text, 7)
    for kind, flags in wishes:
        position = chosen(left, kind, flags)
        expected = left.pop(position) if position >= 0 else None
        assert queue.receive(Wish(kind, 100, flags, 8)) == expected
    assert queue.messages == left and queue.bytes == sum(len(text) for _, text in left)


@given(st.lists(KINDS, max_size=10), st.lists(st.integers(-6, 6), max_size=5))
def test_waiting_receivers_are_served_in_order(kinds, wanted):
    """A message goes to the first who waits for one like it, as if each had asked again in turn."""
    _, queue = make()
    wishes = [Wish(kind, 100, 0, number) for number, kind in enumerate(wanted)]
    queue.receivers.extend(wishes)
    waiting = list(wishes)
    for number, kind in enumerate(kinds):
        message = (kind, b"%d" % number)
        takers = [wish for wish in waiting if chosen([message], wanted[wish.pid], 0) == 0]
        queue.send(*message, 7)
        if takers:
            assert takers[0].message == message
            waiting.remove(takers[0])
        else:
            assert queue.messages[-1] == message
    assert queue.receivers == waiting


def test_a_receiver_with_a_small_buffer_is_told_and_the_next_is_asked():
    _, queue = make()
    small, cutting = Wish(0, 2, 0, 1), Wish(0, 2, MSG_NOERROR, 2)
    queue.receivers += [small, cutting]
    queue.send(1, b"long", 7)
    assert small.error == E2BIG and cutting.message == (1, b"long") and queue.last_receiver == 2
    queue.send(1, b"long", 7)
    assert failure(lambda: queue.receive(Wish(0, 2, 0, 1))) == E2BIG
    assert failure(lambda: queue.receive(Wish(0, 2, MSG_COPY | MSG_NOERROR, 1))) == EINVAL
    assert queue.receive(Wish(0, 4, MSG_COPY, 1)) == queue.receive(Wish(0, 2, MSG_NOERROR, 1))


def test_limits_count_bytes_and_messages():
    table, queue = make()
    queue.set(0, 0, 0o600, 5, table.queue_limit, ROOT)
    for text in (b"abc", b"", b"de", b"", b""):
        queue.send(1, text, 7)
    for text in (b"", b"x"):
        assert failure(lambda text=text: queue.send(1, text, 7)) == EAGAIN
    queue.receive(Wish(0, 9, 0, 1))
    assert failure(lambda: queue.send(1, b"abcd", 7)) == EAGAIN
    queue.send(1, b"abc", 7)
    owner = queue.uid, queue.gid, queue.mode
    assert failure(lambda: queue.set(*owner, table.queue_limit + 1, table.queue_limit, USER)) == EPERM
    queue.set(*owner, table.queue_limit + 1, table.queue_limit, ROOT)


@pytest.mark.parametrize("kind", (0, 1, -9))
def test_removal(kind):
    table, queue = make()
    wish = Wish(kind, 1, 0, 1)
    queue.receivers.append(wish)
    table.remove(queue)
    assert wish.error == EIDRM and queue.removed and not table


def test_the_memory_of_all_queues_has_a_limit(around):
    around.frames.limit = 1  # a page: 256 bytes for all messages
    budget = MemoryBudget(around.frames)
    table = MessageQueues(around, budget)
    one, other = (table.make(IPC_PRIVATE, 0o600, ROOT) for _ in range(2))
    one.send(1, b"", 7)
    assert failure(lambda: other.send(1, b"x", 7)) == ENOMEM
    other.send(1, b"", 7)
    one.receive(Wish(0, 9, 0, 1))
    assert budget.used == MESSAGE
    table.remove(other)
    assert budget.used == 0
