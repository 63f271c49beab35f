"""docs/coverage.md, generated from the system call table: `python -m lbw.trace.coverage > docs/coverage.md`

What is there is told by the rows, what is not by the numbers of the ABI without a row.
"""

from __future__ import annotations

from lbw.abi.x86_64 import X86_64
from lbw.syscalls.table import FULL, ROWS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.syscalls.table import Row

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
}


def load_all() -> None:
    """Import every module of handlers, so that all rows are in the table."""
    from importlib import import_module
    from pkgutil import iter_modules

    import lbw.syscalls

    for module in iter_modules(lbw.syscalls.__path__):
        import_module(f"lbw.syscalls.{module.name}")


def coverage(abi: Abi, rows: dict[str, Row]) -> str:
    """Return the document: counts, a table for each family, and what is missing."""
    numbers = abi.numbers
    present = {name: row for name, row in rows.items() if name in numbers}
    full = sum(row.support == FULL for row in present.values())
    families: dict[str, list[Row]] = {}
    for row in present.values():
        families.setdefault(row.handler.__module__.rpartition(".")[2], []).append(row)
    lines = [
        "# System calls",
        "",
        "Generated from the system call table by `python -m lbw.trace.coverage`; do not edit.",
        "",
        f"Linux {abi.machine} has {len(numbers)} system calls. lbw has {len(present)}: {full} in full,"
        f" {len(present) - full} in part. The others answer ENOSYS, and lbw names each of them once.",
    ]
    for family in sorted(families, key=lambda name: TITLES.get(name, name.capitalize())):
        lines += ["", f"## {TITLES.get(family, family.capitalize().replace('_', ' '))}", ""]
        lines += ["| number | call | support | note |", "|---:|---|---|---|"]
        for row in sorted(families[family], key=lambda row: numbers[row.name]):
            lines.append(f"| {numbers[row.name]} | {row.name} | {row.support} | {row.note} |")
    missing = [name for name in sorted(numbers, key=numbers.__getitem__) if name not in present]
    lines += ["", "## Not there", "", ", ".join(f"{name} ({numbers[name]})" for name in missing) + "."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    load_all()
    print(coverage(X86_64, ROWS), end="")
