"""Kernel parameters that live in the kernel: what /proc/sys shows and lets root change.

Who owns a value gives a `Numbers`: how to get its numbers, how to set them, and what they may be. Reading and writing
are as Linux' proc_dointvec_minmax: numbers with tabs between; a write may give fewer than there are, and what cannot be
used changes nothing.  Linux kernel/sysctl.c
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INT_MAX = 0x7FFF_FFFF


class Numbers:
    """A parameter of one or more numbers."""

    __slots__ = ("_change", "_get", "_highest", "_lowest", "readable")

    def __init__(
        self, get: Callable[[], Sequence[int]], change: Callable[[Sequence[int]], None] | None = None,
        lowest: int = 0, highest: int = INT_MAX, readable: bool = True,
    ) -> None:  # fmt: skip
        """`change` None: it cannot be changed; `readable` false: writing does something, and that is all."""
        self._get = get
        self._change = change
        self._lowest = lowest
        self._highest = highest
        self.readable = readable

    @property
    def writable(self) -> bool:
        """Whether root may change it."""
        return self._change is not None

    def text(self) -> bytes:
        """Return its line."""
        return b"\t".join([b"%d" % number for number in self._get()]) + b"\n"

    def accept(self, data: bytes) -> None:
        """Take what was written.  EINVAL: no number, or one that it may not be"""
        assert self._change is not None
        words = data.split()
        if data and not words:
            raise LinuxError(EINVAL)
        numbers = list(self._get())
        for index, word in enumerate(words[: len(numbers)]):
            numbers[index] = number = parse(word)
            if not self._lowest <= number <= self._highest:
                raise LinuxError(EINVAL)
        if words:
            self._change(numbers)


def parse(word: bytes) -> int:
    """Return the number that `word` is: decimal, octal or hexadecimal, as in C.  EINVAL"""
    digits = word.removeprefix(b"-")
    base = 16 if digits[:2].lower() == b"0x" else 8 if digits[:1] == b"0" else 10
    if not digits.isalnum():  # no sign, no underscore
        raise LinuxError(EINVAL)
    try:
        number = int(digits, base)
    except ValueError:
        raise LinuxError(EINVAL) from None
    return number if digits is word else -number


def attribute(owner: object, name: str, lowest: int = 0, highest: int = INT_MAX) -> Numbers:
    """Return the parameter that is the attribute `name` of `owner`, a number."""

    def get() -> tuple[int]:
        value: int = getattr(owner, name)
        return (value,)

    return Numbers(get, lambda numbers: setattr(owner, name, numbers[0]), lowest, highest)
