"""How long to look: a little in a test run, as long as wanted by hand."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-examples", type=int, default=0, metavar="N",
        help="random programs per family and file system; with it, other programs in every run",
    )  # fmt: skip
