"""Ids, keys and permissions of System V objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipc_world import ROOT, STRANGER, USER, failure

from lbw.abi.errno import EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM
from lbw.abi.ipc import IPC_CREAT, IPC_EXCL, IPC_PRIVATE
from lbw.ipc.budget import MemoryBudget
from lbw.ipc.ids import PLACES, IpcObject
from lbw.ipc.msg import MessageQueues
from lbw.vfs.credentials import Credentials


@pytest.fixture
def table(around) -> MessageQueues:
    return MessageQueues(around, MemoryBudget(around.frames))


def test_a_place_is_not_used_again_before_the_others(table):
    ids = []
    for _ in range(200):
        queue = table.make(IPC_PRIVATE, 0o600, ROOT)
        ids.append(queue.id)
        table.remove(queue)
    assert ids[:64] == list(range(64))
    assert len(set(ids)) == len(ids)  # the sequence number tells them apart
    assert [number & PLACES - 1 for number in ids] == [number % 64 for number in range(200)]


def test_an_old_id_is_not_that_of_what_came_after(table):
    first = table.make(IPC_PRIVATE, 0o600, ROOT)
    table.remove(first)
    for _ in range(64):
        second = table.make(IPC_PRIVATE, 0o600, ROOT)
        table.remove(second)
    third = table.make(IPC_PRIVATE, 0o600, ROOT)
    assert third.id & PLACES - 1 == first.id + 1 and third.id != 1
    assert failure(lambda: table.find(1)) == EINVAL
    assert table.at(1) is third and table.find(third.id) is third
    assert failure(lambda: table.find(-1)) == EINVAL


def test_keys(table):
    def get(key, flags, who=ROOT):
        return table.obtain(key, flags, who, lambda: table.make(key, flags, who), lambda _: None)

    assert failure(lambda: get(5, 0)) == ENOENT
    number = get(5, IPC_CREAT | 0o640)
    assert get(5, 0) == get(5, IPC_CREAT) == number
    assert failure(lambda: get(5, IPC_CREAT | IPC_EXCL)) == EEXIST
    assert failure(lambda: get(5, 0o004, STRANGER)) == EACCES
    assert get(5, 0, STRANGER) == number
    assert get(IPC_PRIVATE, 0o600) != get(IPC_PRIVATE, 0o600)
    table.remove(table.find(number))
    assert failure(lambda: get(5, 0)) == ENOENT


def test_there_are_so_many_and_no_more(table):
    table.count_limit = 3
    for _ in range(3):
        table.make(IPC_PRIVATE, 0o600, ROOT)
    assert failure(lambda: table.make(IPC_PRIVATE, 0o600, ROOT)) == ENOSPC
    assert len(table) == 3 and table.highest == 2


@given(
    mode=st.integers(0, 0o777), wanted=st.sampled_from((0, 0o444, 0o222, 0o666, 0o400, 0o020, 0o111)),
    owner=st.sampled_from((1000, 2000)), group=st.sampled_from((1000, 2000, 3000, 4000)),
)  # fmt: skip
def test_permissions_are_those_of_a_file_with_this_mode(mode, wanted, owner, group):
    item = IpcObject(1, mode, USER)
    item.uid, item.gid = owner, group
    digit = mode
    if owner == 2000:
        digit = mode >> 6
    elif group in (2000, 3000):
        digit = mode >> 3
    asked = (wanted >> 6 | wanted >> 3 | wanted) & 7
    assert failure(lambda: item.require(STRANGER, wanted)) == (EACCES if asked & ~digit else 0)
    assert failure(lambda: item.require(ROOT, wanted)) == 0


def test_owner_and_creator_may_change_it():
    item = IpcObject(1, 0o600, USER)
    item.update(77, 78, 0o7644)
    assert item.permissions == (1, 77, 78, 1000, 1000, 0o644, 0)
    assert failure(lambda: item.require_owner(USER)) == 0
    assert failure(lambda: item.require_owner(Credentials(77, 1))) == 0
    assert failure(lambda: item.require_owner(STRANGER)) == EPERM
    assert failure(lambda: item.update(0xFFFFFFFF, 0, 0)) == EINVAL
    assert item.uid == 77
