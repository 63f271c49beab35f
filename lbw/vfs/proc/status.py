"""Figures of a task as text: stat, status, limits.  man 5 proc; formats of Linux' fs/proc/array.c and base.c"""

from __future__ import annotations

from lbw.abi.resource import RLIM_INFINITY
from lbw.abi.sched import SCHED_DEADLINE
from lbw.cpu.contracts import PAGE
from lbw.vfs.proc.inspect import may_inspect
from lbw.vfs.proc.sizes import Sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.process import TaskEntry
    from lbw.vfs.proc.source import TaskStatus

TICK = 10_000_000  # ns of a clock tick (sysconf(_SC_CLK_TCK) is 100)
PF_RANDOMIZE = 0x400000
STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "disk sleep",
    "T": "stopped",
    "t": "tracing stop",
    "Z": "zombie",
    "X": "dead",
}
_31_BITS = 0x7FFFFFFF


def priority(now: TaskStatus) -> int:
    """Return the priority that the kernel goes by: 0 to 39, below that for what is due at once."""
    if now.real_time_priority:
        return -1 - now.real_time_priority
    return -101 if now.policy == SCHED_DEADLINE else 20 + now.nice


def stat(entry: TaskEntry) -> bytes:
    """Return the 52 fields of /proc/PID/stat. Addresses are 0 for those who may not look into the task."""
    view = entry.view
    now = view.status()
    sizes = Sizes(view)
    memory = view.memory
    allowed = may_inspect(entry.source, view)
    code = (sizes.start_code, sizes.end_code) if allowed else (0, 0)
    data = (sizes.start_data, sizes.end_data) if allowed else (0, 0)
    layout = (
        (memory.start_brk, memory.arg_start, memory.arg_end, memory.env_start, memory.env_end)
        if memory is not None and allowed
        else (0,) * 5
    )
    fields: list[object] = [
        now.state, now.parent, now.group, now.session, now.terminal, now.foreground_group, 0,
        now.minor_faults, now.child_minor_faults, now.major_faults, now.child_major_faults,
        now.user_time // TICK, now.system_time // TICK, now.child_user_time // TICK, now.child_system_time // TICK,
        priority(now), now.nice, now.thread_count, 0, now.start_time // TICK,
        sizes.total * PAGE, sizes.resident, RLIM_INFINITY, *code,
        memory.start_stack if memory is not None and allowed else 0, 0, 0,
        now.pending & _31_BITS, now.blocked & _31_BITS, now.ignored & _31_BITS, now.caught & _31_BITS,
        int(now.state not in "RXZ") if allowed else 0, 0, 0, now.exit_signal, 0, now.real_time_priority,
        now.policy, 0, 0, 0, *data, *layout, now.exit_status if allowed else 0,
    ]  # fmt: skip
    return b"%d (%s) %s\n" % (view.tid, view.comm, " ".join(map(str, fields)).encode())


def _escape(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def status(entry: TaskEntry) -> bytes:
    """Return /proc/PID/status."""
    view = entry.view
    now = view.status()
    who = view.credentials
    lines: list[str] = []

    def line(label: str, *values: object) -> None:
        lines.append(f"{label}:\t" + "\t".join(map(str, values)))

    def kilobytes(label: str, pages: int) -> None:
        lines.append(f"{label}:\t{pages * (PAGE // 1024):8d} kB")

    if view.fs is not None:
        line("Umask", f"{view.fs.umask:04o}")
    line("State", f"{now.state} ({STATES[now.state]})")
    line("Tgid", view.pid)
    line("Ngid", 0)
    line("Pid", view.tid)
    line("PPid", now.parent)
    line("TracerPid", 0)
    line("Uid", who.ruid, who.euid, who.suid, who.fsuid)
    line("Gid", who.rgid, who.egid, who.sgid, who.fsgid)
    files = view.files
    line("FDSize", files.size if files is not None else 0)
    line("Groups", " ".join([*map(str, who.groups), ""]) or " ")
    line("NStgid", view.pid)
    line("NSpid", view.tid)
    line("NSpgid", now.group)
    line("NSsid", now.session)
    line("Kthread", 0)
    memory = view.memory
    if memory is not None:
        sizes = Sizes(view)
        kilobytes("VmPeak", sizes.most)
        kilobytes("VmSize", sizes.total)
        kilobytes("VmLck", memory.locked_pages)
        kilobytes("VmPin", 0)
        kilobytes("VmHWM", sizes.peak)
        kilobytes("VmRSS", sizes.resident)
        kilobytes("RssAnon", sizes.anonymous)
        kilobytes("RssFile", sizes.file)
        kilobytes("RssShmem", sizes.shared)
        kilobytes("VmData", sizes.data)
        kilobytes("VmStk", sizes.stack)
        kilobytes("VmExe", sizes.text)
        kilobytes("VmLib", max(sizes.executable - sizes.text, 0))
        kilobytes("VmPTE", sizes.tables)
        kilobytes("VmSwap", 0)
        kilobytes("HugetlbPages", 0)
        line("CoreDumping", 0)
        line("THP_enabled", 0)
    line("Threads", now.thread_count)
    pending_limit = next((soft for name, soft, _, _ in view.limits() if name == "Max pending signals"), 0)
    line("SigQ", f"{now.queued_signals}/{pending_limit}")
    for label, mask in (
        ("SigPnd", now.pending), ("ShdPnd", now.shared_pending), ("SigBlk", now.blocked), ("SigIgn", now.ignored),
        ("SigCgt", now.caught), ("CapInh", who.inheritable), ("CapPrm", who.permitted), ("CapEff", who.effective),
        ("CapBnd", who.bounding), ("CapAmb", who.ambient),
    ):  # fmt: skip
        line(label, f"{mask:016x}")
    line("NoNewPrivs", int(now.no_new_privileges))
    line("Seccomp", 0)
    line("Seccomp_filters", 0)
    line("Cpus_allowed", 1)
    line("Cpus_allowed_list", 0)
    line("Mems_allowed", 1)
    line("Mems_allowed_list", 0)
    line("voluntary_ctxt_switches", now.voluntary_switches)
    line("nonvoluntary_ctxt_switches", now.involuntary_switches)
    return b"Name:\t" + _escape(view.comm) + b"\n" + "\n".join(lines).encode() + b"\n"


def limits(entry: TaskEntry) -> bytes:
    """Return /proc/PID/limits."""

    def show(value: int) -> str:
        return "unlimited" if value == RLIM_INFINITY else str(value)

    rows = [("Limit", "Soft Limit", "Hard Limit", "Units")]
    rows += [(name, show(soft), show(hard), unit) for name, soft, hard, unit in entry.view.limits()]
    return "".join([f"{name:25} {soft:20} {hard:20} {unit:10}\n" for name, soft, hard, unit in rows]).encode()
