"""clone where versions of Linux differ: namespaces, groups, numbers; and what an error leaves behind."""

from __future__ import annotations

from struct import pack

import pytest
from kernel_harness import DATA, Guest, exit_code

from lbw.abi.errno import EAGAIN, EBADF, EEXIST, EFAULT, EINVAL, EMFILE, EPERM
from lbw.abi.prctl import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
from lbw.abi.resource import RLIMIT_NOFILE, RLIMIT_NPROC
from lbw.abi.sched import (
    CLONE_CLEAR_SIGHAND,
    CLONE_DETACHED,
    CLONE_FILES,
    CLONE_FS,
    CLONE_INTO_CGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_PIDFD,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
)
from lbw.abi.signal import SIGCHLD, SIGKILL, SIGUSR1
from lbw.cpu.scripted import Call

THREAD = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS
ARGS, PLACE = DATA + 0x100, DATA + 0x200


def idle(cpu):
    yield Call("pause")


def clone3(guest, flags, exit_signal=SIGCHLD, pidfd=0, set_tid=(), cgroup=0, child=idle):
    tids = PLACE + 0x100
    guest.memory.write(tids, pack(f"<{len(set_tid)}i", *set_tid))
    fields = (flags, pidfd, 0, 0, exit_signal, 0, 0, 0, tids if set_tid else 0, len(set_tid), cgroup)
    guest.memory.write(ARGS, pack("<11Q", *fields))
    return Call("clone3", ARGS, 88, child=child)


@pytest.mark.parametrize("uid", [0, 1000])
def test_namespaces_are_refused_as_where_they_are_not_configured(guest, uid):
    refused = EINVAL if uid == 0 else EPERM

    def main(cpu):
        for flags in (CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWTIME):
            assert (yield clone3(guest, flags)) == -refused
            assert (yield Call("unshare", flags)) == -refused
        assert (yield clone3(guest, CLONE_NEWUSER)) == -EINVAL
        assert (yield Call("unshare", CLONE_NEWUSER)) == -EINVAL
        assert (yield clone3(guest, CLONE_NEWPID | THREAD, 0)) == -EINVAL
        assert (yield Call("clone", CLONE_NEWTIME | SIGCHLD, 0, 0, 0, 0, child=idle)) > 0  # there it is the exit signal

    exit_code(guest.run(main, uid))


def test_a_pidfd_of_a_thread_does_not_exist_in_this_version(guest):
    def main(cpu):
        assert (yield clone3(guest, THREAD | CLONE_PIDFD, 0, PLACE)) == -EINVAL
        assert (yield Call("clone", CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, PLACE)) == -EINVAL
        assert (yield Call("clone", THREAD | CLONE_PIDFD, DATA + 0x8000, PLACE)) == -EINVAL

    exit_code(guest.run(main))


@pytest.mark.parametrize(("address", "files", "errno"), [(0x10, 1024, EFAULT), (PLACE, 0, EMFILE)])
def test_a_pidfd_that_cannot_be_given_leaves_nothing_behind(guest, address, files, errno):
    def child(cpu):
        return (yield Call("getpid")) & 0xFF

    def main(cpu):
        guest.memory.write(PLACE, pack("<QQ", files, 1024))
        yield Call("prlimit64", 0, RLIMIT_NOFILE, PLACE, 0)
        guest.memory.write_u32(PLACE, 77)
        frames = guest.frames.used
        assert (yield clone3(guest, CLONE_PIDFD, SIGCHLD, address)) == -errno
        assert (yield clone3(guest, CLONE_PIDFD | CLONE_VM | CLONE_FILES, SIGCHLD, address)) == -errno
        assert guest.memory.read_u32(PLACE) == 77
        assert len(guest.kernel.processes) == 2 and len(guest.kernel.tasks) == 1
        assert guest.frames.used == frames and guest.engine.mmus == 1
        process = guest.kernel.current.process
        assert not process.children and guest.kernel.current.files.users == 1 and guest.memory.users == 1
        assert len(process.group.members) == 1
        pid = yield Call("fork", child=child)
        assert (yield Call("wait4", pid, 0, 0, 0)) == pid

    exit_code(guest.run(main))


def test_chosen_numbers(guest):
    def main(cpu):
        assert (yield clone3(guest, 0, set_tid=(1234,))) == 1234
        assert (yield clone3(guest, 0, set_tid=(1234,))) == -EEXIST
        assert (yield clone3(guest, THREAD, 0, set_tid=(777,))) == 777
        assert (yield clone3(guest, 0, set_tid=(777,))) == -EEXIST
        assert (yield clone3(guest, 0, set_tid=(1,))) == -EEXIST
        for numbers in ((0,), (-1,), (32768,), (5, 6)):
            assert (yield clone3(guest, 0, set_tid=numbers)) == -EINVAL
        assert (yield clone3(guest, 0)) < 10  # the cycle goes on where it was
        yield Call("setpgid", 1234, 0)
        yield Call("kill", 1234, SIGKILL)
        assert (yield Call("wait4", 1234, 0, 0, 0)) == 1234
        assert (yield clone3(guest, 0, set_tid=(1234,))) == 1234

    exit_code(guest.run(main))


def test_control_groups_are_nowhere(guest):
    def main(cpu):
        assert (yield clone3(guest, CLONE_INTO_CGROUP, cgroup=0)) == -EBADF
        assert (yield clone3(guest, CLONE_INTO_CGROUP, cgroup=1 << 31)) == -EINVAL
        assert (yield clone3(guest, CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM)) == -EINVAL

    exit_code(guest.run(main))


def test_the_kernel_has_room_for_so_many_tasks_and_no_more():
    guest = Guest(max_tasks=20)

    def main(cpu):
        for _ in range(19):
            assert (yield clone3(guest, THREAD, 0)) > 0
        assert (yield clone3(guest, THREAD, 0)) == -EAGAIN
        assert (yield Call("fork", child=idle)) == -EAGAIN

    exit_code(guest.run(main))


def test_threads_count_toward_the_limit_of_their_user(guest):
    def main(cpu):
        guest.memory.write(PLACE, pack("<QQ", 3, 3))
        yield Call("prlimit64", 0, RLIMIT_NPROC, PLACE, 0)
        assert (yield clone3(guest, THREAD, 0)) > 0
        assert (yield Call("fork", child=idle)) > 0
        assert (yield clone3(guest, THREAD, 0)) == -EAGAIN
        assert (yield Call("fork", child=idle)) == -EAGAIN

    exit_code(guest.run(main, uid=1000))


def test_a_child_is_told_by_each_parent_that_ends(guest):
    told = []

    def handler(cpu):
        told.append((yield Call("getppid")))

    def child(cpu):
        yield from guest.handle(SIGUSR1, handler)
        yield Call("prctl", PR_SET_PDEATHSIG, SIGUSR1)
        for _ in range(2):
            yield Call("pause")
        return 0

    def mother(cpu):
        yield Call("fork", child=child)
        yield Call("nanosleep", guest.timespec(PLACE, 10), 0)
        return 0

    def reaper(cpu):
        yield Call("prctl", PR_SET_CHILD_SUBREAPER, 1)
        pid = yield Call("fork", child=mother)
        yield Call("wait4", pid, 0, 0, 0)
        yield Call("nanosleep", guest.timespec(PLACE, 1_000_000), 0)
        return 0

    def main(cpu):
        pid = yield Call("fork", child=reaper)
        yield Call("wait4", pid, 0, 0, 0)
        yield Call("nanosleep", guest.timespec(PLACE, 100_000_000), 0)
        assert told == [pid, 1]

    exit_code(guest.run(main))
