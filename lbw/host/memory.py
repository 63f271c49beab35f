"""Guest RAM: one sparse range of host memory, taken and given back in granules of 64 kB.

The contract is the smallest that every OS can keep: *reserve* a range (costs address space only), *commit* granules
before they are touched, *release* them afterwards. A released granule costs nothing and reads as zeros once it is
committed again. 64 kB is the allocation granularity of Windows; anything finer is refused everywhere, so that nobody
comes to rely on it.

Linux: a memfd, because `commit` can then fail cleanly (a write, where a plain touch would be SIGBUS), `release` is
MADV_REMOVE, and the memory in use is one fstat. Zeros are written, and one byte is read back: the host maps all 16
pages of a granule around it, which spares 16 faults (25 us for a granule, 41 us with fallocate). Other Unixes: an
anonymous mapping, released by mapping it anew. Windows: `lbw.host.windows_memory`.

Rejected: MADV_DONTNEED (leaves the pages of a shared mapping), MADV_FREE (the bytes may come back), fallocate (the
pages count as not read yet, so that each is a fault of its own), MADV_POPULATE_WRITE (Linux 5.14 and later only, and no
faster than fallocate plus the faults).
"""

from __future__ import annotations

import mmap
import os
import sys

from lbw.errors import HostError

GRANULE = 65536
_ZEROS = bytes(GRANULE)

_MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0x40
_MADV_REMOVE = 9


def check_range(offset: int, length: int, size: int) -> None:
    """ValueError unless the range consists of whole granules inside of `size` bytes."""
    if (offset | length) & (GRANULE - 1) or offset < 0 or length < 0 or offset + length > size:
        raise ValueError(f"not a range of 64 kB granules of {size:#x}: {offset:#x}+{length:#x}")


def check_size(size: int) -> None:
    """ValueError unless `size` is a positive number of granules."""
    if size <= 0 or size & (GRANULE - 1):
        raise ValueError(f"not a number of 64 kB granules: {size:#x}")


if sys.platform == "win32":
    from lbw.host.windows_memory import WindowsRam as Ram
else:

    class Ram:
        """A reserved range of `size` bytes. Touch committed granules only."""

        __slots__ = ("_fd", "_map", "address", "size", "view", "words")

        def __init__(self, size: int) -> None:
            """Reserve `size` bytes (whole granules).  HostError: the host refuses"""
            self._fd = -1
            check_size(size)
            self.size = size
            self._fd = _create_memfd(size) if sys.platform == "linux" else -1
            kind = mmap.MAP_SHARED if self._fd >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            try:
                self._map = mmap.mmap(self._fd, size, flags=kind | _MAP_NORESERVE)
            except (OSError, ValueError, OverflowError) as error:
                if self._fd >= 0:
                    os.close(self._fd)
                raise HostError(f"the host refuses to reserve {size >> 20} MB of address space: {error}") from error
            #: All of it, as bytes.
            self.view = memoryview(self._map)
            #: The same as 64-bit words.
            self.words = self.view.cast("Q")
            #: Where it lies in this process.
            self.address = _address_of(self._map)

        def commit(self, offset: int, length: int) -> None:
            """Make the granules usable; fresh ones read as zeros.  MemoryError: the host has no memory left"""
            check_range(offset, length, self.size)
            if self._fd < 0:
                return
            try:
                for granule in range(offset, offset + length, GRANULE):
                    if os.pwrite(self._fd, _ZEROS, granule) < GRANULE:
                        raise MemoryError("the host has no memory for the guest")
                    self.view[granule]  # see above
            except OSError as error:
                raise MemoryError(f"the host has no memory for the guest: {error}") from error

        def release(self, offset: int, length: int) -> None:
            """Give the granules back to the host."""
            check_range(offset, length, self.size)
            if not length:
                return
            if self._fd >= 0:
                self._map.madvise(_MADV_REMOVE, offset, length)
            else:
                _map_anew(self.address + offset, length)

        def resident(self) -> int:
            """Return the bytes of host memory in use; 0 when the host cannot tell."""
            return os.fstat(self._fd).st_blocks * 512 if self._fd >= 0 else 0

        def __del__(self) -> None:
            if self._fd >= 0:  # nobody has closed it; the mapping goes by itself
                os.close(self._fd)
                self._fd = -1

        def close(self) -> None:
            """Give everything back. Views that somebody still holds read as zeros from now on (Linux)."""
            if self.address == 0:
                return
            self.release(0, self.size)
            self.address = 0
            try:
                self.words.release()
                self.view.release()
                self._map.close()
            except BufferError:
                pass  # somebody holds a view: the address space goes when that does
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _create_memfd(size: int) -> int:
    """Return a memory file of `size` bytes."""
    if sys.platform == "linux":
        try:
            fd = os.memfd_create("lbw-ram", os.MFD_CLOEXEC)
        except OSError as error:
            raise HostError(f"the host has no memfd_create: {error}") from error
        try:
            os.ftruncate(fd, size)
        except OSError as error:  # EFBIG: RLIMIT_FSIZE counts for memory files too
            os.close(fd)
            raise HostError(f"the host refuses {size >> 20} MB of sparse memory: {error}") from error
        return fd
    raise HostError("this host has no memory files")


def _address_of(mapping: mmap.mmap) -> int:
    """Return the host address of a writable mapping."""
    from ctypes import addressof, c_char

    return addressof(c_char.from_buffer(mapping))


def _map_anew(address: int, length: int) -> None:
    """Replace the range by fresh anonymous memory: what MADV_DONTNEED promises on Linux only."""
    if sys.platform != "win32":
        import ctypes

        function = ctypes.CDLL(None, use_errno=True).mmap
        function.restype = ctypes.c_void_p
        function.argtypes = (
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64,
        )  # fmt: skip
        fixed = 0x10  # MAP_FIXED, the same on Linux, macOS and the BSDs
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE | fixed
        result = function(address, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if result != address:
            raise HostError(f"the host refuses to take memory back: {os.strerror(ctypes.get_errno())}")
