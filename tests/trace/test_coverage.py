"""The generated document and the run's summary."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_harness import Guest

from lbw.abi.errno import NAMES
from lbw.abi.x86_64 import X86_64
from lbw.cpu.scripted import Call
from lbw.syscalls.loading import load_rows
from lbw.syscalls.table import ROWS, VARIANTS
from lbw.trace.coverage import ABIS, coverage
from lbw.trace.errors import error_text
from lbw.trace.stats import summary

ROOT = Path(__file__).parent.parent.parent


def test_the_document_is_what_the_tables_say():
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage(ABIS)


@pytest.mark.parametrize("column, abi", list(enumerate(ABIS)), ids=lambda value: getattr(value, "name", ""))
def test_every_call_is_either_there_or_missing(column, abi):
    text = coverage(ABIS)
    lines = [line.split("|")[1:] for line in text.splitlines() if line.startswith("| ") and "| call" not in line]
    rows = {cells[len(ABIS)].strip() for cells in lines if cells[column].strip()}
    (listed,) = [line for line in text.splitlines() if line.startswith(f"{abi.name}: ")]
    missing = {item.split(" ")[0] for item in listed.removeprefix(f"{abi.name}: ").rstrip(".").split(", ")}
    assert rows | missing == set(abi.numbers)
    assert not rows & missing


def test_every_row_has_a_number_and_a_docstring():
    for abi in ABIS:
        for name, row in load_rows(abi).items():
            assert row.handler.__doc__, name
    for name in ROWS:
        assert name in X86_64.numbers
    for abi in ABIS:
        assert set(VARIANTS.get(abi.name, ())) <= set(abi.numbers)


def test_the_summary_counts():
    guest = Guest()

    def main(cpu):
        for _ in range(5):
            yield Call("getpid")

    guest.run(main)
    text = summary(guest.kernel)
    assert "           5  getpid\n" in text
    assert "page faults" in text


def test_every_error_has_words():
    for number in NAMES:
        assert not error_text(number).startswith("Unknown"), number
