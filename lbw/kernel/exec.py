"""execve: another program in the same process.  man 2 execve

The new address space is filled beside the old one; only when nothing can fail any more does the process change over.
So, unlike in Linux, there is no failure after the point of no return.
"""

from __future__ import annotations

from lbw.abi.errno import E2BIG, ETXTBSY, LinuxError
from lbw.abi.resource import RLIMIT_STACK
from lbw.abi.signal import SIGCHLD, SIGKILL
from lbw.abi.uname import PER_CLEAR_ON_SETID, READ_IMPLIES_EXEC
from lbw.cpu.contracts import ALL
from lbw.kernel.exit import exit_task, leave_memory
from lbw.kernel.posix_timers import delete_timers
from lbw.kernel.rseq import forget
from lbw.kernel.task import RELOAD
from lbw.loader.load import load_program
from lbw.loader.privileges import credentials_after_exec
from lbw.loader.program import find_program, require_executable
from lbw.loader.stack import STRING_MAX, room_for_strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.vfs.location import Location

def execute(
    task: Task, location: Location, filename: bytes, argv: list[bytes], envp: list[bytes], *, unreachable: bool = False
) -> None:
    """Make `task` run the program at `location`, found as `filename`; its other threads end.

    The errors of `find_program` and `load_program`; they leave everything as it was.
    """
    kernel, process = task.kernel, task.process
    if location.inode.is_open_for_writing():
        require_executable(task.fs, location)
        raise LinuxError(ETXTBSY)
    program = find_program(task.fs, kernel.images, location, filename, argv, unreachable=unreachable)
    credentials, secure = credentials_after_exec(task.credentials, program.location)
    vfs = task.fs.vfs
    vfs.deny_write(program.location.inode)
    persona = process.personality & ~(PER_CLEAR_ON_SETID if secure else 0)
    memory = None
    try:
        memory = kernel.create_memory(program.abi)
        process.limits.restrict(memory)
        loaded = load_program(
            memory, program, envp, credentials, secure=secure, page_cache=kernel.page_cache, hardware=kernel.hardware,
            stack_limit=memory.stack_limit, random=kernel.random(16),
            implies_exec=bool(persona & READ_IMPLIES_EXEC),
        )  # fmt: skip
    except BaseException:
        if memory is not None:
            memory.release()
        vfs.allow_write(program.location.inode)
        raise

    for other in list(process.threads):
        if other is not task:
            exit_task(other, SIGKILL)
    process.ended_leader = None
    become_leader(task)
    leave_memory(task)
    context = task.context
    task.memory = memory
    task.abi = task.program_abi = program.abi
    task.tls = (0, 0, 0)
    forget(task)
    context.mmu = memory.mmu
    context.reset(loaded.entry, loaded.stack_pointer, 8 * program.abi.word)
    context.modified = ALL
    task.attention |= RELOAD

    if task.files.users > 1:
        shared, task.files = task.files, task.files.fork()
        shared.release()
    task.files.close_on_exec()
    if secure:
        task.fs.leave()  # who shares directories with us is not to lead our new identity elsewhere
        task.parent_death_signal = 0
    task.fs.credentials = credentials
    process.actions = process.actions.clear_handlers()
    task.signals.execute()
    delete_timers(process)
    process.exit_signal = SIGCHLD
    if process.executable is not None:
        vfs.allow_write(process.executable.inode)
    process.executable = program.location
    process.argv = program.argv
    process.executed = True
    process.personality = persona & ~READ_IMPLIES_EXEC | (READ_IMPLIES_EXEC if memory.implies_exec else 0)
    process.dumpable = kernel.core.suid_dumpable if secure else 1
    task.set_comm(program.comm)
    kernel.counters.execs += 1


def become_leader(task: Task) -> None:
    """Give the only thread left the number of its process."""
    kernel, pid = task.kernel, task.process.pid
    if task.tid != pid:
        kernel.pids.release(task.tid)
        del kernel.tasks[task.tid]
        task.tid = pid
        kernel.tasks[pid] = task


def read_strings(task: Task, address: int) -> list[bytes]:
    """Return the NULL-terminated array of strings at `address`; NULL is an empty one.

    EFAULT; E2BIG: a string of 128 kB or more, or more than the stack has room for
    """
    strings: list[bytes] = []
    if not address:
        return strings
    memory, word, layout = task.memory, task.abi.word, task.abi.pointer
    left = room_for_strings(task.process.limits.soft(RLIMIT_STACK))
    while True:
        pointer: int = memory.load(address, layout)[0]
        if not pointer:
            return strings
        string = memory.read_cstring(pointer, STRING_MAX)
        left -= len(string) + 1 + word
        if len(string) >= STRING_MAX or left < 0:
            raise LinuxError(E2BIG)
        strings.append(string)
        address += word
