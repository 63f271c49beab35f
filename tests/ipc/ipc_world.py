"""What IPC objects need of a kernel, made up."""

from __future__ import annotations

from types import SimpleNamespace

from lbw.abi.errno import LinuxError
from lbw.mm.overcommit import Commitment
from lbw.mm.shared_account import SharedMemoryAccount
from lbw.vfs.credentials import Credentials

ROOT = Credentials()
USER = Credentials(1000, 1000)
STRANGER = Credentials(2000, 2000, (3000,))


class Around:
    """Time and caller are what a test sets; memory is counted."""

    def __init__(self) -> None:
        self.time = 1000
        self.number = 10
        self.who = ROOT
        self.allowance = 1 << 62
        self.allocated = 0
        self.frames = SimpleNamespace(
            limit=1 << 20, allocate=self.allocate, drop=self.drop, drop_many=self.drop_many, view=memoryview(b""),
            shared=SharedMemoryAccount(),
        )  # fmt: skip
        self.frames.commitment = Commitment(self.frames)

    def allocate(self) -> int:
        self.allocated += 1
        return self.allocated << 12

    def drop(self, frame: int) -> None:
        self.allocated -= 1

    def drop_many(self, frames: list[int]) -> None:
        self.allocated -= len(frames)

    def now(self) -> int:
        return self.time

    def pid(self) -> int:
        return self.number

    def caller(self) -> tuple[Credentials, int]:
        return self.who, self.allowance


def failure(action) -> int:
    """Return the errno with which `action` fails, 0 when it does not."""
    try:
        action()
    except LinuxError as error:
        return error.errno
    return 0
