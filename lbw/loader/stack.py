"""The initial stack of a program, byte for byte as Linux lays it out.  System V ABI, x86-64 supplement, 3.4.1

From high to low addresses:

    8 zero bytes
    path of the program (AT_EXECFN)
    environment strings, the first one lowest
    argument strings, the first one lowest             <- arg_start
    padding down to 16 bytes
    platform string, 16 random bytes, padding
    auxiliary vector, ended by AT_NULL
    environment pointers, NULL
    argument pointers, NULL
    argument count                                     <- stack pointer, 16-byte aligned
"""

from __future__ import annotations

from struct import pack

from lbw.abi.auxv import AT_EXECFN, AT_NULL, AT_PLATFORM, AT_RANDOM
from lbw.abi.errno import E2BIG, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lbw.abi.x86_64 import Abi

#: Size of one argument or environment string with its NUL, bytes (MAX_ARG_STRLEN).
STRING_MAX = 131072
#: What strings and pointers may always take, and never exceed, bytes.
TOTAL_MIN, TOTAL_MAX = 131072, 6 << 20


class InitialStack:
    """Contents and landmarks of a stack that is not in memory yet."""

    __slots__ = ("arg_end", "arg_start", "auxv", "data", "env_end", "env_start", "pointer")

    def __init__(
        self, pointer: int, data: bytes, arg_start: int, arg_end: int, env_start: int, env_end: int, auxv: bytes
    ) -> None:
        self.pointer = pointer  # where `data` goes
        self.data = data
        self.arg_start = arg_start
        self.arg_end = arg_end
        self.env_start = env_start
        self.env_end = env_end
        self.auxv = auxv


def room_for_strings(limit: int) -> int:
    """Return how many bytes of strings and pointers go with the stack limit `limit` (soft RLIMIT_STACK, bytes)."""
    return max(min(TOTAL_MAX, limit // 4), TOTAL_MIN)


def check_strings(argv: Sequence[bytes], envp: Sequence[bytes], execfn: bytes, limit: int) -> None:
    """E2BIG when the strings are too long for the stack limit `limit` (soft RLIMIT_STACK, bytes), as execve(2) says."""
    room = room_for_strings(limit) - (max(len(argv), 1) + len(envp)) * 8
    if len(execfn) >= STRING_MAX:
        raise LinuxError(E2BIG)
    room -= len(execfn) + 1
    for strings in (argv, envp):
        for string in strings:
            length = len(string) + 1
            if length > STRING_MAX:
                raise LinuxError(E2BIG)
            room -= length
    if room < 0:
        raise LinuxError(E2BIG)


def build_stack(
    abi: Abi, top: int, argv: Sequence[bytes], envp: Sequence[bytes], execfn: bytes,
    auxv: Sequence[tuple[int, int]], random: bytes,
) -> InitialStack:  # fmt: skip
    """Return the stack that ends at `top`; `random` are the 16 bytes of AT_RANDOM.

    `auxv` is the auxiliary vector without AT_NULL; the addresses of AT_EXECFN, AT_PLATFORM and AT_RANDOM are filled in.
    """
    word = abi.word
    arguments = b"".join([string + b"\0" for string in argv])
    environment = b"".join([string + b"\0" for string in envp])
    strings = b"".join((arguments, environment, execfn, b"\0", bytes(8)))
    arg_start = top - len(strings)
    env_start = arg_start + len(arguments)
    env_end = env_start + len(environment)
    platform = abi.machine.encode() + b"\0"
    aligned = arg_start & ~15
    platform_at = aligned - len(platform)
    random_at = platform_at - len(random)

    filled = {AT_EXECFN: env_end, AT_PLATFORM: platform_at, AT_RANDOM: random_at}
    numbers: list[int] = []
    for kind, value in auxv:
        numbers += kind, filled.get(kind, value)
    numbers += AT_NULL, 0
    table = [len(argv), *_addresses(argv, arg_start), 0, *_addresses(envp, env_start), 0]
    letter = "Q" if word == 8 else "I"
    vector = pack(f"<{len(numbers)}{letter}", *numbers)
    pointer = (random_at - len(vector) - len(table) * word) & ~15
    data = pack(f"<{len(table)}{letter}", *table) + vector
    data += bytes(random_at - pointer - len(data)) + random + platform + bytes(arg_start - aligned) + strings
    return InitialStack(pointer, data, arg_start, env_start, env_start, env_end, vector)


def _addresses(strings: Sequence[bytes], address: int) -> list[int]:
    """Return where each of `strings` begins when they follow each other, each with its NUL, from `address`."""
    addresses = []
    for string in strings:
        addresses.append(address)
        address += len(string) + 1
    return addresses
