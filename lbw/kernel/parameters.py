"""The kernel's parameters: what /proc/sys reads and changes, by path."""

from __future__ import annotations

from lbw.abi.errno import ERANGE, LinuxError
from lbw.ipc.ids import PLACES
from lbw.ipc.mqueue_fs import HARD_MESSAGES, HARD_SIZE
from lbw.kernel.memory_parameters import memory_parameters
from lbw.kernel.pids import PID_MAX, RESERVED
from lbw.vfs.proc.parameters import INT_MAX, Numbers, attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lbw.ipc.sem import SemaphoreSets
    from lbw.ipc.shm import Segments
    from lbw.kernel.kernel import Kernel

_LONG_MAX, _ULONG_MAX = (1 << 63) - 1, (1 << 64) - 1
#: Fewer tasks than this cannot be allowed (Linux MIN_THREADS).
_MIN_TASKS = 20


def parameters(kernel: Kernel) -> dict[str, Numbers]:
    """Return the parameters of `kernel`, by their path below /proc/sys."""
    ipc, queues, pipes = kernel.ipc, kernel.queues, kernel.vfs.pipe_budget
    return {
        **memory_parameters(kernel),
        "kernel/msgmax": attribute(ipc.messages, "message_limit"),
        "kernel/msgmnb": attribute(ipc.messages, "queue_limit"),
        "kernel/msgmni": attribute(ipc.messages, "count_limit", highest=PLACES),
        "kernel/sem": semaphore_limits(ipc.semaphores),
        "kernel/shmall": attribute(ipc.segments, "page_limit", highest=_ULONG_MAX),
        "kernel/shmmax": attribute(ipc.segments, "size_limit", highest=_ULONG_MAX),
        "kernel/shmmni": attribute(ipc.segments, "count_limit", highest=PLACES),
        "kernel/shm_rmid_forced": forced_removal(ipc.segments),
        "kernel/pid_max": attribute(kernel.pids, "limit", RESERVED + 1, PID_MAX),
        "kernel/threads-max": attribute(kernel, "max_tasks", _MIN_TASKS, kernel.max_tasks),
        "vm/dirty_writeback_centisecs": attribute(kernel.flusher, "centiseconds"),
        "fs/epoll/max_user_watches": attribute(kernel.vfs.epoll_watches, "limit", highest=_LONG_MAX),
        "fs/inotify/max_queued_events": attribute(kernel.vfs.inotify_limits, "queued_events"),
        "fs/inotify/max_user_instances": attribute(kernel.vfs.inotify_limits, "instances"),
        "fs/inotify/max_user_watches": attribute(kernel.vfs.inotify_limits, "watches"),
        "fs/mqueue/msg_default": attribute(queues, "messages_default", 1, HARD_MESSAGES),
        "fs/mqueue/msg_max": attribute(queues, "messages_limit", 1, HARD_MESSAGES),
        "fs/mqueue/msgsize_default": attribute(queues, "size_default", 128, HARD_SIZE),
        "fs/mqueue/msgsize_max": attribute(queues, "size_limit", 128, HARD_SIZE),
        "fs/mqueue/queues_max": attribute(queues, "count_limit", -INT_MAX - 1),
        "fs/pipe-max-size": Numbers(lambda: (pipes.largest,), pipes.set_largest, 1, 1 << 31),
    }


def semaphore_limits(sets: SemaphoreSets) -> Numbers:
    """Return kernel/sem: semmsl, semmns, semopm, semmni.  ERANGE: the last is too large"""

    def change(numbers: Sequence[int]) -> None:
        if numbers[3] > PLACES:
            raise LinuxError(ERANGE)
        sets.size_limit, sets.semaphores_limit, sets.operations_limit, sets.count_limit = numbers

    return Numbers(
        lambda: (sets.size_limit, sets.semaphores_limit, sets.operations_limit, sets.count_limit), change
    )


def forced_removal(segments: Segments) -> Numbers:
    """Return kernel/shm_rmid_forced; setting it removes what nobody has attached."""

    def change(numbers: Sequence[int]) -> None:
        segments.forced = bool(numbers[0])
        for segment in list(segments.values()):
            segment.end_if_unused()

    return Numbers(lambda: (int(segments.forced),), change, 0, 1)
