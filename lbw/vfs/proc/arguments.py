"""What lies on the stack of a task since its start: cmdline, environ, auxv.  man 5 proc"""

from __future__ import annotations

from lbw.abi.errno import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.proc.process import TaskEntry


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
