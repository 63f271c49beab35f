"""Calls that programs try on every start and do well without: lbw answers as a Linux that was built without them."""

from __future__ import annotations

from lbw.abi.errno import EAFNOSUPPORT, ENOSYS, LinuxError
from lbw.syscalls.parameters import Hex, Int, Pointer, UInt
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall(
    "rseq", Pointer("rseq"), UInt("length"), Int("flags"), Hex("signature"),
    support=PARTIAL, note="ENOSYS, as without CONFIG_RSEQ",
)  # fmt: skip
def rseq(task: Task, area: int, length: int, flags: int, signature: int) -> int:
    """Refuse restartable sequences; the C library then takes its other paths.  ENOSYS"""
    raise LinuxError(ENOSYS)


@syscall(
    "socket", Int("domain"), Int("type"), Int("protocol"),
    support=PARTIAL, note="EAFNOSUPPORT: there are no address families yet",
)  # fmt: skip
def socket(task: Task, domain: int, kind: int, protocol: int) -> int:
    """Refuse every address family.  EAFNOSUPPORT"""
    raise LinuxError(EAFNOSUPPORT)
