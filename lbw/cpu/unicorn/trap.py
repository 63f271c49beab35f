"""What the engine reports."""

from __future__ import annotations

from lbw.cpu.contracts import PREEMPTED


class UnicornTrap:
    """Why the processor stopped; see `lbw.cpu.contracts.Trap`."""

    __slots__ = ("address", "error_code", "kind", "vector")

    def __init__(self) -> None:
        self.kind = PREEMPTED
        self.vector = 0
        self.error_code = 0
        self.address = 0
