"""Random sequences of memory operations, in the language of `chroot_fixtures/guests/fuzz/memory_model.c`.

Everything happens in a small arena, so that operations meet each other. The choices come from a `random.Random`, which
may be one of hypothesis'.
"""

from __future__ import annotations

from random import Random

PAGE = 4096
PAGES = 24

MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE = 1, 2, 3
MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN = 0x10, 0x20, 0x100
MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE, MAP_STACK, MAP_FIXED_NOREPLACE = 0x2000, 0x4000, 0x8000, 0x20000, 0x100000
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4

Program = list[str]


class Generator:
    """Makes programs; `families` of operations with their weights."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.started = {0}
        #: What most operations of this program are about: so that more than one hits the same thing.
        self.favourite = self.pick(self._file_numbers())
        self.focus = random.randrange(PAGES)
        self.families: list[tuple[int, object]] = [
            (14, self.mmap), (5, self.munmap), (8, self.mprotect), (7, self.mremap), (8, self.madvise),
            (2, self.brk), (3, self.msync), (1, self.mincore), (1, self.mlock), (20, self.touch),
            (8, self.file_io), (4, self.user_copy), (5, self.file_size), (4, self.fork), (2, self.code),
            (2, self.other_memory), (1, self.growing), (1, self.maps), (1, self.sync), (1, self.elsewhere),
        ]  # fmt: skip
        self.total = sum(weight for weight, _ in self.families)

    def pick(self, values):  # type: ignore[no-untyped-def]
        return values[self.random.randrange(len(values))]

    @staticmethod
    def _file_numbers() -> list[int]:
        return [0, 0, 3, 3, 5]

    # Operands

    def page(self) -> int:
        if self.random.randrange(3):
            return min(max(self.focus + self.random.randrange(-3, 4), 0), PAGES - 1)
        return self.random.randrange(PAGES)

    def place(self) -> str:
        """Return the address of a page, seldom an odd one."""
        odd = self.pick([1, 100, 4095]) if not self.random.randrange(40) else 0
        return str(self.page() * PAGE + odd)

    def spot(self) -> str:
        """Return the address of a byte."""
        return str(self.page() * PAGE + self.pick([0, 0, 1, 7, 100, 2048, 4090, 4095]))

    def length(self) -> int:
        count = self.pick([1, 1, 1, 2, 2, 3, 4, 5, 8, 12])
        return count * PAGE + (self.pick([-1, 1, -4095, 100]) if not self.random.randrange(12) else 0)

    def file(self) -> int:
        if self.random.randrange(4):
            return self.favourite
        return self.pick([0, 1, 2, 3, 4, 5, 6, 8, 0, 3, 5])

    def bytes(self) -> int:
        return self.pick([1, 2, 100, 4096, 4096, 5000, 8192, 10000, 20000])

    def offset(self) -> int:
        """Return an offset in a file."""
        return self.random.randrange(8) * PAGE + self.pick([0, 0, 0, 1, 50, 100, 101, 4000])

    def protection(self) -> int:
        return self.pick([0, 1, 1, 3, 3, 3, 3, 3, 2, 5, 7, 4, 6])

    def value(self) -> int:
        return self.random.randrange(1, 256)

    def process(self) -> int:
        return self.pick([0, 1, 2, 3])

    # Operations

    def mmap(self) -> str:
        kind = self.pick([MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED, MAP_SHARED_VALIDATE])
        how = self.pick([MAP_FIXED] * 12 + [MAP_FIXED_NOREPLACE, MAP_FIXED_NOREPLACE, 0])
        extra = self.pick([0] * 8 + [MAP_POPULATE, MAP_NORESERVE, MAP_STACK])
        if self.random.randrange(2):
            if kind == MAP_SHARED_VALIDATE:
                kind = MAP_PRIVATE
            flags, file, offset = kind | how | extra | MAP_ANONYMOUS, -1, 0
        else:
            file = self.pick([self.file(), self.file(), self.file(), 7])
            file = 5 if file == 6 else file  # what is copied from a mapping to the same bytes is nobody's promise
            if file == 7 and kind == MAP_PRIVATE:
                kind = MAP_SHARED  # lbw's private ones have no name
            flags = kind | how | extra & ~MAP_POPULATE
            offset = self.random.randrange(8) * PAGE if self.random.randrange(20) else self.pick([1, 2048, -PAGE])
        return f"m {self.place()} {self.length()} {self.protection()} {flags} {file} {offset}"

    def munmap(self) -> str:
        return f"u {self.place()} {self.length()}"

    def mprotect(self) -> str:
        return f"p {self.place()} {self.length()} {self.protection()}"

    def mremap(self) -> str:
        old = self.length()
        new = self.pick([old, self.length(), self.length(), self.length()])
        if not self.random.randrange(10):
            old = 0
        flags = self.pick([0, 0, 1, 3, 3, 3, 3, 3, 3, 5, 7, 2, 8])
        if flags & MREMAP_DONTUNMAP and self.random.randrange(6):
            new = old
        return f"M {self.place()} {old} {new} {flags} {self.place()}"

    def madvise(self) -> str:
        advice = self.pick([4, 4, 4, 4, 4, 9, 9, 9, 10, 10, 11, 18, 18, 18, 19, 22, 23, 0, 1, 2, 3, 16, 17, 20, 99, 24])
        return f"a {self.place()} {self.length()} {advice}"

    def brk(self) -> str:
        if not self.random.randrange(3):
            return f"{self.pick(['r', 'w', 'w'])} h{self.random.randrange(6) * PAGE} {self.value()}"
        return f"b h{self.pick([0, PAGE, 2 * PAGE, 3 * PAGE, 5 * PAGE, 100, 5000, -PAGE])}"

    def msync(self) -> str:
        return f"y {self.place()} {self.length()} {self.pick([0, 1, 2, 4, 4, 5, 6, 8])}"

    def mincore(self) -> str:
        return f"k {self.place()} {self.length()}"

    def mlock(self) -> str:
        range_ = f"{self.place()} {self.length()}"
        return self.pick([f"i {range_} {self.pick([0, 1, 2])}", f"j {range_}"])

    def touch(self) -> str:
        kind = self.random.randrange(6)
        if kind == 0:
            return f"s {self.page() * PAGE} {self.pick([1, 2, 4, 8])}"
        if kind == 1:
            return f"f {self.page() * PAGE} {self.pick([1, 1, 2, 4])} {self.value()}"
        if kind < 4:
            return f"w {self.spot()} {self.value()}"
        return f"r {self.spot()}"

    def code(self) -> str:
        at = self.page() * PAGE
        return self.pick([f"c {at} {self.value()}", f"x {at}", f"x {at}", f"p {at} {PAGE} 7"])

    def file_io(self) -> str:
        file = self.file()
        if self.random.randrange(2):
            return f"R {file} {self.offset()} {self.bytes()}"
        if not self.random.randrange(8):
            return f"C {file} {self.pick([6, 0, 3, 5])} {self.offset()} {self.bytes()}"
        return f"W {file} {self.offset()} {self.bytes()} {self.value()}"

    def user_copy(self) -> str:
        return f"{self.pick('IO')} {self.spot()} 6 {self.offset()} {self.bytes()}"

    def file_size(self) -> str:
        file = self.file() % 6  # not 6: what is left of a write that failed beyond its end is the file system's affair
        size = self.pick([0, 1, PAGE, PAGE + 1, 2 * PAGE, 10000, 5 * PAGE + 100, 7 * PAGE, 70000])
        kind = self.random.randrange(8)
        if kind < 4:
            return f"t {file} {size}"
        if kind == 4:
            return f"T {self.random.randrange(2)} {size}"
        if kind == 5:
            return f"o {file}"
        return f"g {file} {self.pick([0, 1, 3, 3, 3, 3])} {self.offset()} {self.bytes()}"

    def sync(self) -> str:
        return self.pick([f"n {self.file()}", f"z {self.file()}", f"G {self.pick([0, 3, 5])}"])

    def maps(self) -> str:
        return "V"

    def fork(self) -> str:
        process = self.pick([1, 2, 3])
        if process in self.started and not self.random.randrange(2):
            self.started.discard(process)
            return f"@{process} X"
        self.started.add(process)
        return f"F {process}"

    def other_memory(self) -> str:
        letter = self.pick("PQeE")
        return f"{letter} {self.process()} {self.spot()} {self.bytes()} {self.value()}"

    def growing(self) -> str:
        page = self.pick([600, 601, 602, 700])
        kind = self.random.randrange(4)
        if kind == 0:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED
            return f"m {page * PAGE} {2 * PAGE} 3 {flags} -1 0"
        if kind == 1:
            return f"m {(page - self.pick([1, 10, 256, 257, 300])) * PAGE} {PAGE} 3 50 -1 0"
        return f"w {(page - self.pick([1, 2, 5, 10, 20])) * PAGE + 8} {self.value()}"

    def elsewhere(self) -> str:
        kind = self.random.randrange(5)
        if kind == 0:
            return f"M {self.place()} {PAGE} {self.pick([2, 4]) * PAGE} 1 0"
        at = self.random.randrange(4) * PAGE
        return self.pick([f"s l{at} 1", f"w l{at} {self.value()}", f"p l{at} {PAGE} 1", f"r l{at}"])

    def operation(self) -> str:
        """Return one operation, by whatever process."""
        at = self.random.randrange(self.total)
        for weight, family in self.families:
            at -= weight
            if at < 0:
                line = family()  # type: ignore[operator]
                break
        if line[0] in "F@V" and not (line[0] == "F" and len(self.started) > 1):
            return line
        if len(self.started) > 1 and not self.random.randrange(2):
            process = self.pick(sorted(self.started))
            return line if process == 0 else f"@{process} {line}"
        if line[0] != "F" and not self.random.randrange(60):
            return f"v {line}"
        return line

    def program(self, size: int) -> Program:
        """Return a program of about `size` operations, which ends by looking at everything."""
        lines = [self.mmap() for _ in range(self.random.randrange(4))]
        lines += [self.operation() for _ in range(size)]
        return lines + final(lines)


def final(lines: Program) -> Program:
    """Return the operations that look at everything."""
    tail = []
    for process in ("", *sorted({line[:3] for line in lines if line[0] == "@"})):
        tail += [f"{process}V", f"{process}s 0 {PAGES + 8}", f"{process}s h0 5"]
    return [*tail, "G 0", "G 3", "G 5", "G 6"]
