"""How strace shows the arguments of IPC calls: keys, flags with permissions, commands, structures."""

from __future__ import annotations

from lbw.abi import ipc as abi
from lbw.abi.ipc import IPC_64, SEMBUF
from lbw.syscalls.displays import LIMIT, Shown, argument
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits
from lbw.syscalls.parameters import Choice, Int, signed
from lbw.syscalls.quoting import show_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_COMMON = {abi.IPC_RMID: "IPC_RMID", abi.IPC_SET: "IPC_SET", abi.IPC_STAT: "IPC_STAT", abi.IPC_INFO: "IPC_INFO"}
_STATS = (abi.IPC_STAT, abi.IPC_SET)


class Key(Int):
    """A key (key_t)."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return hex(raw & 0xFFFFFFFF) if raw & 0xFFFFFFFF else "IPC_PRIVATE"


class PermissionFlags(Int):
    """Named bits above nine bits of permissions."""

    __slots__ = ("names", "permissions")

    def __init__(self, name: str, names: dict[int, str], permissions: bool) -> None:
        super().__init__(name)
        self.names = names
        self.permissions = permissions

    def show(self, task: Task, raw: int, result: int) -> str:
        raw &= 0xFFFFFFFF
        if not self.permissions:
            return show_bits(raw, self.names)
        above = raw & ~0o777
        return (show_bits(above, self.names) + "|" if above else "") + f"0{raw & 0o777:03o}"


def get_flags(name: str, *more: str) -> PermissionFlags:
    """Return the parameter for the flags of shmget, semget and msgget."""
    return PermissionFlags(name, named(abi, " ".join(("IPC_CREAT", "IPC_EXCL", *more))), True)


def shmat_flags(name: str) -> PermissionFlags:
    """Return the parameter for the flags of shmat."""
    return PermissionFlags(name, named(abi, "SHM_RDONLY SHM_RND SHM_REMAP SHM_EXEC"), False)


def msg_flags(name: str) -> PermissionFlags:
    """Return the parameter for the flags of msgsnd and msgrcv."""
    return PermissionFlags(name, named(abi, "IPC_NOWAIT MSG_NOERROR MSG_EXCEPT MSG_COPY"), False)


class Command(Choice):
    """What a *ctl call is to do; 32-bit programs may mark it with IPC_64."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        number = signed(raw, 32)
        if number & IPC_64:
            return "IPC_64|" + super().show(task, number & ~IPC_64, result)
        return super().show(task, raw, result)


SHM_COMMANDS = _COMMON | named(abi, "SHM_LOCK SHM_UNLOCK SHM_STAT SHM_INFO SHM_STAT_ANY")
SEM_COMMANDS = _COMMON | named(
    abi, "GETPID GETVAL GETALL GETNCNT GETZCNT SETVAL SETALL SEM_STAT SEM_INFO SEM_STAT_ANY"
)  # fmt: skip
MSG_COMMANDS = _COMMON | named(abi, "MSG_STAT MSG_INFO MSG_STAT_ANY")


class Structure(Shown):
    """The structure of a *ctl call, where it is the one that IPC_STAT fills in or IPC_SET reads."""

    __slots__ = ("command", "stats")
    out = True

    def __init__(self, name: str, command: int, *stats: int) -> None:
        super().__init__(name)
        self.command = command  # which argument
        self.stats = (abi.IPC_STAT, abi.IPC_SET, *stats)

    def show(self, task: Task, raw: int, result: int) -> str:
        if argument(task, self.command) & 0xFFFFFFFF & ~IPC_64 not in self.stats:
            return hex(raw) if raw else "NULL"
        return super().show(task, raw, result)

    def target(self, task: Task, address: int, result: int) -> str:
        layouts = abi.WIDE if task.abi.word == 8 else abi.NARROW
        key, uid, gid, _, _, mode, _ = task.memory.load(address, layouts.semid_ds)[:7]
        return f"{{{{{key & 0xFFFFFFFF:#x}, {uid}, {gid}, 0{mode:o}}}, ...}}"


class SemArgument(Structure):
    """The union of semctl: a value, or the address of a structure or array."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        if argument(task, 2) & 0xFFFFFFFF & ~IPC_64 == abi.SETVAL:
            return str(signed(raw, 32))
        return super().show(task, raw, result)


class Sembufs(Shown):
    """An array of struct sembuf; the next argument is its length."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        count = argument(task, 2) & 0xFFFFFFFF
        names = {abi.IPC_NOWAIT: "IPC_NOWAIT", abi.SEM_UNDO: "SEM_UNDO"}
        shown = []
        for index in range(min(count, LIMIT)):
            number, change, flags = task.memory.load(address + index * SEMBUF.size, SEMBUF)
            shown.append(f"{{{number}, {change}, {show_bits(flags & 0xFFFF, names)}}}")
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"


class MsgBuffer(Shown):
    """A struct msgbuf that msgsnd reads; the next argument is the length of its text."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        word = task.abi.word
        kind = signed(task.memory.read_pointer(address), 8 * word)
        length = result if self.out else argument(task, 2)
        return f"{{{kind}, {show_bytes(task, address + word, length)}}}"


class OutMsgBuffer(MsgBuffer):
    """A struct msgbuf that msgrcv fills in."""

    __slots__ = ()
    out = True
