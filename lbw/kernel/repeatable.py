"""A run that repeats exactly (`--deterministic`): time, turns and randomness come from a seed.

- **Time** is virtual. Each trap takes `TRAP`; when everybody waits, time jumps to the next timer, so that sleeping
  takes no time at all. The calendar starts at `EPOCH`. The time-stamp counter is withheld, and counts virtual
  nanoseconds.
- **Turns** are counted in traps. How many a task gets is drawn from the seed, so that another seed is another
  interleaving of the threads: a race that shows with one seed shows with it every time.
- **Randomness** (getrandom, AT_RANDOM, /dev/urandom) is drawn from the seed; RDRAND and RDSEED do not exist.

What comes from the host is not virtual: input that a program waits for is taken when nobody can run, before time jumps;
times, inode numbers and the order of names in directories of the host are the host's.

A task that computes without a trap for a second of the host's time while others wait cannot be counted. It is
interrupted, or a program that spins until another thread does something would hang; that run may not repeat, and lbw
says so and interrupts every 10 ms from then on. Rejected: counting blocks or instructions, which Unicorn does by a hook
on each: 10 to 30 times slower.
"""

from __future__ import annotations

from random import Random

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import ALL, RAX, RCX, RDX, RIP
from lbw.host.clock import monotonic_ns
from lbw.kernel.clock import Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.task import Task

#: Virtual time of a trap, ns.
TRAP = 1000
#: 2020-01-01 00:00:00 UTC, ns.
EPOCH = 1_577_836_800 * 10**9
#: The monotonic clock at the start, ns.
START = 10**9
#: The longest turn, traps.
LONGEST = 200
#: How long a task may compute without a trap, ns of the host's time.
PATIENCE = 10**9
#: How long once the run is lost.
SLICE = 10**7

_RDTSC, _RDTSCP = b"\x0f\x31", b"\x0f\x01\xf9"
_WORD = 0xFFFF_FFFF


class VirtualClock(Clock):
    """Time that passes with traps."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = self.boot = START

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return EPOCH + self.now - START

    def processor(self) -> int:
        return self.now


class Turn:
    """An iterator over the traps of a turn, counting on from where the last one was."""

    __slots__ = ("_clock", "_count", "_left", "_mark", "_random", "_since", "_total", "patience")

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._left = self._count = self._total = 0
        self._mark = -1  # the number of traps when the task was seen computing
        self._since = 0  # when that was, by the host's clock
        self.patience = PATIENCE

    def begin(self, count: int) -> Turn:
        """Draw a new turn; `count` traps are behind the task."""
        self._left = self._random.randint(1, LONGEST)
        self._count = count
        return self

    def __iter__(self) -> Turn:
        return self

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        self._left -= 1
        self._count += 1
        self._total += 1
        self._clock.now += TRAP
        return self._count

    def take_back(self) -> bool:
        """Forget the last trap, which was an interruption from outside; True: the task has computed for too long."""
        self._left += 1
        self._count -= 1
        self._total -= 1
        self._clock.now -= TRAP
        now = monotonic_ns()
        if self._mark != self._total:
            self._mark, self._since = self._total, now
            return False
        return now - self._since >= self.patience


class Repeatable:
    """What makes a run repeat."""

    __slots__ = ("_reported", "clock", "random", "turn")

    def __init__(self, seed: int) -> None:
        self.clock = VirtualClock()
        self.turn = Turn(self.clock, Random(f"turns {seed}"))
        self.random = Random(f"bytes {seed}").randbytes
        self._reported = False

    def idle(self, kernel: Kernel) -> None:
        """Take what the host has, or go on to the next timer; with neither, wait for the host."""
        events, timers = kernel.events, kernel.timers
        if (events.attention or events.pending) and events.poll():
            return
        deadline = timers.next_deadline()
        if deadline is None:
            events.wait(None)
            return
        self.clock.now = max(self.clock.now, deadline)
        timers.run_due(self.clock.now)

    def interrupted(self, task: Task) -> bool:
        """A task was interrupted from outside: return whether it must let others run after all."""
        if not self.turn.take_back():
            return False
        self.clock.now += SLICE  # or whoever waits for time to pass, by spinning, would wait for ever
        if not self._reported:
            self._reported = True
            self.turn.patience = SLICE // 2
            if task.kernel.scheduler.ticker is not None:
                task.kernel.scheduler.ticker.period = SLICE
            task.kernel.report(
                f"--deterministic: {task.comm.decode(errors='replace')}[{task.process.pid}] computed for a second "
                "while others waited, and was interrupted: this run may not repeat"
            )
        return True

    def counter_read(self, task: Task) -> bool:
        """Carry out the `rdtsc` or `rdtscp` that was refused; False: it was something else."""
        context = task.context
        registers = context.registers
        try:
            code = task.memory.read(registers[RIP], 2)
            if code != _RDTSC:
                code = task.memory.read(registers[RIP], 3)
                if code != _RDTSCP:
                    return False
                registers[RCX] = 0
        except LinuxError:
            return False
        registers[RAX], registers[RDX] = self.clock.now & _WORD, self.clock.now >> 32
        registers[RIP] += len(code)
        context.modified = ALL
        return True
