"""Memory of a task as text: maps, statm, cmdline, environ, auxv; and /proc/PID/mem itself.  man 5 proc"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, EIO, LinuxError
from lbw.abi.fcntl import SEEK_CUR, SEEK_SET
from lbw.abi.mman import MAP_GROWSDOWN, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.vfs.file import File
from lbw.vfs.location import Location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.inode import Inode
    from lbw.vfs.proc.process import TaskEntry
    from lbw.vfs.proc.source import TaskView

PAGE = 4096
#: Column of the name in a line of `maps`.
NAME_COLUMN = 73


def maps(entry: TaskEntry) -> bytes:
    """Return one line per mapping."""
    memory = entry.view.memory
    if memory is None:
        return b""
    return mappings(memory, entry.path_of)


def mappings(memory: AddressSpace, path_of: Callable[[Location], bytes]) -> bytes:
    """Return one line per mapping of an address space; `path_of` names mapped files."""
    return b"".join([_line(path_of, vma) for vma in memory.vmas])


def _line(path_of: Callable[[Location], bytes], vma: Vma) -> bytes:
    prot, name, device, ino = vma.prot, vma.name, 0, 0
    location = vma.location
    if isinstance(location, Location):
        stat = location.inode.stat()
        device, ino = stat.dev, stat.ino
        name = path_of(location).replace(b"\n", b"\\012")
    elif vma.shared:
        name, device = name or b"/dev/zero (deleted)", 1  # as Linux names shared anonymous memory
        ino = getattr(vma.backing, "number", 0)
    line = b"%08x-%08x %c%c%c%c %08x %02x:%02x %d " % (
        vma.start,
        vma.end,
        b"r" if prot & PROT_READ else b"-",
        b"w" if prot & PROT_WRITE else b"-",
        b"x" if prot & PROT_EXEC else b"-",
        b"s" if vma.shared else b"p",
        vma.offset if vma.backing is not None else 0,
        device >> 8 & 0xFFF,
        device & 0xFF | device >> 12 & 0xFFF00,
        ino,
    )
    return (line.ljust(NAME_COLUMN) + name if name else line) + b"\n"


class Sizes:
    """Sizes of an address space in pages, sorted as Linux sorts them."""

    __slots__ = ("data", "executable", "resident", "resident_file", "stack", "text", "total")

    def __init__(self, view: TaskView) -> None:
        self.total = self.data = self.stack = self.text = self.executable = self.resident = self.resident_file = 0
        memory = view.memory
        if memory is None:
            return
        program = view.executable
        for vma in memory.vmas:
            pages = (vma.end - vma.start) // PAGE
            self.total += pages
            if vma.flags & MAP_GROWSDOWN or vma.name == b"[stack]":
                self.stack += pages
            elif vma.prot & PROT_WRITE:
                if not vma.shared:
                    self.data += pages
            elif vma.prot & PROT_EXEC:
                self.executable += pages
                if vma.location is not None and vma.location is program:
                    self.text += pages
        self.resident = memory.mmu.resident


def statm(entry: TaskEntry) -> bytes:
    """Return the sizes in pages: total, resident, shared, text, 0, data + stack, 0."""
    sizes = Sizes(entry.view)
    return b"%d %d %d %d 0 %d 0\n" % (
        sizes.total, sizes.resident, sizes.resident_file, sizes.text, sizes.data + sizes.stack,
    )  # fmt: skip


def _read(memory: AddressSpace, start: int, end: int) -> bytes:
    try:
        return memory.read(start, end - start) if end > start else b""
    except LinuxError:
        return b""


def cmdline(entry: TaskEntry) -> bytes:
    """Return the arguments, each with its NUL; a title that overwrote the last NUL runs on into the environment."""
    memory = entry.view.memory
    if memory is None:
        return b""
    text = _read(memory, memory.arg_start, memory.arg_end)
    if text and text[-1]:
        text = (text + _read(memory, memory.arg_end, memory.env_end)).split(b"\0", 1)[0]
    return text


def environ(entry: TaskEntry) -> bytes:
    """Return the initial environment."""
    memory = entry.view.memory
    return b"" if memory is None else _read(memory, memory.env_start, memory.env_end)


def auxv(entry: TaskEntry) -> bytes:
    """Return the auxiliary vector, as it lies on the stack."""
    memory = entry.view.memory
    return b"" if memory is None else memory.auxv


class MemoryFile(File):
    """/proc/PID/mem: the file offset is an address."""

    __slots__ = ("_memory",)

    def __init__(self, inode: Inode, flags: int, memory: AddressSpace) -> None:
        super().__init__(inode, flags)
        self._memory = memory

    def seek(self, offset: int, whence: int) -> int:
        """EINVAL: memory has no end to seek from."""
        if whence not in (SEEK_SET, SEEK_CUR):
            raise LinuxError(EINVAL)
        return super().seek(offset, whence)

    def pread(self, views: list[memoryview], offset: int) -> int:
        """EIO: nothing is mapped there."""
        done = 0
        for view in views:
            try:
                view[:] = self._memory.read(offset + done, len(view))
            except LinuxError as error:
                return _short(done, error)
            done += len(view)
        return done

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """EIO: nothing writable is mapped there."""
        done = 0
        for view in views:
            try:
                self._memory.write(offset + done, bytes(view))
            except LinuxError as error:
                return _short(done, error)
            done += len(view)
        return done


def _short(done: int, error: LinuxError) -> int:
    if done:
        return done
    raise LinuxError(EIO if error.errno == EFAULT else error.errno)
