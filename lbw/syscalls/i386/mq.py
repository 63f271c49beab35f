"""POSIX message queues on i386: the calls with 64-bit seconds. Structures follow the size of a word by themselves."""

from __future__ import annotations

from lbw.abi.i386 import I386
from lbw.syscalls.i386.time import widened
from lbw.syscalls.mq import mq_timedreceive, mq_timedsend
from lbw.syscalls.table import ROWS, variant

for _name, _handler in (("mq_timedsend", mq_timedsend), ("mq_timedreceive", mq_timedreceive)):
    _parameters = map(widened, ROWS[_name].parameters)
    variant(I386, f"{_name}_time64", _handler, *_parameters, fixed=(I386.timespec64,))
