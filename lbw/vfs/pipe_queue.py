"""The queue inside a pipe or FIFO.  man 7 pipe

The content is one bytearray: appending copies guest memory once in, reading copies once out, and dropping the front
of a bytearray moves its start instead of its bytes. Capacity is counted in bytes, where Linux counts page slots.

Room is what a writer may rely on: a write of up to PIPE_BUF bytes happens whole or not at all, and POLLOUT promises
PIPE_BUF bytes; a longer write starts only when there is that much room. So a pipe that is drained byte by byte does
not wake its writer for every byte.

Wake-ups: readers wait only while the pipe is empty, so a write wakes whoever is queued (waking empties the queue: no
storm). Writers are woken once PIPE_BUF bytes are free. The queue of an end opened for both (a FIFO with O_RDWR) is
woken for both.

Packet mode (O_DIRECT): every write makes packets of up to PIPE_BUF bytes; a read takes one and drops what does not
fit.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EBUSY, EINVAL, EPERM, EPIPE, LinuxError
from lbw.abi.fcntl import O_RDONLY, O_WRONLY
from lbw.vfs.file import scatter
from lbw.vfs.pipe_budget import PAGE_SIZE, PipeBudget
from lbw.waiting import WaitQueue

PIPE_BUF = 4096
DEFAULT_CAPACITY = 65536


class Pipe:
    """The queue, and how many open file descriptions read and write it."""

    __slots__ = (
        "__weakref__", "_budget", "_joint", "_packets", "capacity", "content",
        "read_queue", "reader_opens", "readers", "write_queue", "writer_opens", "writers",
    )  # fmt: skip

    def __init__(self, budget: PipeBudget | None = None) -> None:
        """Make a pipe on the account `budget`; by default on one of its own."""
        self._budget = budget if budget is not None else PipeBudget()
        self.content = bytearray()
        self.capacity = 0  # until the first end
        self.readers = self.writers = 0
        self.reader_opens = self.writer_opens = 0  # how often an end was opened: an opener waits for them to grow
        self.read_queue = WaitQueue()
        self.write_queue = WaitQueue()
        self._joint: WaitQueue | None = None  # of ends that read and write
        self._packets: list[list[int]] | None = None  # [length, is a packet] of each run, once there was a packet

    # Ends

    def attach(self, access: int) -> WaitQueue:
        """Count a new end with this access mode; return its queue."""
        if not self.readers and not self.writers:
            self.capacity = self._budget.grant(DEFAULT_CAPACITY)
        if access != O_WRONLY:
            self.readers += 1
            self.reader_opens += 1
            self.wake_writers()  # who waits in open
        if access != O_RDONLY:
            self.writers += 1
            self.writer_opens += 1
            self.wake_readers()
        if access == O_RDONLY:
            return self.read_queue
        if access == O_WRONLY:
            return self.write_queue
        if self._joint is None:
            self._joint = WaitQueue()
        return self._joint

    def detach(self, access: int) -> None:
        """Discount an end; the other side learns that it was the last one. Without ends the content is gone."""
        if access != O_WRONLY:
            self.readers -= 1
            if not self.readers:
                self.wake_writers()
        if access != O_RDONLY:
            self.writers -= 1
            if not self.writers:
                self.wake_readers()
        if not self.readers and not self.writers:
            self.content = bytearray()
            self._packets = None
            self._budget.release(self.capacity)

    def wake_readers(self) -> None:
        """Tell those who wait for bytes or for the end of file."""
        self.read_queue.wake_all()
        if self._joint is not None:
            self._joint.wake_all()

    def wake_writers(self) -> None:
        """Tell those who wait for room or for a broken pipe."""
        self.write_queue.wake_all()
        if self._joint is not None:
            self._joint.wake_all()

    # Data

    def read(self, views: list[memoryview]) -> int:
        """Take what is there, up to the size of `views`.  EAGAIN: empty, with a writer; 0: empty, without"""
        content = self.content
        if not content:
            if self.writers and any(views):
                raise LinuxError(EAGAIN)
            return 0
        if self._packets is not None:
            return self._read_packets(views)
        available = len(content)
        if views and len(views[0]) >= available:
            views[0][:available] = content
            count = available
            content.clear()
        else:
            with memoryview(content) as whole:
                count = scatter(whole, views)
            del content[:count]
        if available > self.capacity - PIPE_BUF >= len(content):  # writers had to wait until now
            self.write_queue.wake_all()
            if self._joint is not None:
                self._joint.wake_all()
        return count

    def write(self, views: list[memoryview], packets: bool = False) -> int:
        """Append what there is room for.  EAGAIN: not enough room; EPIPE: no reader (the caller sends SIGPIPE)"""
        total = len(views[0]) if len(views) == 1 else sum(map(len, views))
        if not total:
            return 0
        if not self.readers:
            raise LinuxError(EPIPE)
        content = self.content
        room = self.capacity - len(content)
        if total > room:
            if room < PIPE_BUF or total <= PIPE_BUF:
                raise LinuxError(EAGAIN)
            if packets:
                room -= room % PIPE_BUF
            total = room
        if packets or self._packets is not None:
            self._note_runs(total, packets and not self._continues(total))
        if total == len(views[0]):
            content += views[0]
        else:
            left = total
            for view in views:
                if len(view) > left:
                    view = view[:left]
                content += view
                left -= len(view)
                if not left:
                    break
        self.read_queue.wake_all()
        if self._joint is not None:
            self._joint.wake_all()
        return total

    # Packet mode

    def _continues(self, total: int) -> bool:
        """Whether a write goes to the page of a stream before it: then it is no packet, as in Linux."""
        runs = self._packets
        stream = len(self.content) if runs is None else 0 if runs[-1][1] else runs[-1][0]
        return 0 < stream % PIPE_BUF <= PIPE_BUF - total

    def _note_runs(self, total: int, packets: bool) -> None:
        runs = self._packets
        if runs is None:
            if not packets:
                return
            runs = self._packets = [[len(self.content), 0]] if self.content else []
        if not packets:
            if runs and not runs[-1][1]:
                runs[-1][0] += total
            else:
                runs.append([total, 0])
            return
        while total > 0:
            runs.append([min(total, PIPE_BUF), 1])
            total -= PIPE_BUF

    def _read_packets(self, views: list[memoryview]) -> int:
        """Read up to the end of the first packet; what is left of it is dropped."""
        runs, content, size = self._packets, self.content, sum(map(len, views))
        assert runs is not None
        taken = dropped = 0
        while runs and taken < size:
            run = runs[0]
            if run[1]:
                dropped = taken + run[0]
                taken = min(dropped, size)
                del runs[0]
                break
            step = min(run[0], size - taken)
            taken += step
            run[0] -= step
            if not run[0]:
                del runs[0]
        with memoryview(content) as whole:
            scatter(whole[:taken], views)
        del content[: max(taken, dropped)]
        if not runs:
            self._packets = None
        if self.capacity - len(content) >= PIPE_BUF:
            self.wake_writers()
        return taken

    # Looking before taking, for splice and tee

    @property
    def room(self) -> int:
        """How many bytes there is room for in whole pages: none, when a writer would have to wait."""
        room = self.capacity - len(self.content)
        return room - room % PIPE_BUF

    def peek(self, limit: int) -> list[tuple[bytes, bool]]:
        """Return what is in front, up to `limit` bytes, in runs: (bytes, whether they are a packet)."""
        content = self.content
        if self._packets is None:
            return [(bytes(content[:limit]), False)] if content else []
        runs, start = [], 0
        for length, packet in self._packets:
            length = min(length, limit - start)
            if length <= 0:
                break
            runs.append((bytes(content[start : start + length]), bool(packet)))
            start += length
        return runs

    def drop(self, count: int) -> None:
        """Take away `count` bytes that were looked at."""
        del self.content[:count]
        runs = self._packets
        while runs and count:
            step = min(runs[0][0], count)
            runs[0][0] -= step
            count -= step
            if not runs[0][0]:
                del runs[0]
        if not runs:
            self._packets = None
        if self.room:
            self.wake_writers()

    # Size

    def set_capacity(self, size: int, privileged: bool = False) -> int:
        """Resize to at least `size` bytes, a power of two of pages; return the new size (F_SETPIPE_SZ).

        EINVAL: beyond 2 GB; EPERM: more than fs.pipe-max-size, or than all pipes together may have;
        EBUSY: less than it holds
        """
        if size > 1 << 31:
            raise LinuxError(EINVAL)
        capacity = 1 << (max(PAGE_SIZE, size) - 1).bit_length()
        if capacity > max(self._budget.largest, self.capacity) and not privileged:
            raise LinuxError(EPERM)
        if capacity < len(self.content):
            raise LinuxError(EBUSY)
        self._budget.resize(self.capacity, capacity)
        self.capacity = capacity
        if capacity - len(self.content) >= PIPE_BUF:
            self.wake_writers()
        return capacity
