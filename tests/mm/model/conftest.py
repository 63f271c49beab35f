"""How often the leak tests repeat what they do."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--leak-factor", type=int, default=1, metavar="N", help="repeat what must not leak N times as often"
    )
