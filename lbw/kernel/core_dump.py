"""Core files: the last picture of a process that a signal ends, for debuggers.  man 5 core

An ELF file: header, program headers (one for the notes, one for each mapping), notes, memory. It is written at once,
before any thread of the process is ended, so that all of them can be seen; other tasks wait meanwhile, and a large
process is written page by page, without copies of memory.

Nothing that goes wrong is anybody's error: there is no core file then, or one that ends early, and the process dies
as it would have. As in Linux the wait status says "core dumped" as soon as a file was begun.
"""

from __future__ import annotations

from lbw.abi.elf import ELFDATA2LSB, ELFMAG, EV_CURRENT, PF_R, PF_W, PF_X, PT_LOAD
from lbw.abi.elf_core import ET_CORE, LAYOUTS, PT_NOTE
from lbw.abi.errno import EPERM, LinuxError
from lbw.abi.fcntl import O_CREAT, O_EXCL, O_LARGEFILE, O_NOFOLLOW, O_WRONLY
from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.resource import RLIMIT_CORE, RLIMIT_FSIZE
from lbw.abi.stat import S_IFMT, S_IFREG
from lbw.cpu.contracts import PAGE
from lbw.kernel.core_memory import CoreWriter, Extent, extents
from lbw.kernel.core_notes import notes
from lbw.kernel.core_settings import core_name
from lbw.vfs.operations import open_file, path_of, unlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.signals.siginfo import SigInfo
    from lbw.vfs.context import FsContext
    from lbw.vfs.file import File

#: Values of `dumpable`.
NOT_DUMPABLE, DUMPABLE, DUMPABLE_BY_ROOT = range(3)


def dump_core(task: Task, info: SigInfo) -> bool:
    """Write a core file of the process of `task`, which the signal `info` ends; tell whether one was begun."""
    process = task.process
    limit = process.limits.soft(RLIMIT_CORE)
    if process.dumpable == NOT_DUMPABLE or limit < PAGE:
        return False
    executable = process.executable
    name = core_name(task, info.signo, path_of(task.fs, executable) if executable is not None else None)
    try:
        file = create(task, name).acquire()
    except LinuxError:
        return False
    try:
        writer = CoreWriter(file, limit, process.limits.soft(RLIMIT_FSIZE))
        found = extents(task.memory, process.core_filter)
        writer.write([memoryview(head(task, info, found))])
        writer.write_memory(task.memory, found)
        if writer.position > file.inode.stat().size:
            file.inode.truncate(writer.position)  # it ends in a hole
    except LinuxError:
        pass  # the file ends here
    finally:
        file.release()
    return True


def create(task: Task, name: bytes) -> File:
    """Create the core file, in place of one that is there.

    EPERM: a process of a changed identity needs an absolute path, or the file would not be its own; and what open gives
    """
    ctx: FsContext = task.fs
    privileged = task.process.dumpable == DUMPABLE_BY_ROOT
    if privileged:
        if not name.startswith(b"/"):
            raise LinuxError(EPERM)
        ctx = ctx.fork()
        ctx.credentials.fsuid = 0
        ctx.root = ctx.cwd = ctx.vfs.root
    else:
        try:
            unlink(ctx, name)
        except LinuxError:
            pass
    file = open_file(ctx, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE, 0o600)
    stat = file.inode.stat()
    if (
        stat.mode & S_IFMT != S_IFREG or stat.nlink > 1 or stat.uid != ctx.credentials.fsuid
        or stat.mode & 0o677 != 0o600
    ):  # fmt: skip
        file.acquire().release()
        raise LinuxError(EPERM)
    return file


def head(task: Task, info: SigInfo, found: list[Extent]) -> bytes:
    """Return everything in front of memory, up to a page boundary."""
    layouts = LAYOUTS[task.program_abi.word]
    text = notes(task, info)
    count = len(found) + 1
    table_size = count * layouts.program_header.size
    offset = layouts.header.size + table_size
    data = -(-(offset + len(text)) // PAGE) * PAGE
    headers = [layouts.segment(PT_NOTE, 0, offset, 0, len(text), 0, 0)]
    position = data
    for extent in found:
        vma = extent.vma
        flags = (PF_R if vma.prot & PROT_READ else 0) | (PF_W if vma.prot & PROT_WRITE else 0)
        flags |= PF_X if vma.prot & PROT_EXEC else 0
        headers.append(
            layouts.segment(PT_LOAD, flags, position, vma.start, extent.held, vma.end - vma.start, PAGE)
        )
        position += extent.held
    header = layouts.header.pack(
        ELFMAG + bytes((layouts.elf_class, ELFDATA2LSB, EV_CURRENT)), ET_CORE, task.program_abi.elf_machine, EV_CURRENT,
        0, layouts.header.size, 0, 0, layouts.header.size, layouts.program_header.size,
        count, 0, 0, 0,
    )  # fmt: skip
    return (header + b"".join(headers) + text).ljust(data, b"\0")
