"""Parameter types of system calls: how a raw register becomes an argument, and how strace shows it.

`conversion` is an expression over the register `{}`: the dispatcher compiles the expressions of a row into one
function. A register is an unsigned 64-bit word; C's `int` occupies its low 32 bits, with rubbish above. In an ABI with
32-bit words the rubbish is cut off first; what is a `long` has another expression there (`narrow`), and an `off64_t`
lies in two registers.
"""

from __future__ import annotations

from lbw.syscalls.quoting import show_bytes, show_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lbw.abi.x86_64 import Abi
    from lbw.kernel.task import Task

#: Names that conversions may use, beside `task` and `r`.
CONVERSIONS: dict[str, Any] = {}

SIGNED_32 = "(({} & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000"
UNSIGNED_32 = "{} & 0xFFFFFFFF"
SIGNED_64 = "({0} ^ 0x8000000000000000) - 0x8000000000000000"
SIGNED_PAIR = f"(({{0}} | {{1}} << 32) ^ {1 << 63:#x}) - {1 << 63:#x}"
RAW = "{}"


def signed(value: int, bits: int) -> int:
    """Return the low `bits` of `value` as a signed number."""
    sign = 1 << (bits - 1)
    return ((value & ((sign << 1) - 1)) ^ sign) - sign


class Parameter:
    """An argument of a system call. `show` gets the raw register."""

    __slots__ = ("name",)
    conversion = RAW
    #: The expression over a 32-bit word, if it is another one.
    narrow = ""
    #: True when the kernel fills it in: strace prints it after the call.
    out = False
    #: True when strace shows it before the call, and once more after it.
    again = False

    def __init__(self, name: str) -> None:
        self.name = name

    def words(self, abi: Abi) -> int:
        """Return how many argument registers hold it."""
        return 1

    def expression(self, abi: Abi, registers: tuple[int, ...]) -> str:
        """Return the expression for the argument in `registers`, of the list `r`."""
        if abi.word == 8:
            return self.conversion.format(*(f"r[{number}]" for number in registers))
        return (self.narrow or self.conversion).format(*(f"(r[{number}] & 0xFFFFFFFF)" for number in registers))

    def join(self, words: list[int], bits: int) -> int:
        """Return the raw argument for `show` from the words, of `bits` bits each, of its registers."""
        return words[0]

    def show(self, task: Task, raw: int, result: int) -> str:
        """Return the argument as strace prints it, nothing if the call has none. Never changes the guest."""
        return str(raw)


class Int(Parameter):
    """A C `int`: signed, 32 bits."""

    __slots__ = ()
    conversion = SIGNED_32

    def show(self, task: Task, raw: int, result: int) -> str:
        return str(signed(raw, 32))


class UInt(Parameter):
    """A C `unsigned int`: 32 bits."""

    __slots__ = ()
    conversion = UNSIGNED_32

    def show(self, task: Task, raw: int, result: int) -> str:
        return str(raw & 0xFFFFFFFF)


class Long(Parameter):
    """A C `long` or `off_t`: a signed word."""

    __slots__ = ()
    conversion = SIGNED_64
    narrow = SIGNED_32

    def show(self, task: Task, raw: int, result: int) -> str:
        return str(signed(raw, 8 * task.abi.word))


class Offset(Parameter):
    """A `loff_t`: signed, 64 bits, of which 32-bit words take two, the lower first."""

    __slots__ = ()
    conversion = SIGNED_64
    narrow = SIGNED_PAIR

    def words(self, abi: Abi) -> int:
        return 8 // abi.word

    def join(self, words: list[int], bits: int) -> int:
        return words[0] | words[1] << bits if bits == 32 else words[0]

    def show(self, task: Task, raw: int, result: int) -> str:
        return str(signed(raw, 64))


class Position(Offset):
    """A `loff_t` that always takes two words (preadv); with 64-bit words the second says nothing."""

    __slots__ = ()

    def words(self, abi: Abi) -> int:
        return 2


class Size(Parameter):
    """A C `size_t` or `unsigned long`."""

    __slots__ = ()


class Hex(Parameter):
    """An unsigned word that reads best in hexadecimal."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return hex(raw)


class Pointer(Parameter):
    """A guest address that the handler deals with itself."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return hex(raw) if raw else "NULL"


class Fd(Int):
    """A file descriptor."""

    __slots__ = ()


class DirFd(Int):
    """A directory descriptor or AT_FDCWD."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        number = signed(raw, 32)
        return "AT_FDCWD" if number == -100 else str(number)


class Pid(Int):
    """A process, thread or group number."""

    __slots__ = ()


class Mode(UInt):
    """Permission bits (mode_t)."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return f"0{raw & 0xFFFFFFFF:o}"


class Signal(Int):
    """A signal number."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        from lbw.signals.names import signal_name

        return signal_name(signed(raw, 32))


class Path(Parameter):
    """A path: the handler gets its bytes.  EFAULT, ENAMETOOLONG: 4096 bytes and more"""

    __slots__ = ()
    conversion = "task.memory.read_path({})"

    def show(self, task: Task, raw: int, result: int) -> str:
        return show_string(task, raw, 4096)


class OptionalPath(Path):
    """A path that may be NULL: the handler gets None then."""

    __slots__ = ()
    conversion = "(task.memory.read_path({0}) if {0} else None)"


class Buffer(Parameter):
    """Bytes that the call reads; `length` names the parameter that holds their number, by its index."""

    __slots__ = ("index",)

    def __init__(self, name: str, index: int = -1) -> None:
        super().__init__(name)
        self.index = index  # argument index of the length; -1: the next argument

    def show(self, task: Task, raw: int, result: int) -> str:
        return hex(raw) if raw else "NULL"


class OutBuffer(Buffer):
    """Bytes that the call writes; as many as it returns."""

    __slots__ = ()
    out = True

    def show(self, task: Task, raw: int, result: int) -> str:
        if result < 0 or not raw:
            return hex(raw) if raw else "NULL"
        return show_bytes(task, raw, result)


class Flags(Parameter):
    """A set of named bits (C `int`): `names` maps bit values to their names."""

    __slots__ = ("names",)
    conversion = UNSIGNED_32

    def __init__(self, name: str, names: dict[int, str]) -> None:
        super().__init__(name)
        self.names = names

    def show(self, task: Task, raw: int, result: int) -> str:
        raw &= 0xFFFFFFFF
        if not raw:
            return self.names.get(0, "0")
        shown, left = [], raw
        for bit, name in self.names.items():
            if bit and left & bit == bit:
                shown.append(name)
                left &= ~bit
        if 0 in self.names and not raw & 3:  # an access mode of zero has a name: O_RDONLY
            shown.insert(0, self.names[0])
        if left:
            shown.append(hex(left))
        return "|".join(shown)


class Choice(Parameter):
    """One of several named values (C `int`)."""

    __slots__ = ("names",)
    conversion = SIGNED_32

    def __init__(self, name: str, names: dict[int, str]) -> None:
        super().__init__(name)
        self.names = names

    def show(self, task: Task, raw: int, result: int) -> str:
        return self.names.get(signed(raw, 32), str(signed(raw, 32)))


class Out(Pointer):
    """A structure that the call fills in."""

    __slots__ = ()
    out = True


class In(Pointer):
    """A structure that the call reads."""

    __slots__ = ()


class StringArray(Pointer):
    """A NULL-terminated array of strings (argv, envp)."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        from lbw.syscalls.displays import Strings

        return Strings(self.name, summary=self.name == "envp").show(task, raw, result)
