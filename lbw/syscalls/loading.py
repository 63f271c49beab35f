"""From the modules of this package to the table of an ABI.

Importing a handler module enters its rows; every module of the package is imported, so a new family of calls is a new
file and nothing else. The rows that an ABI has for itself are in a subpackage called after it.
"""

from __future__ import annotations

import os
from importlib import import_module

from lbw.syscalls.table import Row, rows_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi


def load_modules(package: str = "") -> None:
    """Import every module of this package, or of the subpackage `package`."""
    directory = os.path.join(os.path.dirname(__file__), package)
    names = {name.partition(".")[0] for name in os.listdir(directory) if name.endswith((".py", ".pyc"))}
    prefix = f"lbw.syscalls.{package}." if package else "lbw.syscalls."
    for name in sorted(names - {"__init__"}):
        import_module(prefix + name)


def load_rows(abi: Abi) -> dict[str, Row]:
    """Return the rows of `abi` by name, all modules loaded."""
    load_modules()
    if os.path.isdir(os.path.join(os.path.dirname(__file__), abi.name)):
        load_modules(abi.name)
    return rows_of(abi)


def load_table(abi: Abi) -> list[Row | None]:
    """Return the rows by number; None where lbw has no such call."""
    numbers = abi.numbers
    rows: list[Row | None] = [None] * (max(numbers.values()) + 1)
    for name, row in load_rows(abi).items():
        rows[numbers[name]] = row
    return rows
