"""Ids and capabilities. The rules were compared with Linux over thousands of random sequences of these calls."""

from __future__ import annotations

from struct import pack, unpack

import pytest
from desk import PAPER, Desk

from lbw.abi.capability import CAP_CHOWN, CAP_SETPCAP, CAP_SETUID, SECBIT_KEEP_CAPS
from lbw.abi.errno import EFAULT, EINVAL, EPERM, ESRCH
from lbw.abi.prctl import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_IS_SET,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_KEEPCAPS,
    PR_GET_SECUREBITS,
    PR_SET_KEEPCAPS,
    PR_SET_SECUREBITS,
)  # fmt: skip
from lbw.syscalls import capabilities, groups, identity, prctl
from lbw.vfs.credentials import ALL_CAPABILITIES, FILE_SYSTEM_CAPABILITIES

assert capabilities and groups and identity and prctl
KEEP = 0xFFFFFFFF
V1, V3 = 0x19980330, 0x20080522


@pytest.fixture
def desk() -> Desk:
    return Desk()


def users(desk):
    who = desk.task.credentials
    return who.ruid, who.euid, who.suid, who.fsuid


def groups_of(desk):
    who = desk.task.credentials
    return who.rgid, who.egid, who.sgid, who.fsgid


def test_asking(desk):
    desk.become(7, 8)
    assert [desk.call(name) for name in ("getuid", "geteuid", "getgid", "getegid")] == [7, 7, 8, 8]
    assert desk.call("getresuid", PAPER, PAPER + 4, PAPER + 8) == 0
    assert desk.ints(3) == [7, 7, 7]
    assert desk.call("getresgid", PAPER, PAPER + 4, PAPER + 8) == 0
    assert desk.ints(3) == [8, 8, 8]
    assert desk.call("getresuid", PAPER, 0, PAPER) == -EFAULT


def test_root_gives_itself_up(desk):
    assert desk.call("setuid", 1000) == 0
    assert users(desk) == (1000, 1000, 1000, 1000)
    assert desk.task.credentials.effective == desk.task.credentials.permitted == 0
    assert desk.call("setuid", 0) == -EPERM
    assert desk.task.process.dumpable == 0


def test_set_user_id_program_switches_back_and_forth(desk):
    who = desk.become(1000).credentials
    who.euid = who.suid = who.fsuid = 0
    who.permitted = who.effective = ALL_CAPABILITIES
    assert desk.call("setresuid", KEEP, 1000, KEEP) == 0
    assert users(desk) == (1000, 1000, 0, 1000)
    assert (desk.task.credentials.effective, desk.task.credentials.permitted) == (0, ALL_CAPABILITIES)
    assert desk.call("setresuid", KEEP, 0, KEEP) == 0
    assert desk.task.credentials.effective == ALL_CAPABILITIES


def test_keep_capabilities(desk):
    assert desk.call("prctl", PR_SET_KEEPCAPS, 1) == 0
    assert desk.call("prctl", PR_GET_KEEPCAPS) == 1
    assert desk.call("setuid", 1000) == 0
    assert (desk.task.credentials.effective, desk.task.credentials.permitted) == (0, ALL_CAPABILITIES)
    assert desk.call("prctl", PR_SET_KEEPCAPS, 2) == -EINVAL


@pytest.mark.parametrize(("ruid", "euid", "result"), [(1, KEEP, -EPERM), (KEEP, 1, -EPERM), (KEEP, 30, 0), (20, 30, 0)])
def test_setreuid_of_a_user(desk, ruid, euid, result):
    who = desk.become(10).credentials
    who.euid, who.suid = 20, 30
    assert desk.call("setreuid", ruid, euid) == result


def test_setreuid_moves_the_saved_id(desk):
    assert desk.call("setreuid", KEEP, 5) == 0
    assert users(desk) == (0, 5, 5, 5)


def test_setresuid_takes_all_or_nothing(desk):
    desk.become(10)
    before = users(desk)
    assert desk.call("setresuid", 10, 11, 10) == -EPERM
    assert users(desk) == before
    assert desk.call("setresuid", 10, KEEP, 10) == 0


def test_setfsuid_tells_the_old_one(desk):
    assert desk.call("setfsuid", 5) == 0
    assert desk.call("setfsuid", KEEP) == 5
    assert not desk.task.credentials.effective & FILE_SYSTEM_CAPABILITIES
    assert desk.call("setfsuid", 0) == 5
    assert desk.task.credentials.effective == ALL_CAPABILITIES
    desk.become(10)
    assert desk.call("setfsuid", 11) == 10
    assert users(desk) == (10, 10, 10, 10)


@pytest.mark.parametrize("name", ["setuid", "setgid"])
def test_no_id_is_minus_one(desk, name):
    assert desk.call(name, KEEP) == -EINVAL


def test_groups_of_a_user(desk):
    who = desk.become(10, 10).credentials
    who.sgid = 12
    assert desk.call("setgid", 11) == -EPERM
    assert desk.call("setgid", 12) == 0
    assert groups_of(desk) == (10, 12, 12, 12)
    assert desk.call("setregid", 11, KEEP) == -EPERM
    assert desk.call("setresgid", KEEP, 10, KEEP) == 0
    assert desk.call("setfsgid", 12) == 10
    assert groups_of(desk) == (10, 10, 12, 12)


def test_root_sets_all_groups(desk):
    assert desk.call("setgid", 5) == 0
    assert groups_of(desk) == (5, 5, 5, 5)


def test_supplementary_groups(desk):
    desk.memory.write(PAPER, pack("<3I", 30, 10, 20))
    assert desk.call("setgroups", 3, PAPER) == 0
    assert desk.call("getgroups", 0, 0) == 3
    assert desk.call("getgroups", 2, PAPER) == -EINVAL
    assert desk.call("getgroups", -1, PAPER) == -EINVAL
    assert desk.call("getgroups", 5, PAPER + 100) == 3
    assert desk.ints(3, PAPER + 100) == [10, 20, 30]
    assert desk.call("setgroups", 65537, PAPER) == -EINVAL
    assert desk.call("setgroups", 3, 0) == -EFAULT
    assert desk.call("setgroups", 0, 0) == 0
    desk.become(10)
    assert desk.call("setgroups", 0, 0) == -EPERM


def test_credentials_are_replaced_not_changed(desk):
    held = desk.task.credentials
    desk.call("setuid", 5)
    assert held.euid == 0


def test_umask(desk):
    assert desk.call("umask", 0o7077) == 0o22
    assert desk.call("umask", 0) == 0o77


# Capabilities


def capget(desk, version=V3, pid=0):
    desk.memory.write(PAPER, pack("<Ii", version, pid))
    result = desk.call("capget", PAPER, PAPER + 8)
    return result or unpack("<6I", desk.memory.read(PAPER + 8, 24))


def capset(desk, effective, permitted, inheritable, pid=0):
    words = [value >> shift & KEEP for shift in (0, 32) for value in (effective, permitted, inheritable)]
    desk.memory.write(PAPER, pack("<Ii6I", V3, pid, *words))
    return desk.call("capset", PAPER, PAPER + 8)


def test_capget(desk):
    low, high = ALL_CAPABILITIES & KEEP, ALL_CAPABILITIES >> 32
    assert capget(desk) == (low, low, 0, high, high, 0)
    assert capget(desk, V1)[:3] == (low, low, 0)
    desk.add(200, 5)
    assert capget(desk, pid=200) == (0,) * 6
    assert capget(desk, pid=999) == -ESRCH
    assert capget(desk, pid=-1) == -EINVAL


def test_capget_tells_its_version(desk):
    assert capget(desk, 0) == -EINVAL
    assert desk.ints(1) == [V3]
    desk.memory.write(PAPER, bytes(8))
    assert desk.call("capget", PAPER, 0) == 0
    assert desk.ints(1) == [V3]


def test_capset_only_gives_up(desk):
    chown, setuid = 1 << CAP_CHOWN, 1 << CAP_SETUID
    assert capset(desk, chown, chown | setuid, 0) == 0
    assert capset(desk, chown, chown | 1 << CAP_SETPCAP, 0) == -EPERM
    assert capset(desk, 1 << CAP_SETPCAP, chown, 0) == -EPERM
    assert capset(desk, 0, chown, chown) == 0
    assert capset(desk, 0, chown, chown | setuid) == -EPERM
    assert capset(desk, 0, 0, 0, pid=1) == -EPERM


def test_bounding_set(desk):
    assert desk.call("prctl", PR_CAPBSET_READ, CAP_CHOWN) == 1
    assert desk.call("prctl", PR_CAPBSET_DROP, CAP_CHOWN) == 0
    assert desk.call("prctl", PR_CAPBSET_READ, CAP_CHOWN) == 0
    assert desk.call("prctl", PR_CAPBSET_READ, 64) == -EINVAL
    desk.become(10)
    assert desk.call("prctl", PR_CAPBSET_DROP, CAP_CHOWN) == -EPERM


def test_ambient_set(desk):
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN) == -EPERM
    assert capset(desk, ALL_CAPABILITIES, ALL_CAPABILITIES, 1 << CAP_CHOWN) == 0
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN) == 0
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN) == 1
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1) == -EINVAL
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL) == 0
    assert desk.call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN) == 0


def test_securebits(desk):
    locked = SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS << 1
    assert desk.call("prctl", PR_SET_SECUREBITS, locked) == 0
    assert desk.call("prctl", PR_GET_SECUREBITS) == locked
    assert desk.call("prctl", PR_SET_SECUREBITS, SECBIT_KEEP_CAPS) == -EPERM
    assert desk.call("prctl", PR_SET_KEEPCAPS, 0) == -EPERM
    assert desk.call("prctl", PR_SET_SECUREBITS, locked | 1 << 12) == -EPERM
