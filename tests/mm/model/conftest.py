"""What tests of the memory model share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_guest import Guest

sys.path.append(str(Path(__file__).parents[1]))  # file_source


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--leak-factor", type=int, default=1, metavar="N", help="repeat what must not leak N times as often"
    )
    parser.addoption(
        "--model-batches", type=int, default=0, metavar="N",
        help="batches of 100 random sequences per kind of guest; with it, other sequences in every run",
    )  # fmt: skip


class Guests(dict[str, Guest]):
    """Guests by kind, made when first asked for: host or host32, and a mode of --segments behind it."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self.factory = factory

    def __missing__(self, kind: str) -> Guest:
        name, _, segments = kind.partition(" ")
        bits = 32 if name.endswith("32") else 64
        made = self[kind] = Guest(self.factory.mktemp("model"), bits, segments or "patch")
        return made


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Guest]]:
    made = Guests(tmp_path_factory)
    yield made
    for guest in made.values():
        guest.close()
