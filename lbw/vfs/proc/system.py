"""The machine as text: stat, uptime, loadavg, version, ...  man 5 proc"""

from __future__ import annotations

from lbw.abi.stat import S_IFBLK, S_IFCHR
from lbw.vfs.proc import meminfo
from lbw.vfs.proc.cpuinfo import cpuinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.proc.source import ProcSource

TICK = 10_000_000  # ns
SECOND = 1_000_000_000

#: File systems that lbw has, as it names them; a host directory shows itself as ext4.
FILE_SYSTEMS = (
    "nodev\ttmpfs", "nodev\tproc", "nodev\tdevtmpfs", "nodev\tpipefs", "nodev\tmqueue", "nodev\toverlay", "\text4",
)  # fmt: skip


def stat(source: ProcSource) -> bytes:
    """Return /proc/stat."""
    now = source.status()
    times = f"{now.user_time // TICK} 0 {now.system_time // TICK} {now.idle_time // TICK} 0 0 0 0 0 0"
    return (
        f"cpu  {times}\ncpu0 {times}\nintr {now.interrupts}\nctxt {now.context_switches}\n"
        f"btime {now.boot_time // SECOND}\nprocesses {now.forks}\nprocs_running {now.running}\nprocs_blocked 0\n"
        f"softirq 0 0 0 0 0 0 0 0 0 0 0\n"
    ).encode()


def uptime(source: ProcSource) -> bytes:
    """Return seconds since boot, and seconds idle."""
    now = source.status()
    hundredths = SECOND // 100
    parts = []
    for time in (now.uptime, now.idle_time):
        parts.append(b"%d.%02d" % divmod(time // hundredths, 100))
    return b" ".join(parts) + b"\n"


def loadavg(source: ProcSource) -> bytes:
    """Return the load averages, runnable/existing threads and the last pid."""
    now = source.status()
    one, five, fifteen = now.load
    return f"{one:.2f} {five:.2f} {fifteen:.2f} {now.running}/{now.tasks} {now.last_pid}\n".encode()


def version(source: ProcSource) -> bytes:
    """Return what kernel this is."""
    sysname, _, release, build, _, _ = source.uname()
    return b"%s version %s (lbw) (python) %s\n" % (sysname, release, build)


def file_systems(source: ProcSource) -> bytes:
    """Return the file system types."""
    return "".join([f"{line}\n" for line in FILE_SYSTEMS]).encode()


def kernel_command_line(source: ProcSource) -> bytes:
    """Return the kernel's command line: empty, it has none."""
    return b"\n"


def devices(source: ProcSource) -> bytes:
    """Return the major numbers of the drivers."""
    text = ""
    for title, kind in (("Character devices:\n", S_IFCHR), ("\nBlock devices:\n", S_IFBLK)):
        text += title
        for major, names in sorted(source.devices.majors[kind].items()):
            text += "".join([f"{major:3d} {name}\n" for name in names])
    return text.encode()


def partitions(source: ProcSource) -> bytes:
    """Return the block devices: none."""
    return b""


def swaps(source: ProcSource) -> bytes:
    """Return the swap areas: none."""
    return b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


TEXTS: dict[bytes, Callable[[ProcSource], bytes]] = {
    **meminfo.TEXTS,
    b"cmdline": kernel_command_line,
    b"cpuinfo": lambda source: cpuinfo(source.identity),
    b"devices": devices,
    b"filesystems": file_systems,
    b"loadavg": loadavg,
    b"partitions": partitions,
    b"stat": stat,
    b"swaps": swaps,
    b"uptime": uptime,
    b"version": version,
}
