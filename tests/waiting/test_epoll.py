"""epoll against what it promises: which files a wait reports, after any history."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, LinuxError
from lbw.abi.fcntl import O_RDWR
from lbw.abi.poll import (
    EPOLLERR,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLOUT,
    POLLIN,
    POLLRDNORM,
)
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.epoll.account import WatchAccount
from lbw.vfs.epoll.epoll import Epoll
from lbw.vfs.epoll.nesting import check_nesting, check_paths
from lbw.waiting import WaitQueue


class Thing(AnonymousFile):
    """A file that is as ready as it is told to be."""

    __slots__ = ("looks", "queue", "state")

    def __init__(self) -> None:
        super().__init__(SharedInode(b"thing"), O_RDWR)
        self.queue: WaitQueue = WaitQueue()
        self.state = 0
        self.looks = 0

    def poll(self) -> int:
        self.looks += 1
        return self.state

    def become(self, state: int, hint: int = 0) -> None:
        self.state = state
        self.queue.wake_all(hint)


def make() -> Epoll:
    return Epoll(WatchAccount(), 0)


def fetch(epoll: Epoll, limit: int = 1000, stored: int = 1000) -> list[tuple[int, int]]:
    taken = epoll.take(limit)
    epoll.settle(taken, min(stored, len(taken)))
    return [(item.fd, events) for item, events in taken[:stored]]


class Expected:
    """What one item promises."""

    def __init__(self, thing: Thing, events: int) -> None:
        self.thing = thing
        self.set(events)

    def set(self, events: int) -> None:
        self.events = events | EPOLLERR | EPOLLHUP
        self.armed = True
        self.fresh = True  # something may have happened that was not reported

    def woken(self, hint: int) -> None:
        if not hint or hint & self.events:
            self.fresh = True

    def report(self) -> int:
        found = self.thing.state & self.events & 0xFFFF
        due = found if self.armed and (self.fresh or not self.events & EPOLLET) else 0
        self.fresh = False
        if due and self.events & EPOLLONESHOT:
            self.armed = False
        return due


STATES = st.sampled_from([0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, EPOLLHUP, EPOLLIN | EPOLLHUP, EPOLLERR])
WANTED = st.builds(
    lambda events, how: events | how,
    st.sampled_from([0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT]),
    st.sampled_from([0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT]),
)
FILES = st.integers(0, 4)
ACTIONS = st.one_of(
    st.tuples(st.just("become"), FILES, STATES),
    st.tuples(st.just("add"), FILES, WANTED),
    st.tuples(st.just("modify"), FILES, WANTED),
    st.tuples(st.just("remove"), FILES, st.just(0)),
    st.tuples(st.just("close"), FILES, st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.just(0)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_every_wait_reports_what_the_history_promises(actions: list[tuple[str, int, int]]) -> None:
    epoll = make()
    things = [Thing().acquire() for _ in range(5)]
    expected: dict[int, Expected] = {}
    for action, number, value in [*actions, ("wait", 0, 0)]:
        thing = things[number]
        assert isinstance(thing, Thing)
        if action == "become":
            hint = value & ~thing.state  # files say what has begun to hold; any, when nothing has
            thing.become(value, hint)
            if number in expected:
                expected[number].woken(hint)
        elif action == "add" and number not in expected:
            epoll.add(number, thing, value, 0)
            expected[number] = Expected(thing, value)
        elif action == "modify" and number in expected:
            epoll.modify(number, thing, value, 0)
            expected[number].set(value)
        elif action == "remove" and number in expected:
            epoll.find(number, thing).remove()
            del expected[number]
        elif action == "close":
            thing.release()
            things[number] = Thing().acquire()
            expected.pop(number, None)
        elif action == "wait":
            promised = {fd: due for fd, item in expected.items() if (due := item.report())}
            assert dict(fetch(epoll)) == promised
    assert len(epoll.items) == len(expected)


def filled(count: int, events: int = EPOLLIN) -> tuple[Epoll, list[Thing]]:
    epoll, things = make(), [Thing() for _ in range(count)]
    for fd, thing in enumerate(things):
        thing.acquire()
        epoll.add(fd, thing, events, fd)
    return epoll, things


def test_nobody_starves_when_few_events_are_taken_at_a_time() -> None:
    epoll, things = filled(7)
    for thing in things:
        thing.become(EPOLLIN)
    seen = [fd for _ in range(7) for fd, _ in fetch(epoll, 3)]
    assert sorted(seen) == sorted([*range(7)] * 3)


def test_a_wait_looks_only_at_what_was_woken() -> None:
    epoll, things = filled(3000)
    for thing in things:
        thing.looks = 0
    things[1234].become(EPOLLIN)
    assert fetch(epoll) == [(1234, EPOLLIN)]
    assert sum(thing.looks for thing in things) == 1


def test_what_was_not_stored_comes_again_and_first() -> None:
    epoll, things = filled(4, EPOLLIN | EPOLLET)
    for thing in things:
        thing.become(EPOLLIN)
    assert [fd for fd, _ in fetch(epoll, stored=1)] == [0]
    assert [fd for fd, _ in fetch(epoll)] == [1, 2, 3]
    assert fetch(epoll) == []


def test_an_item_lives_as_long_as_its_description() -> None:
    epoll, (thing,) = filled(1)
    thing.acquire()
    thing.release()
    thing.become(EPOLLIN)
    assert fetch(epoll) == [(0, EPOLLIN)]
    thing.release()
    assert fetch(epoll) == []
    assert not epoll.items
    assert not thing.queue.listened


def test_closing_an_epoll_lets_its_files_go() -> None:
    epoll, things = filled(3)
    epoll.acquire()
    epoll.release()
    assert not any(thing.queue.listened or thing.epolls for thing in things)


def test_an_epoll_is_readable_while_one_of_its_files_is() -> None:
    inner, (thing,) = filled(1)
    outer = make()
    outer.add(9, inner, EPOLLIN | EPOLLET, 0)
    assert inner.poll() == 0
    thing.become(EPOLLIN)
    assert inner.poll() == POLLIN | POLLRDNORM
    assert fetch(outer) == [(9, EPOLLIN)]
    assert fetch(outer) == []
    thing.become(0)
    assert inner.poll() == 0
    thing.become(EPOLLIN)
    assert fetch(outer) == [(9, EPOLLIN)]


def raises(number: int) -> object:
    return pytest.raises(LinuxError, check=lambda error: error.errno == number)


def test_errors() -> None:
    account = WatchAccount()
    epoll, thing = Epoll(account, 0), Thing()
    epoll.add(0, thing.acquire(), EPOLLIN | EPOLLEXCLUSIVE, 0)
    with raises(EEXIST):
        epoll.add(0, thing, EPOLLIN, 0)
    with raises(EINVAL):
        epoll.modify(0, thing, EPOLLIN, 0)
    with raises(ENOENT):
        epoll.modify(1, thing, EPOLLIN, 0)
    account.limit = 1
    with raises(ENOSPC):
        epoll.add(1, thing, EPOLLIN, 0)
    epoll.find(0, thing).remove()
    epoll.add(1, thing, EPOLLIN, 0)


def test_a_file_wakes_only_so_many_epolls_through_others() -> None:
    inner, (thing,) = filled(1)
    for fd in range(500):
        outer = make()
        outer.add(fd, inner, EPOLLIN, 0)
        check_paths(outer, inner)
    one_more = make()
    one_more.add(0, inner, EPOLLIN, 0)
    with raises(EINVAL):
        check_paths(one_more, inner)
    alone = make()
    alone.add(0, thing, EPOLLIN, 0)
    check_paths(alone, thing)


def test_circles_and_long_chains_are_refused() -> None:
    chain = [make() for _ in range(6)]
    for outer, inner in pairwise(chain[:5]):
        check_nesting(outer, inner)
        outer.add(0, inner, EPOLLIN, 0)
    with raises(ELOOP):
        check_nesting(chain[4], chain[5])
    with raises(ELOOP):
        check_nesting(chain[3], chain[0])
    with raises(ELOOP):
        check_nesting(chain[5], chain[0])
    check_nesting(chain[5], chain[1])
