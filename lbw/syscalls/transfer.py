"""Moving bytes between guest memory and files when one step is not enough.

`pull` and `push` move what can be moved now, in chunks, so that only as much guest memory is touched as there is
data for; the `wait_and_` forms go on until the call may return. Rules that all of them keep (man 7 pipe, man 2
write):

- a bad pointer is an error only when nothing was moved before it; so is any other error;
- a read returns as soon as it has something; a blocking write returns when everything is written;
- a signal ends a call that has moved something with the count so far, and one that has not with `Interrupted`.

The views of guest memory are taken again after each wait: pages may have gone meanwhile.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EFBIG, EINVAL, ENOMEM, EPIPE, LinuxError
from lbw.abi.fcntl import O_APPEND, O_LARGEFILE
from lbw.abi.resource import RLIM_INFINITY, RLIMIT_FSIZE
from lbw.abi.signal import SI_USER, SIGPIPE, SIGXFSZ
from lbw.abi.stat import S_IFMT, S_IFREG
from lbw.kernel.signal_send import send_signal
from lbw.kernel.task import Interrupted
from lbw.signals.siginfo import SigInfo
from lbw.vfs.opening import MAX_SMALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

    Iov = list[tuple[int, int]]

#: What one call moves at most (Linux MAX_RW_COUNT).
MAX_COUNT = 0x7FFF_F000
#: What is moved in one step at most, bytes.
CHUNK = 1 << 20
#: What one call moves before others get a turn, bytes.
TURN = 32 << 20
#: Elements of an iovec array (IOV_MAX).
MAX_VECTORS = 1024
MAX_OFFSET = (1 << 63) - 1


def load_iovec(task: Task, address: int, count: int) -> Iov:
    """Read an array of struct iovec.

    EINVAL: more than 1024 elements, or a negative length. The sum is cut to MAX_COUNT.
    """
    if not 0 <= count <= MAX_VECTORS:
        raise LinuxError(EINVAL)
    layout = task.abi.iovec
    sign = 1 << (task.abi.word * 8 - 1)
    vectors, left = [], MAX_COUNT
    data = task.memory.read(address, count * layout.size) if count else b""
    for base, length in layout.iter_unpack(data):
        if length & sign:
            raise LinuxError(EINVAL)
        length = min(length, left)
        left -= length
        vectors.append((base, length))
    return vectors


def section(iov: Iov, skip: int, limit: int) -> Iov:
    """Return the part of `iov` that starts after `skip` bytes and is at most `limit` bytes long."""
    part = []
    for base, length in iov:
        if skip >= length:
            skip -= length
            continue
        take = min(length - skip, limit)
        part.append((base + skip, take))
        limit -= take
        skip = 0
        if not limit:
            break
    return part


def total_of(iov: Iov) -> int:
    """Return the length of `iov` in bytes, cut to MAX_COUNT."""
    return min(sum(length for _, length in iov), MAX_COUNT)


def pull(task: Task, file: File, iov: Iov) -> int:
    """Read at the file offset into `iov` what can be read now.  EAGAIN"""
    if len(iov) == 1 and 0 < iov[0][1] <= CHUNK:  # nearly always
        return file.read(task.memory.views(*iov[0], True))
    total, done = total_of(iov), 0
    if not total:
        return file.read([])
    while done < total:
        part = section(iov, done, min(CHUNK, total - done))
        try:
            views = task.memory.vector_views(part, True)
            count = file.read(views)
        except LinuxError:
            if done:
                return done
            raise
        done += count
        if file.queue is not None or count < CHUNK:
            break
    return done


def pull_at(task: Task, file: File, iov: Iov, offset: int) -> int:
    """Read at `offset` into `iov`."""
    total, done = total_of(iov), 0
    if offset + total > MAX_OFFSET:
        raise LinuxError(EINVAL)
    if not total:
        return file.pread([], offset)
    while done < total:
        part = section(iov, done, min(CHUNK, total - done))
        try:
            count = file.pread(task.memory.vector_views(part, True), offset + done)
        except LinuxError:
            if done:
                return done
            raise
        done += count
        if count < CHUNK:
            break
    return done


def turn(task: Task) -> int:
    """Return what one call moves before others get a turn: a step only when its memory may not be there."""
    return TURN if task.kernel.frames.available > TURN // 2048 else CHUNK


async def in_turns(task: Task, file: File, iov: Iov, move: Callable[[Iov, int], int]) -> int:
    """Move all of a long `iov`, letting others run in between; only a fatal signal ends it early.

    `move(part, done)` moves the part that begins after `done` bytes and returns how much it has moved. When memory has
    run out, the call goes on after some was made free, which happens while it gives way.
    """
    total, done = total_of(iov), 0
    short = False
    file.acquire()
    try:
        while done < total:
            part = section(iov, done, min(turn(task), total - done))
            try:
                count = move(part, done)
            except LinuxError as error:
                if error.errno != ENOMEM or short:
                    if done:
                        break
                    raise
                count = 0
            done += count
            if count < total_of(part) and (not task.kernel.scarce or (short and not count)):
                break
            short = not count
            await task.give_way(interruptible=False)
        return done
    finally:
        file.release()


def at_offset(
    move: Callable[[Task, File, Iov, int], int], task: Task, file: File, iov: Iov, offset: int
) -> int | Awaitable[int]:  # fmt: skip
    """Do `pull_at` or `push_at`, in turns when it is much."""
    if total_of(iov) <= turn(task):
        return move(task, file, iov, offset)
    return in_turns(task, file, iov, lambda part, done: move(task, file, part, offset + done))


async def wait_and_pull(task: Task, file: File, iov: Iov) -> int:
    """Wait until `file` has something, and read it."""
    file.acquire()
    try:
        if file.has_timer:
            from lbw.syscalls.terminal_read import pull_from_terminal

            return await pull_from_terminal(task, file, section(iov, 0, CHUNK))
        while True:
            assert file.queue is not None
            await task.wait(file.queue)
            try:
                return pull(task, file, iov)
            except LinuxError as error:
                if error.errno != EAGAIN:
                    raise
    finally:
        file.release()


async def interrupted() -> int:
    """Let the dispatcher interrupt a call that has not waited: a terminal stopped the background job that made it."""
    raise Interrupted


def push(task: Task, file: File, iov: Iov, total: int, done: int) -> tuple[int, bool]:
    """Write `iov` at the file offset, as much as goes now; `done` bytes of it are written already.

    Return the new count of bytes, and whether waiting would get further. Sends SIGPIPE with EPIPE.
    """
    if not total:
        return file.write([]), False
    while done < total:
        try:
            count = file.write(task.memory.vector_views(section(iov, done, min(CHUNK, total - done)), False))
        except LinuxError as error:
            if error.errno == EAGAIN:
                return done, True
            if error.errno == EPIPE:
                send_sigpipe(task)
            if done:
                return done, False
            raise
        if not count:
            break
        done += count
    return done, False


def push_at(task: Task, file: File, iov: Iov, offset: int, may_append: bool = True) -> int:
    """Write `iov` at `offset`; at the end when the file appends, as Linux does (man 2 pwrite, BUGS)."""
    total, done = total_of(iov), 0
    if may_append and file.flags & O_APPEND:
        offset = file.inode.stat().size
    if offset + total > MAX_OFFSET:
        raise LinuxError(EINVAL)
    total = room_below_limit(task, file, offset, total)
    if not total:
        return file.pwrite([], offset)
    while done < total:
        try:
            views = task.memory.vector_views(section(iov, done, min(CHUNK, total - done)), False)
            count = file.pwrite(views, offset + done)
        except LinuxError:
            if done:
                return done
            raise
        if not count:
            break
        done += count
    return done


async def wait_and_push(task: Task, file: File, iov: Iov, total: int, done: int) -> int:
    """Wait for room in `file` and write, until all of `iov` is written."""
    file.acquire()
    try:
        while True:
            assert file.queue is not None
            try:
                await task.wait(file.queue)
            except Interrupted:
                if done:
                    return done
                raise
            done, more = push(task, file, iov, total, done)
            if not more:
                return done
    finally:
        file.release()


def room_below_limit(task: Task, file: File, offset: int | None, count: int) -> int:
    """Return how many of `count` bytes RLIMIT_FSIZE allows to be written at `offset` (None: at the file offset).

    EFBIG, and SIGXFSZ: none at all; EFBIG alone: beyond 2 GB without O_LARGEFILE.  man 2 setrlimit, open
    """
    count = min(count, MAX_COUNT)
    limit = task.process.limits.soft(RLIMIT_FSIZE)
    large = file.flags & O_LARGEFILE
    if (limit == RLIM_INFINITY and large) or not count or file.inode.mode & S_IFMT != S_IFREG or not file.has_size:
        return count
    if offset is None:
        offset = file.inode.stat().size if file.flags & O_APPEND else file.offset
    if offset >= limit:
        send_self(task, SIGXFSZ)
        raise LinuxError(EFBIG)
    if not large:
        limit = min(limit, MAX_SMALL)
        if offset >= limit:
            raise LinuxError(EFBIG)
    return min(count, limit - offset)


def send_sigpipe(task: Task) -> None:
    """Tell the writer of a pipe that nobody reads it."""
    send_self(task, SIGPIPE)


def send_self(task: Task, signo: int) -> None:
    """Send a signal from a task to itself, as the kernel does it on behalf of a failed call."""
    send_signal(task, SigInfo(signo, SI_USER, pid=task.process.pid, uid=task.credentials.ruid))
