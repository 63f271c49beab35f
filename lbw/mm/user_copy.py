"""User copies: the kernel's access to guest memory.

Page by page through the Mmu, faulting pages in as the guest's own access would; LinuxError(EFAULT) on a bad address,
ENOMEM when memory has run out. Bulk data moves through `views`, slices of guest memory itself, so that a read from a
host file goes straight to its place. A view is valid until the next `await`: afterwards the page may be another's.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EFAULT, ENAMETOOLONG, ENOMEM, LinuxError
from lbw.cpu.contracts import PAGE, PF_USER, PF_WRITE
from lbw.mm.faults import SegmentationFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lbw.cpu.mmu import Mmu

PATH_MAX = 4096
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")


class UserMemory:
    """Byte access to an address space; `AddressSpace` adds the mappings."""

    mmu: Mmu
    pointer: Struct

    def fault(self, address: int, error_code: int) -> None:
        """Make a page present or raise SegmentationFault."""
        raise NotImplementedError

    def _page(self, address: int, length: int, write: bool) -> memoryview:
        """Return a view of bytes within one page, faulted in.  EFAULT"""
        for _ in range(3):  # a fault can be answered with a page that needs another one: read, then write
            try:
                self.fault(address, PF_USER | PF_WRITE if write else PF_USER)
            except SegmentationFault:
                break
            view = self.mmu.view(address, length, write)
            if view is not None:
                return view
        raise LinuxError(EFAULT)

    def _reason(self, address: int, write: bool) -> LinuxError:
        """Return why a copy has ended at `address`: EFAULT, or ENOMEM."""
        try:
            self._page(address, 1, write)
        except LinuxError as error:
            return error
        return LinuxError(ENOMEM)  # it had run out, but there is some again

    def views(self, address: int, length: int, write: bool) -> list[memoryview]:
        """Return guest memory as views of at most a page, `length` bytes in all or up to the first bad page.

        EFAULT: not even one byte is accessible
        """
        view = self.mmu.view
        result: list[memoryview] = []
        while length > 0:
            chunk = PAGE - (address & 4095)
            if chunk > length:
                chunk = length
            part = view(address, chunk, write)
            if part is None:
                try:
                    part = self._page(address, chunk, write)
                except LinuxError:
                    if result:
                        break
                    raise
            result.append(part)
            address += chunk
            length -= chunk
        return result

    def vector_views(self, iov: list[tuple[int, int]], write: bool) -> list[memoryview]:
        """Return the views of several (address, length) areas, up to the first bad page.  EFAULT: nothing accessible"""
        result: list[memoryview] = []
        for address, length in iov:
            if not length:
                continue
            try:
                part = self.views(address, length, write)
            except LinuxError:
                if result:
                    break
                raise
            result += part
            if sum(map(len, part)) < length:
                break
        return result

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes.  EFAULT"""
        if (address & 4095) + length <= PAGE:
            if not length:
                return b""
            return (self.mmu.view(address, length, False) or self._page(address, length, False)).tobytes()
        views = self.views(address, length, False)
        data = b"".join(views)
        if len(data) < length:
            raise self._reason(address + len(data), False)
        return data

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`.  EFAULT: some of it may be written"""
        length = len(data)
        if (address & 4095) + length <= PAGE:
            if length:
                (self.mmu.view(address, length, True) or self._page(address, length, True))[:] = data
            return
        done = 0
        for view in self.views(address, length, True):
            view[:] = data[done : done + len(view)]
            done += len(view)
        if done < length:
            raise self._reason(address + done, True)

    def read_cstring(self, address: int, limit: int) -> bytes:
        """Return the bytes before the NUL, at most `limit` of them.  EFAULT"""
        parts = []
        left = limit
        while left > 0:
            chunk = min(PAGE - (address & 4095), left)
            view = self.mmu.view(address, chunk, False) or self._page(address, chunk, False)
            data = view.tobytes()
            end = data.find(0)
            if end >= 0:
                parts.append(data[:end])
                break
            parts.append(data)
            address += chunk
            left -= chunk
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_path(self, address: int) -> bytes:
        """Return a path.  EFAULT, ENAMETOOLONG: 4096 bytes or more with its NUL"""
        path = self.read_cstring(address, PATH_MAX)
        if len(path) >= PATH_MAX:
            raise LinuxError(ENAMETOOLONG)
        return path

    def load(self, address: int, layout: Struct) -> tuple[Any, ...]:
        """Return a structure, unpacked.  EFAULT"""
        return layout.unpack(self.read(address, layout.size))

    def store(self, address: int, layout: Struct, *values: Any) -> None:
        """Pack and write a structure.  EFAULT"""
        self.write(address, layout.pack(*values))

    # Single integers, little endian, unsigned

    def read_u8(self, address: int) -> int:
        """Return a byte.  EFAULT"""
        return self.read(address, 1)[0]

    def read_u16(self, address: int) -> int:
        """Return a 16-bit word.  EFAULT"""
        return int.from_bytes(self.read(address, 2), "little")

    def read_u32(self, address: int) -> int:
        """Return a 32-bit word.  EFAULT"""
        return int.from_bytes(self.read(address, 4), "little")

    def read_u64(self, address: int) -> int:
        """Return a 64-bit word.  EFAULT"""
        return int.from_bytes(self.read(address, 8), "little")

    def write_u8(self, address: int, value: int) -> None:
        """Write a byte.  EFAULT"""
        self.write(address, bytes((value & 0xFF,)))

    def write_u16(self, address: int, value: int) -> None:
        """Write a 16-bit word.  EFAULT"""
        self.write(address, _U16.pack(value & 0xFFFF))

    def write_u32(self, address: int, value: int) -> None:
        """Write a 32-bit word.  EFAULT"""
        self.write(address, _U32.pack(value & 0xFFFF_FFFF))

    def write_u64(self, address: int, value: int) -> None:
        """Write a 64-bit word.  EFAULT"""
        self.write(address, _U64.pack(value & 0xFFFF_FFFF_FFFF_FFFF))

    def read_pointer(self, address: int) -> int:
        """Return a pointer-sized word of the ABI.  EFAULT"""
        return int(self.load(address, self.pointer)[0])

    def write_pointer(self, address: int, value: int) -> None:
        """Write a pointer-sized word of the ABI.  EFAULT"""
        self.store(address, self.pointer, value)
