"""The system call tables of a kernel, by ABI; one that no program has needed yet is not built."""

from __future__ import annotations

from lbw.kernel.dispatch import SyscallTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lbw.abi.x86_64 import Abi
    from lbw.kernel.dispatch import Observer, Row

    Loader = Callable[[Abi], Sequence[Row | None]]


class SyscallTables(dict["Abi", SyscallTable]):
    """A dictionary that builds what is missing when it is asked for."""

    def __init__(self, observer: Observer | None) -> None:
        super().__init__()
        self._observer = observer
        self._loaders: dict[Abi, Loader] = {}

    def offer(self, abi: Abi, loader: Loader) -> None:
        """Have programs of `abi` find the rows (by number) that `loader` returns, when the first of them comes."""
        self._loaders[abi] = loader

    def __missing__(self, abi: Abi) -> SyscallTable:
        table = self[abi] = SyscallTable(abi, self._loaders[abi](abi), self._observer)
        return table

    def with_word(self, word: int) -> SyscallTable | None:
        """Return the table of the ABI that has words of `word` bytes."""
        for abi in (*self, *self._loaders):
            if abi.word == word:
                return self[abi]
        return None
