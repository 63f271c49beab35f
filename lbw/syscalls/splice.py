"""Moving bytes to, from and between pipes: splice, tee, vmsplice.  man 2 of each

All of them copy. Bytes are looked at in the pipe, written, and only then taken away, as many as were written; so a full
output, a signal or a full disk loses nothing. Packets stay packets from pipe to pipe.

A call waits for the first bytes and for the first room, moves what it finds then, and returns, as a read does. Only a
blocking output that is no pipe is waited for until it has taken all.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EBADF, EINVAL, EPIPE, ESPIPE, LinuxError
from lbw.abi.fcntl import O_APPEND, O_NONBLOCK
from lbw.abi.stat import S_IFBLK, S_IFDIR, S_IFMT, S_IFREG
from lbw.kernel.task import Interrupted
from lbw.syscalls.displays import Iovec
from lbw.syscalls.flag_names import SPLICE_FLAGS
from lbw.syscalls.parameters import Fd, Flags, Pointer, Size
from lbw.syscalls.sendfile import Cursor, put
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import MAX_COUNT, load_iovec, room_below_limit, section, send_sigpipe, total_of
from lbw.vfs.file import scatter
from lbw.vfs.pipe import PipeEnd
from lbw.vfs.pipe_queue import PIPE_BUF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.syscalls.transfer import Iov
    from lbw.vfs.file import File
    from lbw.vfs.pipe_queue import Pipe

SPLICE_F_NONBLOCK = 2
_ALL_FLAGS = 15


@syscall(
    "splice", Fd("fd_in"), Pointer("off_in"), Fd("fd_out"), Pointer("off_out"), Size("len"),
    Flags("flags", SPLICE_FLAGS), note="copies",
)  # fmt: skip
def splice(
    task: Task, in_fd: int, in_at: int, out_fd: int, out_at: int, length: int, flags: int
) -> int | Awaitable[int]:
    """Move bytes to or from a pipe.

    EAGAIN, EBADF, EFAULT; EINVAL: no side is a pipe, both are the same, or the output appends; EPIPE; ESPIPE: an offset
    in a pipe
    """
    if not length:
        return 0
    only(flags, _ALL_FLAGS)
    source, target = task.files.get(in_fd), task.files.get(out_fd)
    from_pipe, to_pipe = isinstance(source, PipeEnd), isinstance(target, PipeEnd)
    if (from_pipe and in_at) or (to_pipe and out_at):
        raise LinuxError(ESPIPE)
    writing = Cursor(task, target, out_at) if out_at else None
    reading = Cursor(task, source, in_at) if in_at else None
    if source.flags & 1 or not target.flags + 1 & 2:
        raise LinuxError(EBADF)
    nowait = bool(flags & SPLICE_F_NONBLOCK)
    length = min(length, MAX_COUNT)
    if isinstance(source, PipeEnd):
        nowait = nowait or bool(source.flags & O_NONBLOCK)
        if isinstance(target, PipeEnd):
            if source.pipe is target.pipe:
                raise LinuxError(EINVAL)
            return between_pipes(task, source, target, length, nowait or bool(target.flags & O_NONBLOCK), True)
        if target.flags & O_APPEND or target.inode.mode & S_IFMT == S_IFDIR:
            raise LinuxError(EINVAL)
        return pipe_to_file(task, source, target, writing, length, nowait)
    if not isinstance(target, PipeEnd) or source.inode.mode & S_IFMT == S_IFDIR or not source.can_be_spliced:
        raise LinuxError(EINVAL)
    if reading is None and source.inode.mode & S_IFMT in (S_IFREG, S_IFBLK):
        reading = Cursor(task, source, 0)
    return file_to_pipe(task, source, reading, target, length, nowait or bool(target.flags & O_NONBLOCK))


@syscall("tee", Fd("fd_in"), Fd("fd_out"), Size("len"), Flags("flags", SPLICE_FLAGS), note="copies")
def tee(task: Task, in_fd: int, out_fd: int, length: int, flags: int) -> int | Awaitable[int]:
    """Copy from a pipe to another, and leave the bytes where they are.  EAGAIN, EBADF; EINVAL: not two pipes; EPIPE"""
    only(flags, _ALL_FLAGS)
    if not length:
        return 0
    source, target = task.files.get(in_fd), task.files.get(out_fd)
    if source.flags & 1 or not target.flags + 1 & 2:
        raise LinuxError(EBADF)
    if not isinstance(source, PipeEnd) or not isinstance(target, PipeEnd) or source.pipe is target.pipe:
        raise LinuxError(EINVAL)
    nowait = bool(flags & SPLICE_F_NONBLOCK or (source.flags | target.flags) & O_NONBLOCK)
    return between_pipes(task, source, target, min(length, MAX_COUNT), nowait, False)


@syscall(
    "vmsplice", Fd("fd"), Iovec("iov", 2), Size("nr_segs"), Flags("flags", SPLICE_FLAGS), note="copies"
)
def vmsplice(task: Task, fd: int, address: int, count: int, flags: int) -> int | Awaitable[int]:
    """Move bytes of memory into a pipe, or out of one into memory.  EAGAIN, EBADF: no pipe; EFAULT, EINVAL, EPIPE"""
    only(flags, _ALL_FLAGS)
    file = task.files.get(fd)
    to_pipe = file.flags + 1 & 2
    if not to_pipe and file.flags & 1:
        raise LinuxError(EBADF)
    iov = load_iovec(task, address, min(count, 1 << 20))
    if not total_of(iov):
        return 0
    if not isinstance(file, PipeEnd):
        raise LinuxError(EBADF)
    move = memory_to_pipe if to_pipe else pipe_to_memory
    return move(task, file, iov, bool(flags & SPLICE_F_NONBLOCK))


async def wait_for(task: Task, file: File, nowait: bool) -> None:
    """Wait for `file`.  EAGAIN: that is not wanted"""
    if nowait or file.queue is None:
        raise LinuxError(EAGAIN)
    await task.wait(file.queue)


async def input_in(task: Task, end: PipeEnd, nowait: bool) -> bool:
    """Wait until there is something to read; False: there never will be.  EAGAIN"""
    pipe = end.pipe
    while not pipe.content:
        if not pipe.writers:
            return False
        await wait_for(task, end, nowait)
    return True


async def room_in(task: Task, end: PipeEnd, nowait: bool) -> int:
    """Wait until there is room; return how much.  EAGAIN; EPIPE, with SIGPIPE"""
    pipe = end.pipe
    while True:
        if not pipe.readers:
            send_sigpipe(task)
            raise LinuxError(EPIPE)
        if pipe.room:
            return pipe.room
        await wait_for(task, end, nowait)


def copy_runs(source: Pipe, target: Pipe, limit: int) -> int:
    """Write what is in front of one pipe into another that has room; return how many bytes were written."""
    done = 0
    for data, packet in source.peek(limit):
        try:
            written = target.write([memoryview(data)], packet)
        except LinuxError:
            if done:
                break
            raise
        done += written
        if written < len(data):
            break
    return done


async def between_pipes(
    task: Task, source: PipeEnd, target: PipeEnd, length: int, nowait: bool, taking: bool
) -> int:  # fmt: skip
    """Copy from pipe to pipe what is there and fits, and with `taking` remove it from the first."""
    source.acquire()
    target.acquire()
    try:
        while True:
            if not await input_in(task, source, nowait):
                return 0
            room = await room_in(task, target, nowait)
            if not source.pipe.content:
                continue  # somebody else was faster
            done = copy_runs(source.pipe, target.pipe, min(length, room))
            if taking:
                source.pipe.drop(done)
            return done
    finally:
        source.release()
        target.release()


async def file_to_pipe(
    task: Task, source: File, reading: Cursor | None, target: PipeEnd, length: int, nowait: bool
) -> int:  # fmt: skip
    """Read what there is, up to the room in the pipe, and write it there."""
    source.acquire()
    target.acquire()
    try:
        while True:
            room = await room_in(task, target, nowait)
            buffer = memoryview(bytearray(min(length, room)))
            try:
                count = source.read([buffer]) if reading is None else source.pread([buffer], reading.offset)
            except LinuxError as error:
                if error.errno == ESPIPE and reading is not None:
                    raise LinuxError(EINVAL) from None
                if error.errno != EAGAIN:
                    raise
                await wait_for(task, source, nowait or bool(source.flags & O_NONBLOCK))
                continue
            if count:
                count = target.pipe.write([buffer[:count]])
            if reading is not None:
                reading.advance(count)
                reading.settle()
            return count
    finally:
        source.release()
        target.release()


async def pipe_to_file(
    task: Task, source: PipeEnd, target: File, writing: Cursor | None, length: int, nowait: bool
) -> int:  # fmt: skip
    """Write what is in the pipe, and take away what was written."""
    done = 0
    source.acquire()
    target.acquire()
    try:
        if not await input_in(task, source, nowait):
            return 0
        while done < length and source.pipe.content:
            try:
                count = write_front(task, source.pipe, target, writing, length - done)
            except LinuxError as error:
                if error.errno == EAGAIN and target.queue is not None and not target.flags & O_NONBLOCK:
                    await task.wait(target.queue)
                    continue
                raise
            if not count:
                break
            done += count
    except (LinuxError, Interrupted):
        if not done:
            raise
    finally:
        source.release()
        target.release()
    if writing is not None:
        writing.settle()
    return done


def write_front(task: Task, pipe: Pipe, target: File, writing: Cursor | None, limit: int) -> int:
    """Write the first bytes of a pipe to a file, and take away what was written.  EAGAIN; EPIPE, with SIGPIPE"""
    offset = None if writing is None else writing.offset
    data = pipe.peek(room_below_limit(task, target, offset, limit))[0][0]
    if writing is None:
        count = put(task, target, memoryview(data))
    else:
        try:
            count = target.pwrite([memoryview(data)], writing.offset)
        except LinuxError as error:
            raise LinuxError(EINVAL if error.errno == ESPIPE else error.errno) from None
        writing.advance(count)
    pipe.drop(count)
    return count


async def memory_to_pipe(task: Task, end: PipeEnd, iov: Iov, nowait: bool) -> int:
    """Write what fits; the memory may be used again at once.  EFAULT: nothing of it can be read"""
    end.acquire()
    try:
        room = await room_in(task, end, nowait)
        views = task.memory.vector_views(section(iov, 0, min(room, total_of(iov))), False)
        return end.pipe.write(views[: room // PIPE_BUF])  # on Linux each page of memory takes one of the pipe's
    finally:
        end.release()


async def pipe_to_memory(task: Task, end: PipeEnd, iov: Iov, nowait: bool) -> int:
    """Read what is there.  EFAULT: nothing of the memory can be written"""
    end.acquire()
    try:
        if not await input_in(task, end, nowait):
            return 0
        done, total = 0, total_of(iov)
        for data, _ in end.pipe.peek(total):
            views = task.memory.vector_views(section(iov, done, len(data)), True)
            count = scatter(data, views)
            done += count
            if count < len(data):
                break
        end.pipe.drop(done)
        return done
    finally:
        end.release()
