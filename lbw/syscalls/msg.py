"""System V message queues.  man 2 msgget, msgop, msgctl"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EIDRM, EINVAL, ENOMSG, LinuxError
from lbw.abi.ipc import (
    IPC_INFO,
    IPC_NOWAIT,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MSG_COPY,
    MSG_EXCEPT,
    MSG_INFO,
    MSG_STAT,
    MSG_STAT_ANY,
    MSGINFO,
    WIDE,
)
from lbw.ipc.msg import Wish
from lbw.kernel.task import Interrupted
from lbw.syscalls.ipc_displays import (
    MSG_COMMANDS,
    Command,
    Key,
    MsgBuffer,
    OutMsgBuffer,
    Structure,
    get_flags,
    msg_flags,
)
from lbw.syscalls.parameters import Int, Long, Size, signed
from lbw.syscalls.table import NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.abi.ipc import IpcLayouts
    from lbw.ipc.msg import MessageQueue
    from lbw.kernel.task import Task

#: What old members of struct msginfo say (include/uapi/linux/msg.h).
_MSGPOOL, _MSGMAP, _MSGTQL, _MSGSSZ, _MSGSEG = 512000, 16384, 16384, 16, 0xFFFF
_INT_MAX = 0x7FFF_FFFF


@syscall("msgget", Key("key"), get_flags("msgflg"))
def msgget(task: Task, key: int, flags: int) -> int:
    """Find or make a queue; return its id.  EACCES, EEXIST, ENOENT, ENOSPC.  man 2 msgget"""
    table, who = task.kernel.ipc.messages, task.credentials
    return table.obtain(key, flags, who, lambda: table.make(key, flags, who), lambda _: None)


@syscall("msgsnd", Int("msqid"), MsgBuffer("msgp"), Size("msgsz"), msg_flags("msgflg"), restart=NO_HANDLER)
def msgsnd(task: Task, number: int, address: int, size: int, flags: int) -> int | Awaitable[int]:
    """Send a message.  EACCES, EAGAIN, EFAULT, EIDRM, EINTR, EINVAL.  man 2 msgop"""
    word = task.abi.word
    table = task.kernel.ipc.messages
    kind = signed(task.memory.read_pointer(address), 8 * word)
    if number < 0 or size > table.message_limit or kind < 1:
        raise LinuxError(EINVAL)
    text = task.memory.read(address + word, size)
    queue = table.find(number)
    queue.require(task.credentials, 0o222)
    try:
        queue.send(kind, text, task.process.pid)
    except LinuxError:
        if flags & IPC_NOWAIT:
            raise
        return wait_and_send(task, queue, kind, text)
    return 0


async def wait_and_send(task: Task, queue: MessageQueue, kind: int, text: bytes) -> int:
    """Wait until there is room, and send."""
    while True:
        await task.wait(queue.room)
        if queue.removed:
            raise LinuxError(EIDRM)
        queue.require(task.credentials, 0o222)
        try:
            queue.send(kind, text, task.process.pid)
        except LinuxError as error:
            if error.errno != EAGAIN:
                raise
            continue
        return 0


@syscall(
    "msgrcv", Int("msqid"), OutMsgBuffer("msgp"), Size("msgsz"), Long("msgtyp"), msg_flags("msgflg"),
    restart=NO_HANDLER,
)  # fmt: skip
def msgrcv(task: Task, number: int, address: int, size: int, kind: int, flags: int) -> int | Awaitable[int]:
    """Receive a message; return the bytes of its text.

    E2BIG: it does not fit; EACCES, EFAULT, EIDRM, EINTR, EINVAL, ENOMSG.  man 2 msgop
    """
    if number < 0 or size >> 8 * task.abi.word - 1:
        raise LinuxError(EINVAL)
    if flags & MSG_COPY and (flags & MSG_EXCEPT or not flags & IPC_NOWAIT):
        raise LinuxError(EINVAL)
    table = task.kernel.ipc.messages
    if flags & MSG_COPY:
        task.memory.read(address, min(size, table.message_limit))  # Linux makes the copy of what is there
    queue = table.find(number)
    queue.require(task.credentials, 0o444)
    wish = Wish(kind, size, flags, task.process.pid)
    message = queue.receive(wish)
    if message is not None:
        return deliver(task, address, message, size)
    if flags & IPC_NOWAIT:
        raise LinuxError(ENOMSG)
    return wait_and_receive(task, queue, wish, address)


async def wait_and_receive(task: Task, queue: MessageQueue, wish: Wish, address: int) -> int:
    """Wait until a sender gives us a message."""
    queue.receivers.append(wish)
    try:
        while wish.message is None and not wish.error:
            await task.wait(wish.queue)
            if wish.message is None and not wish.error:
                queue.require(task.credentials, 0o444)  # IPC_SET has woken us
    except Interrupted:
        if wish.message is None and not wish.error:
            raise
    finally:
        if wish in queue.receivers:
            queue.receivers.remove(wish)
    if wish.message is None:
        raise LinuxError(wish.error)
    return deliver(task, address, wish.message, wish.size)


def deliver(task: Task, address: int, message: tuple[int, bytes], size: int) -> int:
    """Store a message, which is gone from its queue, whatever happens.  EFAULT"""
    kind, text = message
    text = text[:size]
    word = task.abi.word
    task.memory.write(address, (kind & (1 << 8 * word) - 1).to_bytes(word, "little"))
    task.memory.write(address + word, text)
    return len(text)


@syscall("msgctl", Int("msqid"), Command("cmd", MSG_COMMANDS), Structure("buf", 1, MSG_STAT, MSG_STAT_ANY))
def msgctl(task: Task, number: int, command: int, buffer: int, layouts: IpcLayouts = WIDE) -> int:
    """Look at, change or remove a queue, or look at the limits.  EACCES, EFAULT, EINVAL, EPERM.  man 2 msgctl"""
    if number < 0 or command < 0:
        raise LinuxError(EINVAL)
    table, who = task.kernel.ipc.messages, task.credentials
    if command in (IPC_STAT, MSG_STAT, MSG_STAT_ANY):
        queue = table.find(number) if command == IPC_STAT else table.at(number)
        if command != MSG_STAT_ANY:
            queue.require(who, 0o444)
        task.memory.store(
            buffer, layouts.msqid_ds, *queue.permissions, queue.send_time, queue.receive_time, queue.changed,
            queue.bytes, len(queue.messages), queue.limit, queue.last_sender, queue.last_receiver,
        )  # fmt: skip
        return 0 if command == IPC_STAT else queue.id
    if command in (IPC_INFO, MSG_INFO):
        used = (_MSGPOOL, _MSGMAP, _MSGTQL)
        if command == MSG_INFO:
            queues = table.values()
            used = len(table), sum(len(each.messages) for each in queues), sum(each.bytes for each in queues)
        limits = table.message_limit, table.queue_limit, table.count_limit
        pool, headers, total = (min(number, _INT_MAX) for number in used)
        task.memory.store(buffer, MSGINFO, pool, headers, *limits, _MSGSSZ, total, _MSGSEG)
        return table.highest
    if command == IPC_SET:
        values = task.memory.load(buffer, layouts.msqid_ds)
        queue = table.find(number)
        queue.require_owner(who)
        queue.set(values[1], values[2], values[5], values[12], table.queue_limit, who)
    elif command == IPC_RMID:
        queue = table.find(number)
        queue.require_owner(who)
        table.remove(queue)
    else:
        raise LinuxError(EINVAL)
    return 0
