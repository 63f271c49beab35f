"""Pending queues against a model; names, sets and actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.errno import EAGAIN, LinuxError
from lbw.abi.signal import SEGV_MAPERR, SI_QUEUE, SIG_DFL, SIG_IGN, SIGCHLD, SIGINT, SIGKILL, SIGSEGV, SIGTERM
from lbw.signals.actions import Action, SignalActions
from lbw.signals.names import signal_name, signal_number
from lbw.signals.pending import PendingSignals, QueueAccount
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import bit, members, sigset

SIGNALS = st.integers(1, 64)


@given(st.sets(SIGNALS))
def test_members_undoes_sigset(signals: set[int]) -> None:
    assert list(members(sigset(signals))) == sorted(signals)


@given(SIGNALS)
def test_a_name_leads_back_to_its_number(number: int) -> None:
    assert signal_number(signal_name(number)) == number


def test_names() -> None:
    assert signal_name(2) == "SIGINT"
    assert signal_name(34) == "SIGRT_2"
    assert signal_name(99) == "99"
    assert [signal_number(name) for name in ("int", "CLD", "9", "RTMIN+2", "SIGRTMAX", "nonsense", "65")] == [
        2, 17, 9, 34, 64, None, None,
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["add", "take", "discard"]), SIGNALS, st.integers(0, 2**64 - 1)), max_size=80)
)
def test_queue_against_a_model(operations: list[tuple[str, int, int]]) -> None:
    pending, account = PendingSignals(), QueueAccount()
    model: list[tuple[int, int]] = []  # (signal, value) in order of arrival
    for operation, signo, value in operations:
        if operation == "add":
            queued = signo >= 32 or all(other != signo for other, _ in model)
            assert pending.add(SigInfo(signo, SI_QUEUE, value=value), account) == queued
            if queued:
                model.append((signo, value))
        elif operation == "take":
            due = [(other not in (4, 5, 7, 8, 11, 31), other) for other, _ in model if not value & bit(other)]
            expected = min(due)[1] if due else 0
            assert pending.next(value) == expected
            if expected:
                info = pending.take(expected)
                oldest = next(entry for entry in model if entry[0] == expected)
                assert (info.signo, info.value) == oldest
                model.remove(oldest)
        else:
            pending.discard(value)
            model = [entry for entry in model if not value & bit(entry[0])]
        assert pending.mask == sigset(signo for signo, _ in model)
        assert account.used == len(model)


def test_a_full_queue_refuses_payloads_and_keeps_the_fact() -> None:
    pending, account = PendingSignals(), QueueAccount()
    pending.add(SigInfo(40, SI_QUEUE), account, 1)
    with pytest.raises(LinuxError) as caught:
        pending.add(SigInfo(41, SI_QUEUE), account, 1)
    assert caught.value.errno == EAGAIN
    pending.add(SigInfo(42), account, 1)  # kill(2)
    pending.add(SigInfo(SIGTERM), account, 1)
    assert pending.mask == sigset((40, 42, SIGTERM))
    assert pending.take(42).signo == 42
    assert pending.mask == sigset((40, SIGTERM))


def test_faults_come_first() -> None:
    pending = PendingSignals()
    pending.add(SigInfo(SIGINT))
    pending.add(SigInfo(SIGSEGV, SEGV_MAPERR))
    assert pending.next_fault(0) == SIGSEGV
    assert pending.next_fault(bit(SIGSEGV)) == 0


def test_actions_at_fork_and_exec() -> None:
    actions = SignalActions()
    actions[SIGINT] = Action(0x1234, mask=7)
    actions[SIGTERM] = Action(SIG_IGN)
    child = actions.fork()
    child[SIGINT] = Action(0x5678)
    assert actions[SIGINT].handler == 0x1234
    assert (actions.caught(), actions.ignored()) == (bit(SIGINT), bit(SIGTERM))
    fresh = actions.clear_handlers()
    assert (fresh[SIGINT].handler, fresh[SIGTERM].handler) == (SIG_DFL, SIG_IGN)
    assert fresh.ignores(SIGCHLD) and fresh.ignores(SIGTERM) and not fresh.ignores(SIGKILL)


def test_exec_leaves_a_shared_table_to_the_others() -> None:
    actions = SignalActions()
    actions[SIGINT] = Action(0x1234)
    shared = actions.share()
    assert shared is actions
    mine = shared.clear_handlers()
    assert mine[SIGINT].handler == SIG_DFL and actions[SIGINT].handler == 0x1234
    assert actions.sharers == 1
