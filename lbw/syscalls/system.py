"""The machine as programs see it: its names, memory, randomness, log.  man 2 uname, sysinfo, getrandom, syslog"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_SYS_ADMIN
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.fs import GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM
from lbw.abi.uname import MACHINE, MACHINE_32, PER_LINUX32, PER_MASK, READ_IMPLIES_EXEC, RELEASE, SYSNAME, VERSION
from lbw.syscalls.displays import InBuffer
from lbw.syscalls.parameters import Flags, Hex, Int, Out, OutBuffer, Size
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SECOND = 1_000_000_000
PAGE_SIZE = 4096
#: A host or domain name is at most this long (__NEW_UTS_LEN).
NAME_MAX = 64
#: struct new_utsname: six names.
UTSNAME = Struct("65s65s65s65s65s65s")
CPU = Struct("<I")
RANDOM_FLAGS = {GRND_NONBLOCK: "GRND_NONBLOCK", GRND_RANDOM: "GRND_RANDOM", GRND_INSECURE: "GRND_INSECURE"}
#: One call of getrandom gives at most this many bytes; it may always give less than asked for.
RANDOM_MAX = 33554431
#: The highest action of syslog(2).
SYSLOG_LAST = 10
PERSONALITY_QUERY = 0xFFFFFFFF


@syscall("uname", Out("buf"))
def uname(task: Task, buf: int) -> int:
    """Store the names of the system.  man 2 uname"""
    task.memory.store(buf, UTSNAME, *names_of_system(task))
    return 0


def names_of_system(task: Task) -> tuple[bytes, ...]:
    """Return system, host, release, version, machine and domain; the machine is what the personality makes of it."""
    kernel = task.kernel
    machine = MACHINE_32 if task.process.personality & PER_MASK == PER_LINUX32 else MACHINE
    return SYSNAME, kernel.hostname, RELEASE, VERSION, machine, kernel.domainname


def read_name(task: Task, name: int, length: int) -> bytes:
    """Return a host or domain name that root sets.  EPERM, EINVAL: too long"""
    if not task.credentials.capable(CAP_SYS_ADMIN):
        raise LinuxError(EPERM)
    if not 0 <= length <= NAME_MAX:
        raise LinuxError(EINVAL)
    return task.memory.read(name, length).partition(b"\0")[0] if length else b""


@syscall("sethostname", InBuffer("name", 1), Int("len"))
def sethostname(task: Task, name: int, length: int) -> int:
    """Set the host name.  man 2 sethostname: EPERM, EINVAL"""
    task.kernel.hostname = read_name(task, name, length)
    return 0


@syscall("setdomainname", InBuffer("name", 1), Int("len"))
def setdomainname(task: Task, name: int, length: int) -> int:
    """Set the NIS domain name.  man 2 setdomainname: EPERM, EINVAL"""
    task.kernel.domainname = read_name(task, name, length)
    return 0


@syscall("sysinfo", Out("info"), support=PARTIAL, note="the load averages are 0; /proc/loadavg has them")
def sysinfo(task: Task, info: int) -> int:
    """Store uptime, memory in bytes and the number of tasks.  man 2 sysinfo"""
    kernel = task.kernel
    uptime = (kernel.clock.monotonic() - kernel.clock.boot) // SECOND
    frames = kernel.frames
    pages = (frames.limit, frames.available, frames.shared.pages)
    unit = 1 if frames.limit * PAGE_SIZE >> 8 * task.abi.word == 0 else PAGE_SIZE
    memory = (*(count * PAGE_SIZE // unit for count in pages), 0, 0, 0)
    task.memory.store(info, task.abi.sysinfo, uptime, 0, 0, 0, *memory, len(kernel.tasks), 0, 0, 0, unit)
    return 0


@syscall("getrandom", OutBuffer("buf"), Size("count"), Flags("flags", RANDOM_FLAGS))
def getrandom(task: Task, buf: int, count: int, flags: int) -> int:
    """Fill a buffer with random bytes; return how many. Never blocks.  man 2 getrandom: EINVAL, EFAULT"""
    both = GRND_RANDOM | GRND_INSECURE
    if flags & ~(both | GRND_NONBLOCK) or flags & both == both:
        raise LinuxError(EINVAL)
    done = 0
    if count:
        for view in task.memory.views(buf, min(count, RANDOM_MAX), True):
            view[:] = task.kernel.random(len(view))
            done += len(view)
    return done


@syscall("getcpu", Out("cpu"), Out("node"), Hex("cache"))
def getcpu(task: Task, cpu: int, node: int, cache: int) -> int:
    """Store the number of the processor and of its memory node: there is one of each.  man 2 getcpu"""
    for address in (cpu, node):
        if address:
            task.memory.store(address, CPU, 0)
    return 0


@syscall("syslog", Int("type"), Hex("bufp"), Int("len"), support=PARTIAL, note="the kernel's log is nobody's to read")
def syslog(task: Task, type: int, bufp: int, length: int) -> int:
    """Refuse access to the kernel's log, as a container does.  man 2 syslog: EINVAL, EPERM"""
    raise LinuxError(EPERM if 0 <= type <= SYSLOG_LAST else EINVAL)


@syscall("personality", Hex("persona"), support=PARTIAL, note="PER_LINUX32 and READ_IMPLIES_EXEC have an effect")
def personality(task: Task, persona: int) -> int:
    """Set the execution domain; return the old one.  man 2 personality"""
    old, persona = task.process.personality, persona & 0xFFFFFFFF
    if persona != PERSONALITY_QUERY:
        task.process.personality = persona
        task.memory.implies_exec = bool(persona & READ_IMPLIES_EXEC)
    return old
