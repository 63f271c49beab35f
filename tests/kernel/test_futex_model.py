"""The table of futex waiters against a list: order, bitsets, priorities, requeueing, leaving, locks in the way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.sched import SCHED_DEADLINE, SCHED_FIFO, SCHED_RR
from lbw.kernel.futexes.priority import LockWaiter
from lbw.kernel.futexes.requeue import requeue
from lbw.kernel.futexes.table import Futexes, Waiter
from lbw.kernel.policies import ORDINARY, Scheduling

PRIVATE = 128
WORDS = (0x1000, 0x1004, 0x2000)
POLICIES = (
    ORDINARY, ORDINARY, ORDINARY, Scheduling(nice=-20), Scheduling(SCHED_FIFO, priority=10),
    Scheduling(SCHED_RR, priority=10), Scheduling(SCHED_FIFO, priority=99), Scheduling(SCHED_DEADLINE),
)  # fmt: skip


def rank(scheduling):
    return 100 if scheduling.policy == SCHED_DEADLINE else scheduling.priority


class Table:
    """The real table, tasks that only count how often they are woken, and a list in order of arrival."""

    def __init__(self):
        self.futexes = Futexes()
        self.memory = object()
        self.caller = SimpleNamespace(kernel=SimpleNamespace(futexes=self.futexes), memory=self.memory)
        self.model = []  # (word, bitset, waiter), in order of arrival at the word
        self.woken = []

    def add(self, word, bitset, scheduling):
        task = SimpleNamespace(scheduling=scheduling, wake=lambda: self.woken.append(waiter))
        waiter = Waiter(task, (self.memory, word), bitset)
        self.futexes.add(waiter)
        self.model.append((word, bitset, waiter))

    def queue(self, word):
        """Return the entries of `word` as they should be woken."""
        entries = [entry for entry in self.model if entry[0] == word]
        return sorted(entries, key=lambda entry: -rank(entry[2].task.scheduling))

    def wake(self, word, count, bitset):
        chosen = [entry for entry in self.queue(word) if entry[1] & bitset][: max(1, count)]
        self.expect(chosen, lambda: self.futexes.wake((self.memory, word), count, bitset), len(chosen))

    def requeue(self, word, other, wake, move):
        queue = self.queue(word)
        chosen, moved = queue[:wake], queue[wake : wake + move]
        total = len(chosen) + len(moved)
        self.expect(chosen, lambda: requeue(self.caller, word, other, PRIVATE, wake, move, None), total)
        if word != other:
            for entry in moved:
                self.model.remove(entry)
                self.model.append((other, *entry[1:]))

    def expect(self, chosen, action, result):
        for entry in chosen:
            self.model.remove(entry)
        self.woken.clear()
        assert action() == result
        assert self.woken == [entry[2] for entry in chosen]
        assert all(waiter.woken for waiter in self.woken)

    def leave(self, index):
        if self.model:
            _, _, waiter = self.model.pop(index % len(self.model))
            self.futexes.remove(waiter)

    def check(self):
        for word in WORDS:
            assert self.futexes.waiting((self.memory, word)) == [entry[2] for entry in self.queue(word)]
        assert len(self.futexes) == len(self.model)
        assert not any(waiter.woken for _, _, waiter in self.model)


word = st.sampled_from(WORDS)
bits = st.integers(1, 7)
count = st.integers(0, 4)
step = st.one_of(
    st.tuples(st.just("add"), word, bits, st.sampled_from(POLICIES)),
    st.tuples(st.just("wake"), word, count, bits),
    st.tuples(st.just("requeue"), word, word, count, count),
    st.tuples(st.just("leave"), st.integers(0, 9)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=30))
def test_the_table_behaves_like_a_list(steps):
    table = Table()
    for name, *arguments in steps:
        getattr(table, name)(*arguments)
        table.check()


def test_a_lock_in_the_way_stops_wakers_after_those_before_it():
    table = Table()
    table.add(WORDS[0], 7, ORDINARY)
    task = SimpleNamespace(scheduling=ORDINARY, wake=lambda: None)
    table.futexes.add(LockWaiter(task, (table.memory, WORDS[0]), WORDS[0]))
    table.add(WORDS[0], 7, ORDINARY)
    with pytest.raises(LinuxError) as caught:
        table.futexes.wake((table.memory, WORDS[0]), 9)
    assert caught.value.errno == EINVAL
    assert [waiter.woken for _, _, waiter in table.model] == [True, False]
    with pytest.raises(LinuxError) as caught:
        requeue(table.caller, WORDS[0], WORDS[1], PRIVATE, 0, 9, None)
    assert caught.value.errno == EINVAL
    assert len(table.futexes) == 2
