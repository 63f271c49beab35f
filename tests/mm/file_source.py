"""A file that exists in a test only, as the page cache sees it; it can fail where a host can."""

from __future__ import annotations

from lbw.abi.errno import LinuxError


class FileSource:
    """Bytes with a stamp. Tests change them directly, as somebody else on the host would."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.time = 1  # of the last modification
        self.opened = 0  # 0, 1, or 2 when it is open for writing
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.syncs = 0
        self.read_error = 0
        self.write_error = 0
        self.room = -1  # bytes that may be written before ENOSPC; -1: any

    def change(self, offset: int, data: bytes) -> None:
        """Write as somebody else on the host."""
        self.data[offset : offset + len(data)] = data
        self.time += 1

    def stamp(self) -> tuple[int, int, int]:
        return len(self.data), self.time, self.time

    def is_deleted(self) -> bool:
        return False

    def open(self, writable: bool) -> None:
        self.opened = max(self.opened, 1 + writable)

    def close(self) -> None:
        assert self.opened
        self.opened = 0

    def read_at(self, views: list[memoryview], offset: int) -> int:
        if self.read_error:
            raise LinuxError(self.read_error)
        done = 0
        for view in views:
            chunk = self.data[offset + done : offset + done + len(view)]
            view[: len(chunk)] = chunk
            done += len(chunk)
        self.reads.append((offset, done))
        return done

    def write_at(self, views: list[memoryview], offset: int) -> int:
        assert self.opened == 2
        data = b"".join(views)
        if self.write_error:
            raise LinuxError(self.write_error)
        if self.room >= 0:
            data = data[: self.room]
            if not data:
                raise LinuxError(28)
            self.room -= len(data)
        self.data[offset : offset + len(data)] = data
        self.time += 1
        self.writes.append((offset, len(data)))
        return len(data)

    def sync(self, data_only: bool) -> None:
        self.syncs += 1

    def punch(self, offset: int, length: int) -> None:
        end = min(offset + length, len(self.data))
        self.data[offset:end] = bytes(max(0, end - offset))
        self.time += 1

    def modified_at(self, time: int) -> None:
        pass
