"""Segments: their life, limits, permissions to lock; and the parameters of all IPC."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ipc_world import ROOT, USER, Around, failure

from lbw.abi.errno import EAGAIN, EINVAL, ENOMEM, ENOSPC, EPERM, ERANGE
from lbw.abi.ipc import IPC_PRIVATE, SHM_DEST, SHM_HUGETLB, SHM_LOCKED, SHM_NORESERVE
from lbw.ipc.mqueue_fs import QueueFileSystem
from lbw.ipc.namespace import IpcNamespace
from lbw.ipc.shm import Segments
from lbw.ipc.tables import messages, semaphores, shared_memory
from lbw.kernel.parameters import parameters
from lbw.kernel.pids import PidAllocator
from lbw.mm.vma import Vma
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs

#: Two mappings.
FIRST, SECOND = Vma(0, 4096, 3, 1, None, 0), Vma(4096, 8192, 3, 1, None, 0)


@pytest.fixture
def segments(around) -> Segments:
    return Segments(around)


def test_a_segment_lives_until_it_is_removed_and_let_go(segments, around):
    segment = segments.make(77, 5000, 0o600, ROOT)
    assert segment.pages == segments.all_pages == 2 and segment.creator == 10
    segment.memory.acquire(FIRST)
    segment.memory.frame(1)
    assert around.allocated == 1 and segment.memory.frame(2) is None
    around.number, around.time = 20, 2000
    segment.memory.acquire(SECOND)
    assert (segment.attachments, segment.last_pid, segment.attach_time) == (2, 20, 2000)
    segment.memory.release(FIRST)
    segment.remove()
    assert segment.mode & SHM_DEST and segment.key == 0 and segments.find(segment.id) is segment
    around.time = 3000
    segment.memory.release(SECOND)
    assert segment.removed and around.allocated == 0 and segments.all_pages == 0
    assert failure(lambda: segments.find(segment.id)) == EINVAL


def test_the_content_stays_without_mappings(segments, around):
    segment = segments.make(77, 4096, 0o600, ROOT)
    segment.memory.acquire(FIRST)
    segment.memory.frame(0)
    segment.memory.release(FIRST)
    assert around.allocated == 1 and not segment.removed
    segment.remove()
    assert around.allocated == 0 and segment.removed


def test_what_nobody_has_attached_may_have_to_go(segments, around):
    used, unused = segments.make(1, 4096, 0o600, ROOT), segments.make(2, 4096, 0o600, ROOT)
    used.memory.acquire(FIRST)
    segments.left_by(10)
    assert not unused.removed
    segments.forced = True
    segments.left_by(11)
    assert not unused.removed
    segments.left_by(10)
    assert unused.removed and not used.removed
    used.memory.release(FIRST)
    assert used.removed


def test_limits(segments):
    segments.size_limit, segments.page_limit, segments.count_limit = 8192, 3, 2
    assert failure(lambda: segments.make(IPC_PRIVATE, 0, 0, ROOT)) == EINVAL
    assert failure(lambda: segments.make(IPC_PRIVATE, 8193, 0, ROOT)) == EINVAL
    assert failure(lambda: segments.make(IPC_PRIVATE, 1, SHM_HUGETLB, ROOT)) == ENOMEM
    assert failure(lambda: segments.make(IPC_PRIVATE, 1, SHM_HUGETLB, USER)) == EPERM
    segments.make(IPC_PRIVATE, 8192, 0, ROOT)
    assert failure(lambda: segments.make(IPC_PRIVATE, 8192, 0, ROOT)) == ENOSPC
    segments.make(IPC_PRIVATE, 4096, 0, ROOT)
    segments.page_limit = 9
    assert failure(lambda: segments.make(IPC_PRIVATE, 1, 0, ROOT)) == ENOSPC


def test_more_than_the_machine_has(segments):
    size = (segments.around.frames.limit + 1) * 4096
    assert failure(lambda: segments.make(IPC_PRIVATE, size, 0, ROOT)) == ENOMEM
    segments.make(IPC_PRIVATE, size, SHM_NORESERVE, ROOT)


def test_who_may_lock(segments):
    segment = segments.make(IPC_PRIVATE, 8192, 0, USER)
    segment.lock(ROOT, True, 0)
    assert segment.mode & SHM_LOCKED
    assert failure(lambda: segment.lock(USER, True, 0)) == EPERM
    assert failure(lambda: segment.lock(USER, True, 4096)) == ENOMEM
    segment.lock(USER, False, 0)
    assert not segment.mode & SHM_LOCKED
    segment.lock(USER, True, 8192)


@pytest.fixture
def machine(around) -> dict:
    kernel = SimpleNamespace(
        ipc=IpcNamespace(around), queues=QueueFileSystem(around), vfs=Vfs(TmpFileSystem(mode=0o755)),
        max_tasks=4096, pids=PidAllocator(), flusher=SimpleNamespace(centiseconds=500), frames=around.frames,
        oom=SimpleNamespace(), homes=SimpleNamespace(),
    )  # fmt: skip
    return {"kernel": kernel, "parameters": parameters(kernel)}


def test_parameters_are_limits(machine):
    kernel, known = machine["kernel"], machine["parameters"]
    assert known["kernel/sem"].text() == b"32000\t1024000000\t500\t32000\n"
    known["kernel/sem"].accept(b"10 20 30\n")
    sets = kernel.ipc.semaphores
    assert (sets.size_limit, sets.semaphores_limit, sets.operations_limit, sets.count_limit) == (10, 20, 30, 32000)
    assert failure(lambda: known["kernel/sem"].accept(b"1 1 1 40000")) == ERANGE
    assert sets.size_limit == 10
    known["kernel/msgmax"].accept(b"99")
    known["fs/mqueue/msg_max"].accept(b"0x10")
    assert kernel.ipc.messages.message_limit == 99 and kernel.queues.messages_limit == 16
    for name, bad in (
        ("kernel/msgmni", b"32769"), ("kernel/shm_rmid_forced", b"2"), ("fs/mqueue/msgsize_max", b"127"),
        ("kernel/msgmnb", b"2147483648"), ("kernel/threads-max", b"19"), ("fs/pipe-max-size", b"0"),
    ):  # fmt: skip
        assert failure(lambda name=name, bad=bad: known[name].accept(bad)) == EINVAL
    assert known["kernel/shmmax"].text() == b"18446744073692774399\n"
    known["kernel/pid_max"].accept(b"301\n")
    numbers = [kernel.pids.allocate() for _ in range(300)]
    assert max(numbers) == 300
    assert failure(kernel.pids.allocate) == EAGAIN
    assert failure(lambda: known["kernel/pid_max"].accept(b"300")) == EINVAL


def test_forced_removal_begins_at_once(machine):
    segments = machine["kernel"].ipc.segments
    segment = segments.make(IPC_PRIVATE, 1, 0, ROOT)
    machine["parameters"]["kernel/shm_rmid_forced"].accept(b"1\n")
    assert segment.removed and machine["parameters"]["kernel/shm_rmid_forced"].text() == b"1\n"


def test_tables_have_a_line_for_each_under_the_columns(around):
    ipc = IpcNamespace(around)
    ipc.segments.make(0x4B, 5000, 0o644, ROOT)
    ipc.semaphores.make(0x4B, 3, 0o640, USER)
    ipc.messages.make(0x4B, 0o666, ROOT).send(1, b"hello", 4496)
    assert shared_memory(ipc).decode().splitlines()[1] == (
        "        75          0   644                  5000    10     0      0     0     0     0     0"
        "          0          0       1000                     0                     0"
    )
    assert semaphores(ipc).decode().splitlines()[1] == (
        "        75          0   640          3  1000  1000  1000  1000          0       1000"
    )
    assert messages(ipc).decode().splitlines()[1] == (
        "        75          0   666           5          1  4496     0     0     0     0     0"
        "       1000          0       1000"
    )
    for table in (shared_memory, semaphores, messages):
        header, line = table(ipc).decode().splitlines()
        assert len(header) == len(line)


def test_everything_goes_when_the_machine_stops():
    around = Around()
    ipc = IpcNamespace(around)
    ipc.segments.make(IPC_PRIVATE, 4096, 0, ROOT).memory.frame(0)
    ipc.close()
    assert around.allocated == 0
