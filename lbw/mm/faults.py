"""What a bad memory access becomes."""

from __future__ import annotations


class SegmentationFault(Exception):
    """A guest access that must be answered with a signal.

    `signo` is SIGSEGV or SIGBUS, `code` the si_code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR), `address` the si_addr.
    """

    __slots__ = ("address", "code", "signo")

    def __init__(self, signo: int, code: int, address: int) -> None:
        self.signo = signo
        self.code = code
        self.address = address
