"""Clocks from the time-stamp counter: what the vDSO computes without a system call, and the kernel just so.

    time of a clock = its time at the base + (ticks since the base * multiplier >> 32)

The page of clocks (`lbw.abi.vvar`) has base and multipliers, and says for how many ticks they hold: a tenth of a
second. A program that asks later makes the system call instead, and that is when the kernel looks at the host's clocks
again: so what nobody asks for costs nothing, and no answer is older than that. The first system call only notes where
the counter stands. From the second on its rate is known, the better the longer ago the first one was, and holds for
as long as it was measured.

Rules.
- What a program has been shown never goes back, whether by the vDSO or by a system call: both use the same numbers
  while these hold, and a new base is not before the last time that the old one could show. When the host is behind
  that, the multiplier lets it catch up until the next base.
- A counter that does not run at an even rate between 1 and 20 GHz is not believed in, and every question remains a
  system call: emulators on other processors have such ones. So does a machine without a counter, and a repeatable run.
- What waits goes by the host's clock. The two differ by less than a microsecond (docs/time.md), less than a wake-up
  takes.

Rejected: a thread or the ticker that refreshes the page (wakes an idle lbw, and the processor would have to be
interrupted in the middle of a computation); an own time for the kernel, read through the counter by all that waits.
"""

from __future__ import annotations

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
)
from lbw.abi.vvar import CLOCKS, ENTRIES, ENTRY, HEAD
from lbw.kernel.clock import HostClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 10**9
#: For how long a base holds at most, ns.
LONGEST = 100_000_000
#: The rate is measured over at least this, and over at most about twice this, ns.
SHORTEST, BASELINE = 500_000, 8 * SECOND
#: Ticks that an undisturbed sample takes at most; how often others are taken again; with how many one is no use.
UNDISTURBED, TRIES, USELESS = 2000, 4, 20000
#: The clock of day is said to be set when it moves by more than this against the monotonic one, ns.
SET = 2000
#: How far the counter may be from its rate after an interval: parts of one, and ns.
UNEVEN, BLURRED = 0.001, 20_000
#: ns of a tick, times 2^32, from 1 to 20 GHz.
_SLOWEST, _FASTEST = 1 << 32, (1 << 32) // 20
_SHIFT = 32


class CounterClock(HostClock):
    """The host's clocks, shown through a time-stamp counter once that is known to be one."""

    __slots__ = (
        "_base", "_counter", "_entries", "_floor", "_last", "_limit", "_middle", "_multiplier", "_offsets", "_origin",
        "_page", "_sequence", "_window",
    )  # fmt: skip

    def __init__(self, counter: Callable[[], int] | None, page: memoryview) -> None:
        """`counter` reads what `rdtsc` reads; None: there is none. `page` is the page of clocks of the machine."""
        super().__init__()
        self._counter = counter
        self._page = page
        self._base = self._limit = 0  # ticks
        self._multiplier = 0
        self._entries: dict[int, tuple[int, int]] = {}  # clock -> (ns at the base, multiplier)
        self._origin: tuple[int, int, int] | None = None  # ticks, monotonic and raw ns; rates count from here ...
        self._middle: tuple[int, int, int] | None = None  # ... and some time later from here
        self._last: tuple[int, int, int] | None = None
        self._offsets = (0, 0, 0)  # realtime, boottime and TAI, less monotonic
        self._window = 0  # ns between which realtime was read, when its offset was measured
        self._floor = 0  # monotonic time that has been shown by a counter that is not believed any more
        self._sequence = HEAD.unpack_from(page)[0]
        self._publish()

    def read(self, clock_id: int) -> int:
        """Return what a program sees that asks for the clock CLOCK_*.  EINVAL"""
        counter = self._counter
        if counter is not None:
            ticks = counter() - self._base
            if not 0 <= ticks < self._limit:
                self._refresh(counter)
                ticks = counter() - self._base
            entry = self._entries.get(clock_id)
            if entry is not None and 0 <= ticks < self._limit:
                return entry[0] + (ticks * entry[1] >> _SHIFT)
        if self._floor and clock_id in (CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE):
            return max(self._floor, self.monotonic())
        return super().read(clock_id)

    def _sample(self, counter: Callable[[], int]) -> tuple[int, int, int] | None:
        """Read counter, monotonic and raw time at once; None: lbw was interrupted each time."""
        best = None
        width = 0
        for _ in range(TRIES):
            before = counter()
            monotonic = self.monotonic()
            between = counter()
            raw = self.raw()
            after = counter()
            if best is None or after - before < width:
                width = after - before
                best = ((before + between) // 2, monotonic, raw, (between + after) // 2)
            if width < UNDISTURBED:
                break
        if best is None or width > USELESS:
            return None
        ticks, monotonic, raw, at_raw = best
        rate = self._multiplier or _SLOWEST >> 1
        return ticks, monotonic, raw - ((at_raw - ticks) * rate >> _SHIFT)

    def _refresh(self, counter: Callable[[], int]) -> None:
        """Look at the host's clocks, and begin a new interval if the rate is known."""
        sample = self._sample(counter)
        if sample is None:
            self._retire()  # the host's clocks answer for a while, and must not show less than was shown
            return
        origin = self._origin
        if origin is None or sample[0] <= origin[0]:
            self._restart(sample)
            return
        age = sample[1] - origin[1]
        if age < SHORTEST:
            return
        ticks = sample[0] - origin[0]
        rate = (age << _SHIFT) // ticks
        raw_rate = (sample[2] - origin[2] << _SHIFT) // ticks
        if not (_FASTEST < rate < _SLOWEST and _FASTEST < raw_rate < _SLOWEST):
            self._give_up()
            return
        if not self._even(sample, rate):
            self._restart(sample)
            return
        self._begin(sample, rate, raw_rate, min(LONGEST, age))
        if self._middle is None or sample[1] - self._middle[1] > BASELINE:
            self._origin, self._middle = self._middle or origin, sample

    def _even(self, sample: tuple[int, int, int], rate: int) -> bool:
        """Tell whether the counter has kept its rate since the last sample."""
        last, self._last = self._last, sample
        if last is None or sample[1] - last[1] < SHORTEST:
            return True
        elapsed = sample[1] - last[1]
        counted = (sample[0] - last[0]) * rate >> _SHIFT
        return abs(counted - elapsed) < elapsed * UNEVEN + BLURRED

    def _restart(self, sample: tuple[int, int, int]) -> None:
        """Measure the rate anew."""
        self._retire()
        self._origin = self._last = sample
        self._middle = None

    def _give_up(self) -> None:
        """Leave the counter alone for good."""
        self._retire()
        self._counter = None

    def _retire(self) -> None:
        if self._limit:
            shown, rate = self._entries[CLOCK_MONOTONIC]
            self._floor = shown + (self._limit * rate >> _SHIFT)
            self._limit = 0
            self._publish()

    def _begin(self, sample: tuple[int, int, int], rate: int, raw_rate: int, duration: int) -> None:
        """Begin an interval of `duration` ns at `sample`."""
        base, monotonic, raw = sample
        limit = (duration << _SHIFT) // rate
        shown = self._shown(CLOCK_MONOTONIC, base, self._floor)
        shown_raw = self._shown(CLOCK_MONOTONIC_RAW, base, 0)
        if shown > monotonic:  # let the host catch up
            rate -= min(rate >> 1, ((shown - monotonic) << _SHIFT) // limit)
        if shown_raw > raw:
            raw_rate -= min(raw_rate >> 1, ((shown_raw - raw) << _SHIFT) // limit)
        start = max(monotonic, shown)
        realtime, boottime, atomic = self._measure_offsets()
        self._entries = {
            CLOCK_MONOTONIC: (start, rate), CLOCK_MONOTONIC_COARSE: (start, rate),
            CLOCK_REALTIME: (start + realtime, rate), CLOCK_REALTIME_COARSE: (start + realtime, rate),
            CLOCK_MONOTONIC_RAW: (max(raw, shown_raw), raw_rate),
            CLOCK_BOOTTIME: (start + boottime, rate), CLOCK_TAI: (start + atomic, rate),
        }  # fmt: skip
        self._base, self._limit, self._multiplier = base, limit, rate
        self._floor = 0
        self._publish()

    def _shown(self, clock_id: int, base: int, otherwise: int) -> int:
        """Return the latest time that programs may have been shown of a clock until the counter was at `base`."""
        if not self._limit:
            return otherwise
        shown, rate = self._entries[clock_id]
        return shown + (min(max(0, base - self._base), self._limit) * rate >> _SHIFT)

    def _measure_offsets(self) -> tuple[int, int, int]:
        """Return how far realtime, boottime and TAI are from monotonic; unless one was set, as they were."""
        before = self.monotonic()
        realtime = self.realtime()
        after = self.monotonic()
        boottime, atomic = self.boottime(), self.atomic()
        old_realtime, old_suspended, _ = self._offsets
        offset, suspended = realtime - (before + after) // 2, boottime - after
        if abs(offset - old_realtime) < SET and after - before >= self._window:
            offset = old_realtime
        else:
            self._window = after - before
        if abs(suspended - old_suspended) < SET:
            suspended = old_suspended
        leap = (atomic - realtime + SECOND // 2) // SECOND * SECOND
        self._offsets = (offset, suspended, offset + leap)
        return self._offsets

    def _publish(self) -> None:
        """Write the page. No program runs meanwhile, but one may have been interrupted while it read."""
        page = self._page
        self._sequence = self._sequence + 1 & 0xFFFF_FFFF
        for clock_id in range(CLOCKS) if self._limit else ():
            time, multiplier = self._entries.get(clock_id, (0, 0))
            ENTRY.pack_into(page, ENTRIES + ENTRY.size * clock_id, *divmod(time, SECOND), multiplier)
        HEAD.pack_into(page, 0, self._sequence, int(self._limit > 0), self._base, self._limit)


