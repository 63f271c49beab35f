"""lbw runs unmodified Linux programs anywhere Python runs: it is the kernel.

    from lbw import Machine, PIPE

    result = Machine(root="/srv/debian").run(["/bin/ls", "-l"], stdout=PIPE)
    print(result.status, result.stdout)

Everything public is here; see `lbw.errors` for what can be raised.
"""

from __future__ import annotations

from lbw.version import VERSION as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.errors import LbwError as LbwError
    from lbw.faults.rewrite import RewriteResult as RewriteResult
    from lbw.faults.rewrite import rewrite_elf as rewrite_elf
    from lbw.machine import Bind as Bind
    from lbw.machine import Machine as Machine
    from lbw.machine import Result as Result
    from lbw.machine.sites import SegmentSite as SegmentSite
    from lbw.machine.streams import DEVNULL as DEVNULL
    from lbw.machine.streams import PIPE as PIPE
    from lbw.machine.streams import STDOUT as STDOUT

__all__ = [
    "Machine", "Result", "Bind", "SegmentSite", "PIPE", "DEVNULL", "STDOUT", "LbwError", "rewrite_elf", "RewriteResult",
    "__version__",
]  # fmt: skip

_HOMES = {
    "Machine": "lbw.machine", "Result": "lbw.machine", "Bind": "lbw.machine", "LbwError": "lbw.errors",
    "PIPE": "lbw.machine.streams", "DEVNULL": "lbw.machine.streams", "STDOUT": "lbw.machine.streams",
    "SegmentSite": "lbw.machine.sites",
    "rewrite_elf": "lbw.faults.rewrite", "RewriteResult": "lbw.faults.rewrite",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Import public names when they are first used: `import lbw` alone costs nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lbw' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
