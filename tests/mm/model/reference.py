"""What memory is, byte by byte, without frames, tables or copies on write: the reference of the model test.

A process is a dictionary of pages: who may do what, where the bytes are. Objects (files, shared memory) are byte
arrays. A private page has bytes of its own once it was written to.
"""

from __future__ import annotations

PAGE = 4096
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
#: What an access may be answered with instead of bytes.
MAPERR, ACCERR, BUS = "no mapping", "no access", "beyond the end"


class Object:
    """A file, or shared memory of fixed size."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def page(self, number: int) -> bytes | None:
        """Return the bytes of a page; None: it is beyond the end."""
        if number * PAGE >= len(self.data):
            return None
        return bytes(self.data[number * PAGE : (number + 1) * PAGE]).ljust(PAGE, b"\0")


class Page:
    """A page of a process."""

    def __init__(self, prot: int, shared: bool, thing: Object | None, number: int) -> None:
        self.prot = prot
        self.shared = shared
        self.thing = thing
        self.number = number  # in `thing`
        self.own: bytearray | None = None  # private bytes
        self.wiped = self.left = False  # MADV_WIPEONFORK, MADV_DONTFORK

    def copy(self) -> Page:
        """Return the page as a child has it."""
        child = Page(self.prot, self.shared, self.thing, self.number)
        child.own = None if self.own is None or self.wiped else bytearray(self.own)
        child.wiped, child.left = self.wiped, self.left
        return child


class Process:
    """An address space; addresses are page numbers."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}

    def map(self, at: int, count: int, prot: int, shared: bool, thing: Object | None, number: int) -> None:
        """Map pages, over whatever there is."""
        for index in range(count):
            self.pages[at + index] = Page(prot, shared, thing, number + index)

    def unmap(self, at: int, count: int) -> None:
        for number in range(at, at + count):
            self.pages.pop(number, None)

    def protect(self, at: int, count: int, prot: int) -> bool:
        """Change rights up to the first hole; False: there is one."""
        for number in range(at, at + count):
            if number not in self.pages:
                return False
            self.pages[number].prot = prot
        return True

    def discard(self, at: int, count: int) -> bool:
        """MADV_DONTNEED."""
        for number in range(at, at + count):
            if number in self.pages:
                self.pages[number].own = None
        return all(number in self.pages for number in range(at, at + count))

    def move(self, old: int, count: int, new: int, length: int, stays: bool) -> None:
        """Move pages, and map `length` at the new place; `stays`: the old mapping stays, empty (MREMAP_DONTUNMAP)."""
        moved = [self.pages[old + index] for index in range(count)]
        self.unmap(new, length)
        last = moved[-1]
        for index in range(length):
            if index < count:
                page = moved[index]
                if stays:
                    left = self.pages[old + index] = page.copy()
                    left.own = None
                elif old + index in self.pages:
                    del self.pages[old + index]
            else:
                page = Page(last.prot, last.shared, last.thing, last.number + index - count + 1)
                page.wiped, page.left = last.wiped, last.left
            self.pages[new + index] = page
        for number in range(old + length, old + count):
            self.pages.pop(number, None)

    def fork(self) -> Process:
        child = Process()
        child.pages = {number: page.copy() for number, page in self.pages.items() if not page.left}
        return child

    def read(self, number: int, prot: int = PROT_READ) -> bytes | str:
        """Return the bytes of a page, or why not."""
        page = self.pages.get(number)
        if page is None:
            return MAPERR
        if not (page.prot if prot == PROT_READ else page.prot & prot):
            return ACCERR
        if page.own is not None:
            return bytes(page.own)
        if page.thing is None:
            return bytes(PAGE)
        return page.thing.page(page.number) or BUS

    def write(self, number: int, at: int, data: bytes) -> str | None:
        """Store within a page; return why not."""
        found = self.read(number, PROT_WRITE)
        if isinstance(found, str):
            return found
        page = self.pages[number]
        if page.shared and page.thing is not None:
            start = page.number * PAGE + at
            end = min(start + len(data), len(page.thing.data))
            if start < end:  # what is stored behind the end of a file is not in the file
                page.thing.data[start:end] = data[: end - start]
        else:
            if page.own is None:
                page.own = bytearray(found)
            page.own[at : at + len(data)] = data
        return None

    def truncated(self, thing: Object) -> None:
        """Private copies of what an object no longer has are gone too."""
        for page in self.pages.values():
            if page.thing is thing and page.number * PAGE >= len(thing.data):
                page.own = None
