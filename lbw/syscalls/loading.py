"""From the modules of this package to the table of an ABI.

Importing a handler module enters its rows; every module of the package is imported, so a new family of calls is a new
file and nothing else.
"""

from __future__ import annotations

import os
from importlib import import_module

from lbw.syscalls.table import ROWS, Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi


def load_modules() -> None:
    """Import every module of this package."""
    directory = os.path.dirname(__file__)
    names = {name.partition(".")[0] for name in os.listdir(directory) if name.endswith((".py", ".pyc"))}
    for name in sorted(names - {"__init__"}):
        import_module(f"lbw.syscalls.{name}")


def load_table(abi: Abi) -> list[Row | None]:
    """Return the rows by number; None where lbw has no such call."""
    load_modules()
    numbers = abi.numbers
    rows: list[Row | None] = [None] * (max(numbers.values()) + 1)
    for name, row in ROWS.items():
        number = numbers.get(name)
        if number is not None:
            rows[number] = row
    return rows
