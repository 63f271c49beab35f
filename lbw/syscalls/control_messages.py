"""Control messages of sendmsg and recvmsg: descriptors and credentials.  man 3 cmsg, man 7 unix

A control buffer is a sequence of headers (length, level, type) with data, each aligned to a word; words differ between
the ABIs, what they mean does not. Linux net/core/scm.c
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from lbw.abi.errno import EBADF, EINVAL, ENOBUFS, EPERM, ESRCH, ETOOMANYREFS, LinuxError
from lbw.abi.resource import RLIMIT_NOFILE
from lbw.abi.socket import (
    AF_UNIX,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    SCM_MAX_FD,
    SCM_RIGHTS,
    SOL_SOCKET,
    UCRED,
)
from lbw.net.message import Control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.kernel.task import Task
    from lbw.net.message import Arrival, Identity
    from lbw.net.socket import Socket
    from lbw.vfs.file import File

#: The longest control buffer that is sent, bytes (net.core.optmem_max).
MAX_CONTROL = 131072
NO_ID = 0xFFFFFFFF


def aligned(task: Task, length: int) -> int:
    """Return `length` rounded up to words of the ABI."""
    return -(-length // task.abi.word) * task.abi.word


def headers(task: Task, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (level, type, data) of the control messages in a buffer.  EINVAL: a length that cannot be"""
    layout = task.abi.cmsghdr
    place = 0
    while len(data) - place >= layout.size:
        length, level, kind = layout.unpack_from(data, place)
        if not layout.size <= length <= len(data) - place:
            raise LinuxError(EINVAL)
        yield level, kind, data[place + layout.size : place + length]
        place += aligned(task, length)


def read_control(task: Task, socket: Socket, address: int, length: int) -> Control | None:
    """Return what a sender adds, None: nothing. It holds references to the files.

    EBADF: no such descriptor; EINVAL: an unknown message, too many descriptors; EPERM: credentials of somebody else;
    ETOOMANYREFS: too many files in flight; ENOBUFS: too long
    """
    if not length:
        return None
    if length > MAX_CONTROL:
        raise LinuxError(ENOBUFS)
    control = Control()
    files: list[File] = []
    for level, kind, data in headers(task, task.memory.read(address, length)):
        if level != SOL_SOCKET:
            continue
        if kind == SCM_RIGHTS and socket.family == AF_UNIX:
            count = len(data) // 4
            if count + len(files) > SCM_MAX_FD:
                raise LinuxError(EINVAL)
            for index in range(count):
                fd = int.from_bytes(data[4 * index : 4 * index + 4], "little", signed=True)
                if fd < 0:
                    raise LinuxError(EBADF)
                files.append(task.files.get_any(fd))
        elif kind == SCM_CREDENTIALS and len(data) == UCRED.size:
            pid, uid, gid = UCRED.unpack(data)
            control.credentials = checked_credentials(task, pid, uid, gid)
        else:
            raise LinuxError(EINVAL)
    if files:
        limit = task.process.limits.soft(RLIMIT_NOFILE)
        if task.kernel.network.files_in_flight > limit and not (
            task.credentials.capable(CAP_SYS_RESOURCE) or task.credentials.capable(CAP_SYS_ADMIN)
        ):
            raise LinuxError(ETOOMANYREFS)
        control.files = [file.acquire() for file in files]
    return control


def checked_credentials(task: Task, pid: int, uid: int, gid: int) -> Identity:
    """Return credentials that a sender names.  EPERM: they are not its own; ESRCH: no such process; EINVAL"""
    who = task.credentials
    if (
        (pid != task.process.pid and not who.capable(CAP_SYS_ADMIN))
        or (uid not in (who.ruid, who.euid, who.suid) and not who.capable(CAP_SETUID))
        or (gid not in (who.rgid, who.egid, who.sgid) and not who.capable(CAP_SETGID))
    ):
        raise LinuxError(EPERM)
    if pid not in task.kernel.processes and pid not in task.kernel.tasks:
        raise LinuxError(ESRCH)
    if NO_ID in (uid, gid):
        raise LinuxError(EINVAL)
    return pid, uid, gid


def write_control(task: Task, arrival: Arrival, address: int, length: int) -> int:
    """Store what came beside the bytes at `address`; return how many bytes of the buffer that takes.

    What there is no room or no descriptor for is dropped, and MSG_CTRUNC told.
    """
    used = 0
    if arrival.credentials is not None:
        used = put(task, arrival, address, length, SCM_CREDENTIALS, UCRED.pack(*arrival.credentials))
    if arrival.files is not None:
        used += put_files(task, arrival, address + used, length - used)
    return used


def put(task: Task, arrival: Arrival, address: int, length: int, kind: int, data: bytes) -> int:
    """Store a control message, or what there is room for of it; return the room it takes."""
    layout = task.abi.cmsghdr
    if not address or length < layout.size:
        arrival.told |= MSG_CTRUNC
        return 0
    size = layout.size + len(data)
    if length < size:
        arrival.told |= MSG_CTRUNC
        size = length
    task.memory.write(address, (layout.pack(size, SOL_SOCKET, kind) + data)[:size])
    return min(aligned(task, layout.size + len(data)), length)


def put_files(task: Task, arrival: Arrival, address: int, length: int) -> int:
    """Make descriptors of the files that came, as many as there is room and numbers for; the others are closed."""
    head = task.abi.cmsghdr.size
    files = arrival.files or []
    room = min(max(length - head, 0) // 4, len(files)) if address and length > head else 0
    numbers: list[int] = []
    try:
        if room and sum(map(len, task.memory.views(address, head + 4 * room, True))) == head + 4 * room:
            for file in files[:room]:
                numbers.append(task.files.install(file, bool(arrival.flags & MSG_CMSG_CLOEXEC)))
    except LinuxError:
        pass  # EMFILE, or a bad buffer: the rest is cut off
    if len(numbers) < len(files):
        arrival.told |= MSG_CTRUNC
    arrival.dispose()
    if not numbers:
        return 0
    data = b"".join([number.to_bytes(4, "little") for number in numbers])
    return put(task, arrival, address, length, SCM_RIGHTS, data)
