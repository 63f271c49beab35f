"""The summary that `--stats` prints: what happened, from the counters that the kernel keeps anyway."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel

#: System calls that are listed by name; the rest is one line.
LISTED = 20


def summary(kernel: Kernel) -> str:
    """Return the statistics of a run, as lines of text for a human."""
    counters = kernel.counters
    calls = kernel.call_counts()
    total = sum(calls.values())
    engine, frames = kernel.engine, kernel.frames
    rows = [
        ("system calls", total),
        ("page faults", counters.page_faults),
        ("other exceptions", counters.faults),
        ("emulated instructions", counters.emulated),
        ("preemptions", counters.preemptions),
        ("task switches", counters.switches),
        ("forks", counters.forks),
        ("execs", counters.execs),
        ("TLB flushes", getattr(engine, "flushes", 0)),
        ("translation flushes", getattr(engine, "code_flushes", 0)),
        ("frames in use (4 kB)", frames.used),
    ]
    lines = [f"{count:>12,}  {name}" for name, count in rows]
    if calls:
        lines += ["", "       calls  system call"]
        ordered = sorted(calls.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"{count:>12,}  {name}" for name, count in ordered[:LISTED]]
        rest = ordered[LISTED:]
        if rest:
            lines.append(f"{sum(count for _, count in rest):>12,}  {len(rest)} others")
    return "\n".join(lines) + "\n"
