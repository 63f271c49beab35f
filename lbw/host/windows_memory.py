"""Guest RAM on Windows: VirtualAlloc reserves and commits, VirtualFree decommits.  See `lbw.host.memory`

A decommitted granule is inaccessible, not zero: touching it is an access violation of lbw itself. The contract, "touch
committed granules only", is what makes that right.
"""

from __future__ import annotations

import sys

from lbw.errors import HostError

_MEM_COMMIT, _MEM_RESERVE, _MEM_DECOMMIT, _MEM_RELEASE = 0x1000, 0x2000, 0x4000, 0x8000
_PAGE_READWRITE = 4

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _virtual_alloc = _kernel32.VirtualAlloc
    _virtual_alloc.restype = ctypes.c_void_p
    _virtual_alloc.argtypes = (ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD, wintypes.DWORD)
    _virtual_free = _kernel32.VirtualFree
    _virtual_free.restype = wintypes.BOOL
    _virtual_free.argtypes = (ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD)

    class WindowsRam:
        """A reserved range of `size` bytes. Touch committed granules only."""

        __slots__ = ("_committed", "address", "size", "view", "words")

        def __init__(self, size: int) -> None:
            """Reserve `size` bytes (whole granules).  HostError: Windows refuses"""
            from lbw.host.memory import check_size

            check_size(size)
            address = _virtual_alloc(None, size, _MEM_RESERVE, _PAGE_READWRITE)
            if not address:
                reason = ctypes.WinError(ctypes.get_last_error())
                raise HostError(f"Windows refuses to reserve {size >> 20} MB: {reason}")
            self.size = size
            self.address: int = address
            self.view = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
            self.words = self.view.cast("Q")
            self._committed: set[int] = set()

        def commit(self, offset: int, length: int) -> None:
            """Make the granules usable; fresh ones read as zeros.  MemoryError: no memory left"""
            from lbw.host.memory import GRANULE, check_range

            check_range(offset, length, self.size)
            if length and not _virtual_alloc(self.address + offset, length, _MEM_COMMIT, _PAGE_READWRITE):
                raise MemoryError(f"Windows has no memory for the guest: {ctypes.WinError(ctypes.get_last_error())}")
            self._committed.update(range(offset, offset + length, GRANULE))

        def release(self, offset: int, length: int) -> None:
            """Give the granules back."""
            from lbw.host.memory import GRANULE, check_range

            check_range(offset, length, self.size)
            if length and not _virtual_free(self.address + offset, length, _MEM_DECOMMIT):
                raise HostError(f"Windows refuses to take memory back: {ctypes.WinError(ctypes.get_last_error())}")
            self._committed.difference_update(range(offset, offset + length, GRANULE))

        def resident(self) -> int:
            """Return the bytes that are committed."""
            from lbw.host.memory import GRANULE

            return len(self._committed) * GRANULE

        def close(self) -> None:
            """Give everything back. Views that somebody still holds become invalid."""
            if self.address:
                _virtual_free(self.address, 0, _MEM_RELEASE)
                self.address = 0
                self._committed.clear()
