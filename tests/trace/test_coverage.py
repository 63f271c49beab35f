"""The generated document and the run's summary."""

from __future__ import annotations

from pathlib import Path

from kernel_harness import Guest

from lbw.abi.errno import NAMES
from lbw.abi.x86_64 import X86_64
from lbw.cpu.scripted import Call
from lbw.syscalls.table import ROWS
from lbw.trace.coverage import coverage, load_all
from lbw.trace.errors import error_text
from lbw.trace.stats import summary

ROOT = Path(__file__).parent.parent.parent


def test_the_document_is_what_the_table_says():
    load_all()
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage(X86_64, ROWS)


def test_every_call_is_either_there_or_missing():
    load_all()
    text = coverage(X86_64, ROWS)
    lines = [line for line in text.splitlines() if line.startswith("| ") and "| number" not in line]
    rows = {line.split("|")[2].strip() for line in lines}
    missing = {item.split(" ")[0] for item in text.rpartition("\n\n")[2].rstrip(".\n").split(", ")}
    assert rows | missing == set(X86_64.numbers)
    assert not rows & missing


def test_every_row_has_a_number_and_a_docstring():
    load_all()
    for name, row in ROWS.items():
        assert name in X86_64.numbers
        assert row.handler.__doc__, name


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
