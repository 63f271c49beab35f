"""The summary that `--stats` prints: what happened, from the counters that the kernel keeps anyway."""

from __future__ import annotations

from lbw.faults.site import PATCHED, PUNNED, REDIRECTED, STEPPED, all_sites, mnemonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.path import FaultPath
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
        *engine.flush_counts(),
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
    if kernel.faults is not None and kernel.faults.traps:
        lines += ["", *fault_path(kernel.faults)]
    return "\n".join(lines) + "\n"


def fault_path(faults: FaultPath) -> list[str]:
    """Return what became of segment accesses, in all runs of the machine: sites and traps, by kind and opcode."""
    kinds = {kind: [0, 0] for kind in (PATCHED, PUNNED, REDIRECTED, STEPPED)}
    opcodes: dict[str, list[int]] = {}
    for site in all_sites(faults):
        for row in (kinds[site.kind], opcodes.setdefault(mnemonic(site), [0, 0])):
            row[0] += 1
            row[1] += site.faults
    total = [sum(row[column] for row in kinds.values()) for column in (0, 1)]
    total[1] = faults.traps
    lines = ["       sites         traps  thread-local memory", _line(total, "instructions that trapped")]
    lines += [_line(kinds[kind], f"  {kind}") for kind in kinds if kinds[kind][0]]
    if faults.forgotten:
        lines.append(f"{faults.forgotten:>12,}                sites forgotten")
    if kinds[STEPPED][1]:
        lines.append(f"{kinds[STEPPED][1]:>26,}  single steps")
    lines += [
        f"{sum(len(arena.pages) for arena in faults.fragments.arenas.values()):>12,}  pages of fragments (4 kB)",
        f"{len(faults.engine.originals):>12,}  patched copies of pages (4 kB)",
        "", "       sites         traps  by opcode",
    ]  # fmt: skip
    ordered = sorted(opcodes.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
    lines += [_line(row, name) for name, row in ordered[:LISTED]]
    rest = [row for _, row in ordered[LISTED:]]
    if rest:
        lines.append(_line([sum(row[column] for row in rest) for column in (0, 1)], f"{len(rest)} others"))
    return lines


def _line(row: list[int], name: str) -> str:
    return f"{row[0]:>12,}  {row[1]:>12,}  {name}"
