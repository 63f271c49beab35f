"""Why the TLB is flushed, as bits: one flush before the next run answers all that came together."""

from __future__ import annotations

#: Another address space; pages were removed; rights were taken away; a fork; a copy on write that the kernel made;
#: other frames are shown as code.
SWITCHED, REMOVED, RESTRICTED, FORKED, COPIED, CODE = (1 << bit for bit in range(6))

NAMES = {
    SWITCHED: "another address space",
    REMOVED: "pages removed",
    RESTRICTED: "rights taken away",
    FORKED: "fork",
    COPIED: "copied on write by the kernel",
    CODE: "code exchanged",
}


def tally(counts: dict[int, int]) -> dict[str, int]:
    """Return how many flushes each cause took part in, of counts by the causes that came together."""
    return {name: sum(count for causes, count in counts.items() if causes & bit) for bit, name in NAMES.items()}
