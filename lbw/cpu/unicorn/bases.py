"""True segment bases on an engine that withholds them: single steps, and the thread cell on one that does not."""

from __future__ import annotations

from lbw.abi.x86 import TRACE_FLAG
from lbw.cpu.unicorn.context import UnicornContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.cpu.unicorn.parking import UpperHalf
    from lbw.cpu.unicorn.trap import UnicornTrap


class TrueBases:
    """The part of the engine that hands out the true bases."""

    parked: bool
    mirrored: bool
    upper: UpperHalf
    loaded: UnicornContext | None

    if TYPE_CHECKING:  # the engine has them

        def resume(self, context: Context) -> None:
            """Let the context run."""

        def wait(self) -> tuple[UnicornContext, UnicornTrap]:
            """Run the resumed context until its next trap."""

    def step(self, context: Context) -> UnicornTrap:
        """Run one instruction of `context` with its true bases; return the trap it ends with, #DB if all is well."""
        assert isinstance(context, UnicornContext)
        saved = context.flags
        context.flags = saved | TRACE_FLAG
        parked = context.swap_bases(context.fs_base, context.gs_base)
        self.resume(context)
        trap = self.wait()[1]
        context.swap_bases(*parked)
        context.flags = context.flags & ~TRACE_FLAG | saved & TRACE_FLAG
        return trap

    def show_bases(self) -> None:
        """Keep the bases of whatever runs in the thread cell from now on, also if the processor has them itself."""
        self.mirrored = not self.parked
        if self.mirrored and self.loaded is not None:
            self.upper.set_bases(self.loaded.fs_base, self.loaded.gs_base)
