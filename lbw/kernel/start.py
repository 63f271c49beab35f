"""The first processes: init, which is lbw's own, and the user's program."""

from __future__ import annotations

from lbw.abi.errno import EACCES, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOEXEC, ENOTDIR, NAMES, LinuxError
from lbw.abi.signal import SIG_IGN, SIGCHLD, SIGKILL
from lbw.errors import NotExecutableError, ProgramNotFoundError
from lbw.kernel.groups import make_group, make_session
from lbw.kernel.limits import Limits
from lbw.kernel.process import Process
from lbw.kernel.task import Task
from lbw.signals.actions import Action, SignalActions
from lbw.signals.pending import PendingSignals
from lbw.signals.task_signals import TaskSignals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.kernel.fds import FileTable
    from lbw.kernel.kernel import Kernel
    from lbw.vfs.context import FsContext


def make_init(kernel: Kernel) -> Process:
    """Return process 1, which has no threads, adopts orphans and never leaves a zombie."""
    pid = kernel.pids.allocate()
    session = make_session(kernel, None, 0)
    actions = SignalActions()
    actions[SIGCHLD] = Action(SIG_IGN)
    init = Process(kernel, pid, None, make_group(kernel, 0, session), Limits(), actions, PendingSignals())
    init.comm = b"init"
    kernel.processes[pid] = init
    return init


def make_first_task(kernel: Kernel, abi: Abi, fs: FsContext, files: FileTable) -> Task:
    """Return a task in a new process, a child of init that leads its own session and group; its memory is empty."""
    pid = kernel.pids.allocate()
    session = make_session(kernel, None, pid)
    limits = Limits(kernel.max_tasks)
    process = Process(
        kernel, pid, kernel.init, make_group(kernel, pid, session), limits, SignalActions(), PendingSignals()
    )
    session.leader = process
    kernel.init.children[process] = None
    memory = kernel.create_memory(abi)
    context = kernel.engine.create_context(memory.mmu)
    task = Task(kernel, pid, process, abi, context, memory, files, fs, TaskSignals(), b"")
    process.threads.append(task)
    kernel.processes[pid] = process
    kernel.tasks[pid] = task
    return task


def start_program(
    kernel: Kernel, abi: Abi, fs: FsContext, files: FileTable, path: bytes, argv: list[bytes], envp: list[bytes]
) -> Process:
    """Start the program at `path` as the main one; `files` are its descriptors.

    ProgramNotFoundError, NotExecutableError: in words for the user
    """
    from lbw.kernel.exec import execute
    from lbw.kernel.exit import exit_process
    from lbw.vfs.operations import resolve

    task = make_first_task(kernel, abi, fs, files)
    try:
        location = resolve(fs, path)
        if location.inode.is_directory:
            raise LinuxError(EISDIR)  # execve says EACCES, which tells a user less
        execute(task, location, path, argv, envp)
    except LinuxError as error:
        exit_process(task.process, SIGKILL)
        raise start_error(path, error) from None
    kernel.main = task.process
    kernel.scheduler.ready(task)
    return task.process


_REASONS = {
    ENOENT: "there is no such program in the root",
    ENOTDIR: "there is no such program in the root",
    ELOOP: "too many symbolic links",
    ENAMETOOLONG: "the name is too long",
    EACCES: "permission denied",
    EISDIR: "is a directory",
    ENOEXEC: "is no program that can be executed",
}


def start_error(path: bytes, error: LinuxError) -> ProgramNotFoundError | NotExecutableError:
    """Return what the user is told when the main program cannot be started."""
    reason = getattr(error, "reason", None) or _REASONS.get(error.errno, NAMES.get(error.errno, str(error.errno)))
    kind = ProgramNotFoundError if error.errno in (ENOENT, ENOTDIR) else NotExecutableError
    return kind(f"{path.decode(errors='replace')}: {reason}")
