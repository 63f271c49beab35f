"""What the tests of the tree share: the modules of lbw and what each of them imports."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "lbw"


class Import:
    """An import of `module`, absolute, that happens when the program runs (not only for the type checker)."""

    def __init__(self, module: str, names: tuple[str, ...], line: int, lazy: bool) -> None:
        self.module = module
        self.names = names
        self.line = line
        self.lazy = lazy  # inside a function


@cache
def modules() -> dict[str, Path]:
    """Return the files of all modules by their dotted names."""
    result = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        result[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return result


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> list[Import]:
    """Return all imports of a module but those under `if TYPE_CHECKING`."""
    found: list[Import] = []
    _collect(tree_of(path), False, found)
    return found


def _collect(node: ast.AST, lazy: bool, found: list[Import]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            found.extend(Import(alias.name, (), child.lineno, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative import"
            found.append(Import(child.module or "", tuple(alias.name for alias in child.names), child.lineno, lazy))
        elif isinstance(child, ast.If) and is_type_checking(child.test):
            for part in child.orelse:
                _collect(part, lazy, found)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            _collect(child, lazy or inside, found)


def is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def imported_modules(item: Import) -> list[str]:
    """Return which modules of lbw an import means: `from lbw.abi import errno` is lbw.abi.errno."""
    if not (item.module == "lbw" or item.module.startswith("lbw.")):
        return []
    submodules = [f"{item.module}.{name}" for name in item.names if f"{item.module}.{name}" in modules()]
    return submodules if submodules and len(submodules) == len(item.names) else [item.module, *submodules]
