"""The board: guest memory, the processor on it, and the caches that outlive a run."""

from __future__ import annotations

import os
from functools import partial

from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.faults.path import BASE, PATCH, FaultPath
from lbw.faults.template_store import TemplateStore
from lbw.host.dirs import cache_dir
from lbw.host.memory import GRANULE, Ram
from lbw.loader.images import Images
from lbw.loader.load import Hardware
from lbw.loader.store import ImageStore
from lbw.loader.vdso.image import Vdso
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses
from lbw.mm.page_cache import PageCache
from lbw.mm.reclaim import unmapped, watermark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi

#: Free frames in granules that are partly in use can be so many that no whole granule is left, which some need: so much
#: more is reserved (and committed only then), as a part of all memory.
_SLACK = 4
#: ABIs that programs may have.
ABIS = (X86_64, I386)


class Board:
    """Memory, processor, page cache."""

    def __init__(self, memory: int, segments: str = PATCH, predictable: bool = False) -> None:
        """Make a board with `memory` bytes and the fault path in mode `segments`.  HostError, EngineError

        `predictable`: the processor has no time-stamp counter and no random numbers.
        """
        size = (memory + GRANULE - 1) & -GRANULE
        self.ram = Ram(size + size // _SLACK & -GRANULE)
        self.frames = Frames(self.ram, size)
        self.page_cache = PageCache(self.frames, size // 2)
        self.frames.reclaim = partial(unmapped, self.frames, self.page_cache)
        self.frames.minimum = watermark(self.frames.limit)
        self.frames.relieved()
        self.engine = UnicornEngine(self.ram, self.frames, parked=segments != BASE, predictable=predictable)
        self.templates = TemplateStore(os.path.join(cache_dir(), "fragments"))
        self.faults = FaultPath(self.engine, self.frames, ABIS, segments, self.templates)
        self.homes = HomeAddresses()
        self.images = Images(ABIS, ImageStore(os.path.join(cache_dir(), "images")))
        self.vdso = Vdso(self.frames)
        self.hardware = Hardware(self.engine.identity, vdso=self.vdso)

    def create_memory(self, abi: Abi) -> AddressSpace:
        """Return an empty address space.  LinuxError(ENOMEM)"""
        return AddressSpace(self.engine.create_mmu(), self.frames, self.homes, abi, self.faults.fragments.hidden[abi])

    def close(self) -> None:
        """Give the memory back to the host."""
        self.frames.shared.closed = True
        self.vdso.close()
        self.templates.close()
        self.faults.close()
        self.engine.close()
        self.ram.close()
