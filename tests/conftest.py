"""Fixtures that several areas share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lbw.abi.x86_64 import X86_64
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.host.memory import Ram
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses
from lbw.mm.page_cache import PageCache

#: No test asserts a time, hypothesis neither; CI runs the same examples every time.
settings.register_profile("lbw", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "lbw")


class Bench:
    """A processor with memory and no kernel."""

    def __init__(self, size: int, limit: int | None = None) -> None:
        self.ram = Ram(size)
        self.frames = Frames(self.ram, limit)
        self.engine = UnicornEngine(self.ram, self.frames, code_cache=16 << 20)
        self.page_cache = PageCache(self.frames, size // 2)
        self.homes = HomeAddresses()

    def space(self) -> AddressSpace:
        """Return an empty address space."""
        return AddressSpace(self.engine.create_mmu(), self.frames, self.homes, X86_64)

    def close(self) -> None:
        self.engine.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A processor with 64 MB."""
    bench = Bench(64 << 20)
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def debian_root() -> Path:
    """The Debian root that tests run programs of, and never write to: LBW_TEST_ROOT, else the default root."""
    named = os.environ.get("LBW_TEST_ROOT")
    if named:
        return Path(named)
    from lbw.chroot.default import default_root

    return default_root()
