"""Sending and receiving, with waits: what the calls for messages, and read and write of sockets, have in common.

A call tries first, and waits only when that says EAGAIN. Rules (man 2 send, recv; man 7 signal, socket):

- a stream that has moved something returns that when a signal comes, the time is over or an error is met;
- a call that has a timeout (SO_RCVTIMEO, SO_SNDTIMEO) is never restarted after a signal: EINTR;
- data is read from and written to guest memory in pieces, and only as much memory is touched as there is data for.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EFAULT, EINTR, EPIPE, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.socket import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_WAITALL
from lbw.kernel.task import Interrupted
from lbw.net.message import Arrival
from lbw.syscalls.transfer import section, send_sigpipe, total_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lbw.kernel.task import Task
    from lbw.net.message import Control
    from lbw.net.socket import Socket
    from lbw.syscalls.transfer import Iov

#: The most that is copied out of guest memory before it is known whether it can be sent, bytes.
PIECE = 1 << 18


def message_flags(socket: Socket, flags: int) -> int:
    """Return MSG_* `flags` with what O_NONBLOCK of the description adds."""
    return flags | MSG_DONTWAIT if socket.flags & O_NONBLOCK else flags


def deadline_after(task: Task, timeout: int | None) -> int | None:
    """Return the monotonic time in ns at which `timeout` is over."""
    return None if timeout is None else task.kernel.clock.monotonic() + timeout


async def wait_for(task: Task, socket: Socket, deadline: int | None) -> bool:
    """Wait for a change of `socket`; False: the time is over.  Interrupted; EINTR: the same, with a timeout"""
    try:
        return await task.wait(socket.queue, deadline=deadline)
    except Interrupted:
        if deadline is not None:
            raise LinuxError(EINTR) from None
        raise


async def insist(task: Task, socket: Socket, attempt: Callable[[], int], timeout: int | None) -> int:
    """Wait and make `attempt` until it says something else than EAGAIN, or `timeout` (ns) is over."""
    deadline = deadline_after(task, timeout)
    socket.acquire()
    try:
        while True:
            in_time = await wait_for(task, socket, deadline)
            try:
                return attempt()
            except LinuxError as error:
                if error.errno != EAGAIN or not in_time:
                    raise
    finally:
        socket.release()


# Receiving


def receive(task: Task, socket: Socket, iov: Iov, arrival: Arrival) -> int | Awaitable[int]:
    """Receive into `iov`; return the bytes received, or the length of the message with MSG_TRUNC."""
    total = total_of(iov)
    target = total if arrival.flags & MSG_WAITALL and socket.is_stream else min(socket.receive_low, total)
    if receive_some(task, socket, iov, total, target, arrival):
        return arrival.copied if arrival.result is None else arrival.result
    if arrival.flags & MSG_DONTWAIT:
        if not arrival.copied:
            raise LinuxError(EAGAIN)
        return arrival.copied
    return receive_rest(task, socket, iov, total, target, arrival)


def receive_some(task: Task, socket: Socket, iov: Iov, total: int, target: int, arrival: Arrival) -> bool:
    """Receive what is there; return whether that is all the call is to bring."""
    while True:
        left = total - arrival.copied
        room = min(left, socket.available())
        views: list[memoryview] = []
        if room:
            try:
                views = views_of(task, iov, arrival.copied, room, True)
            except LinuxError:
                pass  # the socket misses them if it gets so far
        try:
            socket.receive(views, left, arrival)
        except LinuxError as error:
            if error.errno == EAGAIN:
                return False
            if arrival.copied:
                return True
            raise
        if arrival.done or not left or arrival.copied >= target:
            return True


async def receive_rest(task: Task, socket: Socket, iov: Iov, total: int, target: int, arrival: Arrival) -> int:
    """Wait until the receive is complete."""
    deadline = deadline_after(task, socket.receive_timeout)
    socket.acquire()
    try:
        while True:
            try:
                in_time = await wait_for(task, socket, deadline)
            except (Interrupted, LinuxError):
                if not arrival.copied:
                    raise
                break
            if receive_some(task, socket, iov, total, target, arrival):
                break
            if not in_time:
                if not arrival.copied:
                    raise LinuxError(EAGAIN)
                break
        return arrival.copied if arrival.result is None else arrival.result
    finally:
        socket.release()


def read_socket(task: Task, socket: Socket, iov: Iov, flags: int = 0) -> int | Awaitable[int]:
    """Do read(2) or readv(2)."""
    if not any(length for _, length in iov):
        return 0
    arrival = Arrival(message_flags(socket, flags))
    result = receive(task, socket, iov, arrival)
    if isinstance(result, int):
        if arrival.files is not None:
            arrival.dispose()
        return result
    return without_files(result, arrival)


async def without_files(waiting: Awaitable[int], arrival: Arrival) -> int:
    """Wait for a receive that has no place for files; those that came are closed."""
    try:
        return await waiting
    finally:
        arrival.dispose()


# Sending


def send(
    task: Task, socket: Socket, iov: Iov, flags: int, address: bytes | None = None, control: Control | None = None
) -> int | Awaitable[int]:
    """Send the bytes of `iov`; return how many were sent. `control` is used up, whatever happens."""
    total = total_of(iov)
    try:
        socket.check_connection()
        socket.check_length(total)
        done, more = send_some(task, socket, iov, total, 0, flags, address, control)
        if more and flags & MSG_DONTWAIT and not done:
            raise LinuxError(EAGAIN)
    except LinuxError:
        if control is not None:
            control.dispose()
        raise
    if more and not flags & MSG_DONTWAIT:
        return send_rest(task, socket, iov, total, done, flags, address, control)
    if control is not None:
        control.dispose()
    return done


def send_some(
    task: Task, socket: Socket, iov: Iov, total: int, done: int, flags: int, address: bytes | None,
    control: Control | None,
) -> tuple[int, bool]:  # fmt: skip
    """Send what goes now; return the new count of bytes sent, and whether waiting gets further.

    Sends SIGPIPE with EPIPE, of a stream that has sent nothing.
    """
    while True:
        left = total - done
        size = min(left, PIECE) if socket.is_stream else left
        try:
            views = bytes_to_send(task, socket, iov, done, size)
            count = socket.send(task, views, flags if size == left else flags & ~MSG_OOB, address, control)
        except LinuxError as error:
            if error.errno == EAGAIN:
                return done, True
            if done:
                return done, False
            if error.errno == EPIPE and socket.raises_signal and not flags & MSG_NOSIGNAL:
                send_sigpipe(task)
            raise
        done += count
        if done >= total or not socket.is_stream:
            return done, False
        if count < size:
            return done, True


def views_of(task: Task, iov: Iov, done: int, size: int, write: bool) -> list[memoryview]:
    """Return views of `size` bytes of `iov`, from `done` on.  EFAULT"""
    if len(iov) == 1:
        return task.memory.views(iov[0][0] + done, size, write)
    return task.memory.vector_views(section(iov, done, size), write)


def bytes_to_send(task: Task, socket: Socket, iov: Iov, done: int, size: int) -> list[memoryview]:
    """Return `size` bytes of `iov`, from `done` on.  EFAULT: not all can be read; or that nothing can be sent at all"""
    if not size:
        return []
    try:
        views = views_of(task, iov, done, size, False)
    except LinuxError:
        views = []
    if (len(views) != 1 or len(views[0]) < size) and sum(map(len, views)) < size:
        if socket.is_stream:
            socket.send(task, [], 0, None, None)  # that it is not connected is noticed before
        raise LinuxError(EFAULT)
    return views


async def send_rest(
    task: Task, socket: Socket, iov: Iov, total: int, done: int, flags: int, address: bytes | None,
    control: Control | None,
) -> int:  # fmt: skip
    """Wait until everything is sent."""
    deadline = deadline_after(task, socket.send_timeout)
    socket.acquire()
    try:
        while True:
            try:
                in_time = await wait_for(task, socket, deadline)
            except (Interrupted, LinuxError):
                if not done:
                    raise
                return done
            done, more = send_some(task, socket, iov, total, done, flags, address, control)
            if not more:
                return done
            if not in_time:
                if not done:
                    raise LinuxError(EAGAIN)
                return done
    finally:
        socket.release()
        if control is not None:
            control.dispose()


def write_socket(task: Task, socket: Socket, iov: Iov, flags: int = 0) -> int | Awaitable[int]:
    """Do write(2) or writev(2)."""
    return send(task, socket, iov, message_flags(socket, flags))
