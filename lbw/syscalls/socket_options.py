"""getsockopt and setsockopt.  man 2 getsockopt, man 7 socket"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EOPNOTSUPP, LinuxError
from lbw.abi.socket import SOL_SOCKET
from lbw.syscalls.displays import OutInts
from lbw.syscalls.parameters import Choice, Fd, Int
from lbw.syscalls.socket_displays import LEVELS, OptionName, OptionValue, OutOptionValue
from lbw.syscalls.sockets import check_room, socket_of
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: The most of a value that is looked at, bytes.
LONGEST = 256


@syscall(
    "setsockopt", Fd("sockfd"), Choice("level", LEVELS), OptionName("optname"), OptionValue("optval"), Int("optlen")
)
def setsockopt(task: Task, fd: int, level: int, name: int, address: int, length: int) -> int:
    """Set an option.  ENOPROTOOPT; EOPNOTSUPP: no such level; EINVAL: too short.  man 2 setsockopt"""
    from lbw.net.options import set_option

    if length < 0:
        raise LinuxError(EINVAL)
    file = socket_of(task, fd)
    if level != SOL_SOCKET:
        raise LinuxError(EOPNOTSUPP)
    data = task.memory.read(address, min(length, LONGEST)) if length >= 4 else b""
    set_option(file, task, name, data, task.abi.timeval)
    return 0


@syscall(
    "getsockopt", Fd("sockfd"), Choice("level", LEVELS), OptionName("optname"), OutOptionValue("optval"),
    OutInts("optlen", 1),
)  # fmt: skip
def getsockopt(task: Task, fd: int, level: int, name: int, address: int, place: int) -> int:
    """Tell an option; its value is cut to the room for it.  ENOPROTOOPT; EOPNOTSUPP: no such level"""
    from lbw.net.options import TooLong, get_option

    file = socket_of(task, fd)
    if level != SOL_SOCKET:
        raise LinuxError(EOPNOTSUPP)
    room = check_room(task, place)
    try:
        data = get_option(file, name, room, task.abi.timeval)[:room]
    except TooLong as error:
        task.memory.write_u32(place, error.length)
        raise
    task.memory.write(address, data)
    task.memory.write_u32(place, len(data))
    return 0
