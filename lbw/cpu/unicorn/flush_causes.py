"""Why the TLB is flushed, as bits: one flush before the next run answers all that came together.

Size.  The emulated TLB is direct-mapped, has 64 entries at least, and changes its size only when it is flushed: to
twice as many when more than 70 % were used since the last time, to fewer when less than 30 % were for 100 ms. So a
program that computes and is never flushed keeps what it began with, and a store or load that misses takes 100 to 200
ns in place of 10. Therefore it is flushed now and then for no other cause (GROWN): each time the resident pages of a
space have doubled, and at preemptions, at first soon and then ever more rarely. A flush costs 0.1 to 0.2 us for each
page that is used again.
"""

from __future__ import annotations

#: Another address space; pages were removed; rights were taken away; a fork; a copy on write that the kernel made;
#: other frames are shown as code; the program uses more pages than before, and the TLB grows when it is flushed; a page
#: is executed for the first time.
SWITCHED, REMOVED, RESTRICTED, FORKED, COPIED, CODE, GROWN, RUN = (1 << bit for bit in range(8))

NAMES = {
    SWITCHED: "another address space",
    REMOVED: "pages removed",
    RESTRICTED: "rights taken away",
    FORKED: "fork",
    COPIED: "copied on write by the kernel",
    CODE: "code exchanged",
    GROWN: "to let the TLB grow",
    RUN: "first executed",
}


def tally(counts: dict[int, int]) -> dict[str, int]:
    """Return how many flushes each cause took part in, of counts by the causes that came together."""
    return {name: sum(count for causes, count in counts.items() if causes & bit) for bit, name in NAMES.items()}
