"""The life of processes: fork, exit, wait, orphans, groups."""

from __future__ import annotations

from kernel_harness import DATA, SHARED, Guest, exit_code

from lbw.abi.errno import EAGAIN, ECHILD, EINVAL, EPERM, ESRCH
from lbw.abi.resource import RLIMIT_SIGPENDING
from lbw.abi.sched import CLONE_VFORK, CLONE_VM
from lbw.abi.signal import SIGCHLD, SIGCONT, SIGKILL, SIGRTMIN, SIGSTOP, SIGTERM
from lbw.abi.wait import P_ALL, P_PID, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WUNTRACED
from lbw.cpu.scripted import Call, Compute
from lbw.kernel.oom import out_of_memory
from lbw.kernel.wait import WALL


def test_exit_status_of_the_main_program(guest):
    def main(cpu):
        yield Call("getpid")
        return 7

    assert guest.run(main) == 7 << 8
    assert guest.engine.mmus == 0


def test_getpid_and_friends(guest):
    def main(cpu):
        pid = yield Call("getpid")
        assert pid == (yield Call("gettid")) == (yield Call("getpgrp")) == (yield Call("getsid", 0)) == 2
        assert (yield Call("getppid")) == 1
        assert (yield Call("getpgid", 99)) == -ESRCH

    assert exit_code(guest.run(main)) == 0


def test_fork_exit_wait(guest):
    def child(cpu):
        assert (yield Call("getppid")) == 2
        return 42

    def main(cpu):
        pid = yield Call("fork", child=child)
        assert pid == 3
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == 42 << 8
        assert (yield Call("wait4", -1, DATA, 0, 0)) == -ECHILD
        return 1

    assert exit_code(guest.run(main)) == 1
    assert list(guest.kernel.processes) == [1]  # init reaps the main program too


def test_memory_is_copied_by_fork_and_shared_by_vfork(guest):
    def child(cpu):
        guest.memory.write_u32(DATA, 5)
        guest.memory.write_u32(SHARED, 6)
        yield Call("exit_group", 0)

    def main(cpu):
        guest.memory.write_u32(DATA, 1)
        guest.memory.write_u32(SHARED, 1)
        yield Call("fork", child=child)
        yield Call("wait4", -1, 0, 0, 0)
        assert guest.memory.read_u32(DATA) == 1
        assert guest.memory.read_u32(SHARED) == 6
        yield Call("vfork", child=child)
        assert guest.memory.read_u32(DATA) == 5

    assert exit_code(guest.run(main)) == 0


def test_vfork_parent_waits_for_the_end_of_the_child(guest):
    order = []

    def child(cpu):
        for _ in range(5):
            yield Compute(2)
            yield Call("sched_yield")
        order.append("child")
        return 0

    def main(cpu):
        pid = yield Call("clone", CLONE_VM | CLONE_VFORK | SIGCHLD, DATA + 0x4000, child=child)
        order.append("parent")
        assert (yield Call("wait4", pid, 0, 0, 0)) == pid

    assert exit_code(guest.run(main)) == 0
    assert order == ["child", "parent"]


def test_wait_before_and_after_the_child_ends(guest):
    def quick(cpu):
        yield Call("getpid")
        return 1

    def slow(cpu):
        yield Call("nanosleep", guest.timespec(DATA, 10**9), 0)
        return 2

    def main(cpu):
        first = yield Call("fork", child=quick)
        second = yield Call("fork", child=slow)
        assert (yield Call("wait4", second, DATA, WNOHANG, 0)) == 0
        assert (yield Call("wait4", -1, DATA, 0, 0)) == first
        assert (yield Call("wait4", -1, DATA, 0, 0)) == second
        assert guest.memory.read_u32(DATA) == 2 << 8

    assert exit_code(guest.run(main)) == 0


def test_orphans_go_to_init_and_leave_no_zombies(guest):
    def grandchild(cpu):
        yield Call("nanosleep", guest.timespec(DATA, 10**9), 0)
        guest.log.append((yield Call("getppid")))

    def child(cpu):
        yield Call("fork", child=grandchild)
        return 0

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield Call("wait4", pid, 0, 0, 0)
        yield Call("nanosleep", guest.timespec(DATA, 2 * 10**9), 0)
        assert (yield Call("wait4", -1, 0, 0, 0)) == -ECHILD
        guest.log.append(sorted(guest.kernel.processes))

    assert exit_code(guest.run(main)) == 0
    assert guest.log == [1, [1, 2]]


def test_orphans_go_to_the_nearest_subreaper(guest):
    def grandchild(cpu):
        yield Call("nanosleep", guest.timespec(DATA, 10**9), 0)
        assert (yield Call("getppid")) == 2
        return 9

    def child(cpu):
        yield Call("fork", child=grandchild)
        return 0

    def main(cpu):
        guest.kernel.current.process.subreaper = True
        pid = yield Call("fork", child=child)
        assert (yield Call("wait4", pid, 0, 0, 0)) == pid
        assert (yield Call("wait4", -1, DATA, 0, 0)) == pid + 1
        assert guest.memory.read_u32(DATA) == 9 << 8

    assert exit_code(guest.run(main)) == 0


def test_killed_child(guest):
    def child(cpu):
        while True:
            yield Compute(1)

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield Call("kill", pid, SIGTERM)
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == SIGTERM

    assert exit_code(guest.run(main)) == 0


def test_stop_and_continue_are_reported_once(guest):
    def child(cpu):
        while True:
            yield Compute(1)

    def main(cpu):
        pid = yield Call("fork", child=child)
        yield Call("kill", pid, SIGSTOP)
        assert (yield Call("wait4", pid, DATA, WUNTRACED, 0)) == pid
        assert guest.memory.read_u32(DATA) == SIGSTOP << 8 | 0x7F
        assert (yield Call("wait4", pid, DATA, WUNTRACED | WNOHANG, 0)) == 0
        yield Call("kill", pid, SIGCONT)
        assert (yield Call("wait4", pid, DATA, WCONTINUED, 0)) == pid
        assert guest.memory.read_u32(DATA) == 0xFFFF
        yield Call("kill", pid, SIGSTOP)
        yield Call("kill", pid, SIGKILL)
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == SIGKILL

    assert exit_code(guest.run(main)) == 0


def test_waitid(guest):
    def child(cpu):
        yield Call("getpid")
        return 300  # only the low byte counts

    def main(cpu):
        assert (yield Call("waitid", P_ALL, 0, DATA, 0, 0)) == -EINVAL
        pid = yield Call("fork", child=child)
        assert (yield Call("waitid", P_PID, pid, DATA, WEXITED | WNOHANG, 0)) == 0
        assert guest.memory.read_u32(DATA) == 0
        for _ in range(2):
            assert (yield Call("waitid", P_PID, pid, DATA, WEXITED | WNOWAIT, 0)) == 0
        assert guest.memory.read_u32(DATA) == SIGCHLD
        assert guest.memory.read_u32(DATA + 8) == 1  # CLD_EXITED
        assert guest.memory.read_u32(DATA + 16) == pid
        assert guest.memory.read_u32(DATA + 24) == 300 & 0xFF
        assert (yield Call("waitid", P_PID, pid, 0, WEXITED, 0)) == 0
        assert (yield Call("waitid", P_PID, pid, 0, WEXITED, 0)) == -ECHILD

    assert exit_code(guest.run(main)) == 0


def test_ignored_sigchld_leaves_no_zombies(guest):
    def child(cpu):
        yield Call("getpid")
        return 0

    def main(cpu):
        yield from guest.handle(SIGCHLD, 1)
        for _ in range(3):
            yield Call("fork", child=child)
        assert (yield Call("wait4", -1, 0, 0, 0)) == -ECHILD
        assert len(guest.kernel.processes) == 2

    assert exit_code(guest.run(main)) == 0


def test_fork_bomb_ends_in_eagain():
    guest = Guest(max_tasks=64)

    def child(cpu):
        yield Call("pause")

    def main(cpu):
        children = 0
        while (result := (yield Call("fork", child=child))) > 0:
            children += 1
        assert result == -EAGAIN
        assert children == 63
        return 0

    assert exit_code(guest.run(main)) == 0
    assert guest.engine.mmus == 0


def test_groups_and_sessions(guest):
    def child(cpu):
        assert (yield Call("setsid")) == (yield Call("getpid"))
        assert (yield Call("setpgid", 0, 0)) == -EPERM
        return 0

    def pauser(cpu):
        yield Call("pause")

    def main(cpu):
        assert (yield Call("setsid")) == -EPERM  # a group leader already
        pid = yield Call("fork", child=child)
        yield Call("wait4", pid, DATA, 0, 0)
        assert guest.memory.read_u32(DATA) == 0
        one = yield Call("fork", child=pauser)
        two = yield Call("fork", child=pauser)
        assert (yield Call("setpgid", one, one)) == 0
        assert (yield Call("setpgid", two, one)) == 0
        assert (yield Call("getpgid", two)) == one
        assert (yield Call("setpgid", two, 12345)) == -EPERM
        yield Call("kill", -one, SIGTERM)
        assert {(yield Call("wait4", -one, 0, 0, 0)), (yield Call("wait4", -one, 0, 0, 0))} == {one, two}
        assert (yield Call("wait4", -one, 0, 0, 0)) == -ECHILD

    assert exit_code(guest.run(main)) == 0


def test_background_children_die_with_the_main_program(guest):
    def child(cpu):
        while True:
            yield Call("nanosleep", guest.timespec(DATA, 10**9), 0)

    def main(cpu):
        for _ in range(3):
            yield Call("fork", child=child)
        yield Call("nanosleep", guest.timespec(DATA, 10**10), 0)
        return 4

    assert exit_code(guest.run(main)) == 4
    assert not guest.kernel.tasks
    assert guest.engine.mmus == 0


def test_shutdown_ends_everything(guest):
    def main(cpu):
        yield Call("pause")

    guest.events.planned.append(lambda: guest.kernel.shutdown(SIGTERM))
    assert guest.run(main) == SIGTERM
    assert guest.engine.mmus == 0


def test_a_pending_kill_ends_the_wait_for_a_vfork_child(guest):
    def child(cpu):
        yield Call("kill", 2, SIGKILL)
        yield Call("pause")

    def main(cpu):
        yield Call("vfork", child=child)

    assert guest.run(main) == SIGKILL


def test_a_real_time_exit_signal_that_finds_no_room_is_dropped(guest):
    def child(cpu):
        return 3
        yield

    def main(cpu):
        guest.kernel.current.process.limits.set(RLIMIT_SIGPENDING, 0, 0, True)
        pid = yield Call("clone", SIGRTMIN, 0, 0, 0, 0, child=child)
        assert (yield Call("wait4", pid, DATA, WALL, 0)) == pid
        assert guest.memory.read_u32(DATA) == 3 << 8

    assert exit_code(guest.run(main)) == 0
    assert not guest.reports


def test_out_of_memory_ends_the_process_with_the_most_tables(guest):
    def greedy(cpu):
        cpu.mmu.tables = 1000
        yield Call("pause")

    def main(cpu):
        cpu.mmu.tables = 500
        pid = yield Call("fork", child=greedy)
        yield Call("nanosleep", guest.timespec(DATA, 10**9), 0)
        out_of_memory(guest.kernel.current)  # perhaps it asks for less the next time
        assert not guest.reports
        out_of_memory(guest.kernel.current)
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == SIGKILL

    assert exit_code(guest.run(main)) == 0
    assert "out of memory" in guest.reports[0]
