"""Semaphores: operations against a model that tries everything again all the time, undo, removal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ipc_world import ROOT, Around, failure

from lbw.abi.errno import EAGAIN, EIDRM, EINVAL, ENOSPC, ERANGE, LinuxError
from lbw.abi.ipc import IPC_NOWAIT, IPC_PRIVATE, SEM_UNDO, SEMVMX
from lbw.ipc.budget import MemoryBudget
from lbw.ipc.sem import Pending, SemaphoreSets
from lbw.ipc.undo import UndoList

CHANGES = st.integers(-3, 3)
OPERATION = st.tuples(st.integers(0, 2), CHANGES, st.sampled_from((0, 0, 0, IPC_NOWAIT)))
OPERATIONS = st.lists(OPERATION, min_size=1, max_size=4)


def make_sets() -> SemaphoreSets:
    around = Around()
    return SemaphoreSets(around, MemoryBudget(around.frames))


def attempt(values, operations):
    """Return (new values, None), or (None, the change that stops it)."""
    now = list(values)
    for number, change, flags in operations:
        if now[number] + change < 0 or (not change and now[number]):
            return None, (number, change, flags)
        now[number] += change
    return now, None


class Noted(Pending):
    """An operation that writes down when and how it ends."""

    def __init__(self, operations, name, log):
        super().__init__(operations, name, None)
        self.log = log

    def finish(self, result):
        super().finish(result)
        self.log.append((self.pid, result))


class Model:
    """semop as its manual page has it: after each change look at all who wait, zeros first, from the oldest on."""

    def __init__(self):
        self.values = [0, 0, 0]
        self.waiting = []
        self.log = []

    def operate(self, name, operations):
        now, stop = attempt(self.values, operations)
        if now is None:
            if stop[2] & IPC_NOWAIT:
                self.log.append((name, EAGAIN))
            else:
                self.waiting.append((name, operations))
            return
        self.values = now
        self.log.append((name, 0))
        if any(change for _, change, _ in operations):
            self.look()

    def look(self):
        again = True
        while again:
            again = False
            for zeros in (True, False):
                for entry in list(self.waiting):
                    alters = any(change for _, change, _ in entry[1])
                    if alters == zeros:
                        continue
                    now, stop = attempt(self.values, entry[1])
                    if now is None and not stop[2] & IPC_NOWAIT:
                        continue
                    self.waiting.remove(entry)
                    self.log.append((entry[0], 0 if now is not None else EAGAIN))
                    if now is not None:
                        self.values = now
                        if alters:
                            again = True
                            break
                if again:
                    break


@given(st.lists(OPERATIONS, max_size=25))
def test_operations_do_what_the_model_does(calls):
    target = make_sets().make(IPC_PRIVATE, 3, 0o600, ROOT)
    model, log, pendings = Model(), [], {}
    for name, operations in enumerate(calls):
        pending = Noted(operations, name, log)
        try:
            done = target.operate(pending)
        except LinuxError as error:
            log.append((name, error.errno))
        else:
            if done:
                log.append((name, 0))
            else:
                pendings[name] = pending
        model.operate(name, operations)
        assert list(target.values) == model.values
    # Who made the call hears of it after those whom it let through.
    assert sorted(log) == sorted(model.log)
    order = [entry for entry in model.log if entry[0] in pendings]
    assert [entry for entry in log if entry[0] in pendings] == order


@given(st.lists(OPERATIONS, max_size=15))
def test_who_waits_is_counted_at_what_stops_it(calls):
    target = make_sets().make(IPC_PRIVATE, 3, 0o600, ROOT)
    model = Model()
    for name, operations in enumerate(calls):
        failure(lambda operations=operations, name=name: target.operate(Pending(operations, name, None)))
        model.operate(name, operations)
    stops = [attempt(model.values, operations)[1] for _, operations in model.waiting]
    for number in range(3):
        assert target.waiting(number, True) == sum(stop[0] == number and not stop[1] for stop in stops)
        assert target.waiting(number, False) == sum(stop[0] == number and stop[1] < 0 for stop in stops)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), max_size=30))
def test_what_is_undone_is_what_was_done(calls):
    target = make_sets().make(IPC_PRIVATE, 3, 0o600, ROOT)
    target.set_values(0, [100, 100, 100], 1)
    mine, others = UndoList(), UndoList()
    for index, (number, change) in enumerate(calls):
        undo = (mine, others)[index % 2].of(target)
        target.operate(Pending([(number, change, SEM_UNDO)], 1, undo))
    kept = [sum(change for index, (which, change) in enumerate(calls) if which == n and index % 2) for n in range(3)]
    mine.leave(5)
    assert list(target.values) == [100 + change for change in kept]
    others.leave(6)
    assert list(target.values) == [100, 100, 100]
    assert target.undos == []


def make(values):
    sets = make_sets()
    target = sets.make(IPC_PRIVATE, len(values), 0o600, ROOT)
    target.set_values(0, values, 1)
    return sets, target


def test_all_or_nothing_also_for_undo():
    _, target = make([1, 0])
    undo = UndoList().of(target)
    assert not target.operate(Pending([(0, -1, SEM_UNDO), (1, -1, SEM_UNDO)], 2, undo))
    assert list(target.values) == [1, 0] and list(undo.changes) == [0, 0]
    assert failure(lambda: target.operate(Pending([(0, 5, SEM_UNDO), (1, SEMVMX, 0), (1, 1, 0)], 2, undo))) == ERANGE
    assert list(target.values) == [1, 0] and list(undo.changes) == [0, 0] and list(target.pids) == [1, 1]


def test_undo_stays_within_its_range_and_so_does_the_value():
    _, target = make([0, SEMVMX])
    undo = UndoList().of(target)
    target.operate(Pending([(0, 30000, SEM_UNDO), (0, -30000, 0), (0, 2768, SEM_UNDO), (0, -2768, 0)], 2, undo))
    assert failure(lambda: target.operate(Pending([(0, 1, SEM_UNDO)], 2, undo))) == ERANGE
    target.take_back(undo, 2)
    assert list(target.values) == [0, SEMVMX]


def test_setting_a_value_forgets_what_would_be_undone():
    _, target = make([0, 0])
    owner = UndoList()
    target.operate(Pending([(0, 5, SEM_UNDO), (1, 5, SEM_UNDO)], 2, owner.of(target)))
    target.set_values(0, [9], 3)
    owner.leave(2)
    assert list(target.values) == [9, 0]


def test_removal_wakes_everybody_and_ends_undo():
    sets, target = make([0])
    owner = UndoList()
    owner.of(target)
    waiting = [Pending([(0, -1, 0)], 2, None), Pending([(0, -1, SEM_UNDO)], 3, owner.of(target))]
    for each in waiting:
        assert not target.operate(each)
    sets.remove(target)
    assert [each.result for each in waiting] == [EIDRM, EIDRM]
    owner.leave(4)
    assert failure(lambda: sets.find(target.id)) == EINVAL


def test_a_shared_list_is_applied_by_its_last_user():
    _, target = make([0])
    owner = UndoList()
    target.operate(Pending([(0, 5, SEM_UNDO)], 2, owner.share().of(target)))
    owner.leave(2)
    assert list(target.values) == [5]
    owner.leave(2)
    assert list(target.values) == [0]


def test_limits():
    sets = make_sets()
    sets.semaphores_limit = 5
    assert failure(lambda: sets.make(IPC_PRIVATE, 0, 0o600, ROOT)) == EINVAL
    sets.make(IPC_PRIVATE, 3, 0o600, ROOT)
    assert failure(lambda: sets.make(IPC_PRIVATE, 3, 0o600, ROOT)) == ENOSPC
    assert sets.all_semaphores == 3
