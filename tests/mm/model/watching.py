"""Checks the invariants of memory while programs run: after each N-th trap, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invariants import check

if TYPE_CHECKING:
    from lbw import Machine
    from lbw.cpu.contracts import Context


@contextmanager
def watched(machine: Machine, period: int) -> Iterator[list[int]]:
    """Check the memory of `machine` before every `period`-th return to a guest. Yields the number of checks, a list."""
    engine = machine.board.engine
    kind = type(engine)
    original = kind.resume
    done = [0]
    left = period

    def resume(self: object, context: Context) -> None:
        nonlocal left
        left -= 1
        if not left and self is engine:
            left = period
            done[0] += 1
            check(engine)
        original(self, context)  # type: ignore[arg-type]

    kind.resume = resume  # type: ignore[method-assign]
    try:
        yield done
    finally:
        kind.resume = original  # type: ignore[method-assign]
