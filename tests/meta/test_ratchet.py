"""What should become less may not become more.

The counts are in ratchet.json.  Who lowers one writes the new number down (`python tests/meta/test_ratchet.py` does);
to raise one, explain it in the commit.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest
from meta_sources import modules, tree_of

STORE = Path(__file__).with_name("ratchet.json")
LONGEST = 300


def stored() -> dict[str, int]:
    return json.loads(STORE.read_text()) if STORE.exists() else {}


def names(node: ast.AST | None) -> set[str]:
    """Return the name of a Name or an Attribute."""
    return {getattr(node, "id", ""), getattr(node, "attr", "")}


def comments(path: Path) -> list[tuple[int, str]]:
    """Return the comments of a file with their lines."""
    with path.open("rb") as file:
        tokens = tokenize.tokenize(file.readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


@cache
def places() -> dict[str, list[str]]:
    """Return where each dubious construct is in lbw/."""
    kinds = ("Any", "type: ignore", "noqa", "bare except", "except Exception", "cast", "long files")
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for module, path in modules().items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Name | ast.Attribute) and "Any" in names(node):
                found["Any"].append(f"{module}:{node.lineno}")
            elif isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    found["bare except"].append(f"{module}:{node.lineno}")
                elif {"Exception", "BaseException"} & names(node.type):
                    found["except Exception"].append(f"{module}:{node.lineno}")
            elif isinstance(node, ast.Call) and "cast" in names(node.func):
                found["cast"].append(f"{module}:{node.lineno}")
        for line, comment in comments(path):
            if re.search(r"type:\s*ignore", comment):
                found["type: ignore"].append(f"{module}:{line}")
            if re.search(r"\bnoqa\b", comment):
                found["noqa"].append(f"{module}:{line}")
        table = module.startswith("lbw.abi.numbers_")  # as long as the facts are many
        if not table and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST:
            found["long files"].append(module)
    return found


@pytest.mark.parametrize("what", sorted(stored()))
def test_counts_only_fall(what):
    limit = stored()[what]
    now = places()[what]
    assert len(now) <= limit, f"{what}: {len(now)}, it was {limit}: {', '.join(now)}"


def test_every_count_is_kept():
    assert places().keys() == stored().keys()


if __name__ == "__main__":
    old = stored()
    new = {what: min(len(found), old.get(what, len(found))) for what, found in places().items()}
    STORE.write_text(json.dumps(new, indent=4) + "\n")
    sys.stdout.write(STORE.read_text())
