"""The scheduler by itself: shares, credit, giving way."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from lbw.kernel.policies import RATES
from lbw.kernel.scheduler import CREDIT, Scheduler
from lbw.kernel.task import DEAD

SLICE = 10_000_000


class Clock:
    now = 0

    def processor(self) -> int:
        return self.now


class Processor:
    """Runs what the scheduler chooses, a slice each time."""

    def __init__(self, nices=()):
        self.clock = Clock()
        self.scheduler = Scheduler(self.clock)
        self.used = {}
        self.tasks = [self.add(nice) for nice in nices]

    def add(self, nice=0):
        process = SimpleNamespace(stop_signal=0)
        task = SimpleNamespace(
            process=process, virtual_time=self.scheduler.least, slice_start=0, state=0, index=len(self.used),
            rate=RATES[nice + 20],
        )  # fmt: skip
        self.used[task.index] = 0
        self.scheduler.ready(task)
        return task

    def run(self, time=SLICE, after="ready"):
        task = self.scheduler.next()
        if task is None:
            return None
        self.scheduler.running = task
        task.slice_start = self.clock.now
        self.clock.now += time
        if after:
            getattr(self.scheduler, after)(task)
        self.scheduler.running = None
        task.virtual_time += self.scheduler.passed(task, time)
        self.used[task.index] += time
        return task


@given(st.lists(st.integers(-20, 19), min_size=1, max_size=6))
def test_everybody_gets_a_share_in_proportion_to_the_weight(nices):
    processor = Processor(nices)
    heaviest = min(nices)
    rounds = 400 * len(nices)
    for _ in range(rounds):
        processor.run()
    weights = [1 / RATES[nice + 20] for nice in nices]
    for task, weight in zip(processor.tasks, weights, strict=True):
        share = rounds * SLICE * weight / sum(weights)
        assert abs(processor.used[task.index] - share) <= SLICE * len(nices) * 2, (heaviest, nices)


def test_equals_take_turns():
    processor = Processor((0, 0, 0))
    assert [processor.run().index for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_who_slept_runs_soon_and_saves_nothing_up():
    processor = Processor((0, 0))
    sleeper = processor.add()
    while processor.run(after="" if processor.scheduler.queue[0][2] is sleeper else "ready") is not sleeper:
        pass
    for _ in range(1000):
        processor.run()
    processor.scheduler.ready(sleeper)
    assert processor.run() is sleeper
    behind = processor.scheduler.least - sleeper.virtual_time
    assert behind <= CREDIT
    assert any(processor.run() is not sleeper for _ in range(2))


def test_who_gives_way_lets_another_run_even_if_it_had_less():
    processor = Processor((0, 0))
    order = [processor.run(1000, "give_way").index for _ in range(6)]
    assert order == [0, 1, 0, 1, 0, 1]


def test_who_gives_way_alone_goes_on():
    processor = Processor((0,))
    assert [processor.run(1000, "give_way").index for _ in range(3)] == [0, 0, 0]


def test_the_dead_and_the_stopped_are_passed_over():
    processor = Processor((0, 0, 0))
    processor.scheduler.forget(processor.tasks[0])
    processor.tasks[1].process.stop_signal = 19
    assert processor.run(after="").index == 2
    assert processor.run() is None
    processor.tasks[1].process.stop_signal = 0
    processor.scheduler.unpark(processor.tasks[1])
    assert processor.run(after="").index == 1
    assert processor.tasks[0].state == DEAD
