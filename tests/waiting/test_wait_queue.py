"""Wait queues: waiters leave when woken, listeners stay."""

from __future__ import annotations

from lbw.waiting import WaitQueue


class Sleeper:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class Ear:
    def __init__(self, wakes: bool = False) -> None:
        self.heard: list[int] = []
        self.wakes = wakes

    def notify(self, events: int) -> bool:
        self.heard.append(events)
        return self.wakes


def test_a_waiter_is_woken_once() -> None:
    queue, sleeper = WaitQueue(), Sleeper()
    queue.add(sleeper)
    assert len(queue) == 1
    assert queue.wake_all() == 1
    assert queue.wake_all() == 0
    assert sleeper.woken == 1


def test_the_longest_waiting_is_woken_first() -> None:
    queue, sleepers = WaitQueue(), [Sleeper() for _ in range(3)]
    for sleeper in sleepers:
        queue.add(sleeper)
    assert queue.wake(2) == 2
    assert [sleeper.woken for sleeper in sleepers] == [1, 1, 0]


def test_a_listener_hears_every_wake_until_it_leaves() -> None:
    queue, ear, sleeper = WaitQueue(), Ear(), Sleeper()
    queue.listen(ear)
    assert queue.listened
    queue.add(sleeper)
    assert queue.wake_all(4) == 1  # listeners are not counted
    queue.wake_all()
    queue.unlisten(ear)
    queue.wake_all(1)
    queue.unlisten(ear)
    assert ear.heard == [4, 0]
    assert sleeper.woken == 1
    assert not queue.listened


def test_one_exclusive_listener_that_has_somebody_to_wake_is_enough() -> None:
    queue, idle, busy, last, plain = WaitQueue(), Ear(), Ear(True), Ear(True), Ear(True)
    for ear in (idle, busy, last):
        queue.listen(ear, exclusive=True)
    queue.listen(plain)
    queue.wake_all(1)
    assert [ear.heard for ear in (idle, busy, last, plain)] == [[1], [1], [], [1]]


def test_a_listener_may_leave_while_it_is_told() -> None:
    queue = WaitQueue()

    class Once(Ear):
        def notify(self, events: int) -> bool:
            queue.unlisten(self)
            return super().notify(events)

    once, ear = Once(), Ear()
    queue.listen(once)
    queue.listen(ear)
    queue.wake_all(1)
    queue.wake_all(2)
    assert once.heard == [1]
    assert ear.heard == [1, 2]


def test_waking_one_tells_no_listener() -> None:
    queue, ear = WaitQueue(), Ear()
    queue.listen(ear)
    assert queue.wake() == 0
    assert ear.heard == []
