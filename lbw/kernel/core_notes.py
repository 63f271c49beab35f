"""The notes of a core file: what debuggers want to know beside memory.

First the thread that got the signal, with what concerns the whole process behind its status, then the others.
Registers are those that the thread would go on with; a thread that waits in a system call shows, as on Linux, the
number of the call in ORIG_RAX and how the call would go on in RAX.
"""

from __future__ import annotations

from lbw.abi.elf_core import (
    CORE,
    LAYOUTS,
    LINUX,
    NT_386_TLS,
    NT_AUXV,
    NT_FILE,
    NT_PRFPREG,
    NT_PRPSINFO,
    NT_PRSTATUS,
    NT_PRXFPREG,
    NT_SIGINFO,
    NT_X86_XSTATE,
    note,
)
from lbw.abi.errno import EINTR, LinuxError
from lbw.cpu.contracts import R8, RAX, RBP, RBX, RCX, RDI, RDX, RIP, RSI, RSP
from lbw.kernel.restart import NEVER, NO_HANDLER, RESTART
from lbw.kernel.segment_descriptors import USER_DESC, describe
from lbw.kernel.tls import FIRST
from lbw.signals.fpu_i386 import to_fsave
from lbw.signals.siginfo import pack
from lbw.signals.xstate import for_core
from lbw.vfs.location import Location
from lbw.vfs.operations import path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.signals.siginfo import SigInfo

#: What a call that a signal interrupts returns inside of Linux: ERESTARTSYS, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
_RESTART_CODES = {RESTART: 512, NO_HANDLER: 514, NEVER: EINTR}
_RESTART_BLOCK = 516
_ENOSYS = 38

#: PF_DUMPCORE, PF_SIGNALED
_FLAGS = 0x600
_USER_FSAVE = 108
_NS, _US = 1_000_000_000, 1000
ES, CS, SS, DS, FS, GS = range(6)


def notes(task: Task, info: SigInfo) -> bytes:
    """Return the notes for the process of `task`, which is ended by the signal `info`."""
    word = task.program_abi.word
    result = [note(CORE, NT_PRSTATUS, status(task, info))]
    result += [
        note(CORE, NT_PRPSINFO, process_info(task)),
        note(CORE, NT_SIGINFO, pack(info, word)),
        note(CORE, NT_AUXV, task.memory.auxv),
    ]
    files = mapped_files(task)
    if files:
        result.append(note(CORE, NT_FILE, files))
    result += floating_point(task)
    for other in task.process.threads:
        if other is not task:
            result.append(note(CORE, NT_PRSTATUS, status(other, info)))
            result += floating_point(other)
    return b"".join(result)


def status(task: Task, info: SigInfo) -> bytes:
    """Return `struct elf_prstatus` of a thread."""
    process, signals = task.process, task.signals
    children = process.child_usage
    usage = process.total_usage() if task.tid == process.pid else task
    word = (1 << 8 * task.program_abi.word) - 1
    times = [
        part
        for time in (usage.user_time, usage.system_time, children.user_time, children.system_time)
        for part in (time // _NS, time % _NS // _US)
    ]
    return LAYOUTS[task.program_abi.word].status.pack(
        info.signo, 0, 0, info.signo, signals.pending.mask & word, signals.blocked & word,
        task.tid, process.parent_pid, process.group.pgid, process.session.sid, *times, *registers(task), 1,
    )  # fmt: skip


def registers(task: Task) -> list[int]:
    """Return the registers of a thread in the order of `struct user_regs_struct`."""
    context = task.context
    flags, selectors = context.flags, context.selectors
    values = list(context.registers[:17])
    original = -1
    if task.coroutine is not None or task.interrupted is not None:
        original = task.call
        values[RAX] = -_interrupted_result(task)
    if task.program_abi.word == 4:
        low = 0xFFFF_FFFF
        return [
            value & low
            for value in (
                values[RBX], values[RCX], values[RDX], values[RSI], values[RDI], values[RBP], values[RAX],
                selectors[DS], selectors[ES], selectors[FS], selectors[GS], original,
                values[RIP], selectors[CS], flags, values[RSP], selectors[SS],
            )
        ]  # fmt: skip
    full = 0xFFFF_FFFF_FFFF_FFFF
    return [
        value & full
        for value in (
            values[R8 + 7], values[R8 + 6], values[R8 + 5], values[R8 + 4], values[RBP], values[RBX], values[R8 + 3],
            values[R8 + 2], values[R8 + 1], values[R8], values[RAX], values[RCX], values[RDX], values[RSI], values[RDI],
            original, values[RIP], selectors[CS], flags, values[RSP], selectors[SS], context.fs_base, context.gs_base,
            selectors[DS], selectors[ES], selectors[FS], selectors[GS],
        )
    ]  # fmt: skip


def _interrupted_result(task: Task) -> int:
    if task.restart_call is not None:
        return _RESTART_BLOCK
    row = task.kernel.tables[task.abi].rows[task.call]
    return _RESTART_CODES.get(row.restart, _ENOSYS) if row is not None else _ENOSYS


def floating_point(task: Task) -> list[bytes]:
    """Return the notes with the x87 and SSE state of a thread."""
    image = task.context.read_fpu()
    if task.program_abi.word == 8:
        result = [note(CORE, NT_PRFPREG, image)]
    else:
        selectors = task.context.selectors
        old = to_fsave(image, selectors[CS], selectors[DS])[:_USER_FSAVE]
        result = [note(CORE, NT_PRFPREG, old), note(LINUX, NT_PRXFPREG, image)]
    result.append(note(LINUX, NT_X86_XSTATE, for_core(image)))
    if task.program_abi.word == 4:
        areas = [
            USER_DESC.pack(area.entry, area.base, area.limit, area.bits)
            for area in (describe(descriptor, FIRST + index) for index, descriptor in enumerate(task.tls) if descriptor)
        ]
        if areas:
            result.append(note(LINUX, NT_386_TLS, b"".join(areas)))
    return result


def process_info(task: Task) -> bytes:
    """Return `struct elf_prpsinfo`."""
    process, memory, credentials = task.process, task.memory, task.credentials
    length = min(memory.arg_end - memory.arg_start, 79)
    try:
        arguments = memory.read(memory.arg_start, length).replace(b"\0", b" ")
    except LinuxError:
        arguments = b""
    wide = task.program_abi.word == 8
    uid, gid = (number if wide or number < 1 << 16 else 65534 for number in (credentials.ruid, credentials.rgid))
    return LAYOUTS[task.program_abi.word].psinfo.pack(
        0, b"R", 0, task.scheduling.nice, _FLAGS, uid, gid, process.pid, process.parent_pid, process.group.pgid,
        process.session.sid, process.comm, arguments,
    )  # fmt: skip


def mapped_files(task: Task) -> bytes:
    """Return the ranges of memory that files are mapped to, and the names of the files."""
    layouts = LAYOUTS[task.program_abi.word]
    ranges, names = [], []
    for vma in task.memory.vmas:
        if isinstance(vma.location, Location):
            ranges.append(layouts.file_entry.pack(vma.start, vma.end, vma.offset >> 12))
            names.append(path_of(task.fs, vma.location) + b"\0")
    if not ranges:
        return b""
    head = layouts.number.pack(len(ranges)) + layouts.number.pack(4096)
    return head + b"".join(ranges) + b"".join(names)
