"""docs/coverage.md, generated from the system call tables: `python -m lbw.trace.coverage > docs/coverage.md`

What is there is told by the rows, what is not by the numbers of an ABI without a row.
"""

from __future__ import annotations

from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64
from lbw.syscalls.loading import load_rows
from lbw.syscalls.table import FULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.syscalls.table import Row

ABIS = (X86_64, I386)

#: Names of the families, by the module that has the handlers; others are called after their module.
TITLES = {
    "open": "Opening and closing",
    "readwrite": "Reading and writing",
    "positioned": "Reading and writing at an offset",
    "stat": "Attributes, read",
    "attributes": "Attributes, changed",
    "xattr": "Extended attributes",
    "directory": "Directories",
    "links": "Names",
    "descriptors": "Descriptors",
    "locks": "File locks",
    "select": "Waiting for files: select",
    "ioctl": "Device control",
    "poll": "Waiting for files: poll",
    "pipe": "Pipes",
    "sendfile": "Copying between files",
    "sync": "Durability",
    "memory": "Memory",
    "files": "Files of 32-bit programs",
    "ids": "Ids of 16 bits",
    "time": "Times of 32-bit programs",
    "multiplexed": "Several calls behind one number",
    "nowhere": "Not there in any Linux of today",
}


def coverage(abis: tuple[Abi, ...]) -> str:
    """Return the document: counts, a table for each family, and what is missing."""
    lines = [
        "# System calls",
        "",
        "Generated from the system call table by `python -m lbw.trace.coverage`; do not edit.",
        "",
    ]
    rows = {abi: load_rows(abi) for abi in abis}
    for abi in abis:
        present, numbers = rows[abi], abi.numbers
        full = sum(row.support == FULL for row in present.values())
        lines.append(
            f"Linux {abi.name} has {len(numbers)} system calls. lbw has {len(present)}: {full} in full,"
            f" {len(present) - full} in part."
        )
    lines.append("The others answer ENOSYS, and lbw names each of them once.")
    families: dict[str, dict[str, Row]] = {}
    for abi in reversed(abis):  # the row of the first ABI is the one that is shown
        for name, row in rows[abi].items():
            family = row.handler.__module__.rpartition(".")[2]
            for other in families.values():
                other.pop(name, None)
            families.setdefault(family, {})[name] = row
    for family in sorted(filter(families.__getitem__, families), key=title):
        lines += ["", f"## {title(family)}", ""]
        names = " | ".join(abi.name for abi in abis)
        lines += [f"| {names} | call | support | note |", f"|{'---:|' * len(abis)}---|---|---|"]
        for name, row in sorted(families[family].items(), key=lambda item: place(abis, item[0])):
            places = [str(abi.numbers.get(name, "")) if name in rows[abi] else "" for abi in abis]
            lines.append(f"| {' | '.join(places)} | {name} | {row.support} | {row.note} |")
    lines += ["", "## Not there"]
    for abi in abis:
        numbers = abi.numbers
        missing = [name for name in sorted(numbers, key=numbers.__getitem__) if name not in rows[abi]]
        lines += ["", f"{abi.name}: " + ", ".join(f"{name} ({numbers[name]})" for name in missing) + "."]
    return "\n".join(lines) + "\n"


def title(family: str) -> str:
    """Return the heading of a family."""
    return TITLES.get(family, family.capitalize().replace("_", " "))


def place(abis: tuple[Abi, ...], name: str) -> tuple[int, int]:
    """Return where a call stands in its table: by number, those of the first ABI before those that others have."""
    return next((index, abi.numbers[name]) for index, abi in enumerate(abis) if name in abi.numbers)


if __name__ == "__main__":
    print(coverage(ABIS), end="")
