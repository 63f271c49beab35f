"""Running code on an engine without a kernel."""

from __future__ import annotations

from lbw.cpu.contracts import PAGE_FAULT
from lbw.cpu.unicorn.context import UnicornContext
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.cpu.unicorn.trap import UnicornTrap
from lbw.mm.address_space import AddressSpace


def next_trap(engine: UnicornEngine, context: UnicornContext, space: AddressSpace) -> UnicornTrap:
    """Run until a trap that is no page fault; those are served."""
    while True:
        engine.resume(context)
        _, trap = engine.wait()
        if trap.kind != PAGE_FAULT:
            return trap
        space.fault(trap.address, trap.error_code)
