"""How strace writes structures, modes, bits and signal sets."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_FORMATS = {0o10: "S_IFIFO", 0o20: "S_IFCHR", 0o40: "S_IFDIR", 0o60: "S_IFBLK", 0o100: "S_IFREG", 0o120: "S_IFLNK"}


def show_mode(mode: int) -> str:
    """Return a full mode with its file type: `S_IFREG|0644`."""
    return f"{_FORMATS.get(mode >> 9 & 0o170, 'S_IFSOCK')}|0{mode & 0o7777:o}"


def show_stat(task: Task, address: int) -> str:
    """Return a struct stat in strace's short form."""
    values = task.memory.load(address, task.abi.stat)
    return show_attributes(values[3], values[7], values[8])


def show_attributes(mode: int, rdev: int, size: int) -> str:
    """Return what strace shows of a struct stat."""
    if mode & 0o170000 in (0o20000, 0o60000):
        return f"{{st_mode={show_mode(mode)}, st_rdev=makedev({rdev >> 8 & 0xFFF:#x}, {rdev & 0xFF:#x}), ...}}"
    return f"{{st_mode={show_mode(mode)}, st_size={size}, ...}}"


def show_statx(task: Task, address: int) -> str:
    """Return a struct statx in strace's short form."""
    data = task.memory.read(address, 0x38)
    mode, size = int.from_bytes(data[0x1C:0x1E], "little"), int.from_bytes(data[0x28:0x30], "little")
    return f"{{stx_mode={show_mode(mode)}, stx_size={size}, ...}}"


def show_bits(value: int, names: dict[int, str]) -> str:
    """Return the names of the bits of `value`, joined by `|`."""
    shown = [name for bit, name in names.items() if bit and value & bit]
    rest = value & ~sum(names)
    if rest:
        shown.append(hex(rest))
    return "|".join(shown) or "0"


def show_sigset(mask: int) -> str:
    """Return a signal mask as strace does: `[INT CHLD]`, `~[KILL STOP]` when most are set."""
    from lbw.signals.names import signal_name

    inverted = mask.bit_count() > 32
    if inverted:
        mask = ~mask & 0xFFFF_FFFF_FFFF_FFFF
    names = [signal_name(number).removeprefix("SIG") for number in range(1, 65) if mask >> (number - 1) & 1]
    return ("~" if inverted else "") + "[" + " ".join(names) + "]"
