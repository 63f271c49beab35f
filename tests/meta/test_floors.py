"""A package imports from lower floors only, at any time: imports inside functions count, those for types do not."""

from __future__ import annotations

import pytest
from meta_sources import imported_modules, imports_of, modules

#: The top floor is first.  `lbw` itself is the façade: it imports by name, when asked.
FLOORS = {
    "__main__": 8,
    "cli": 7,
    "machine": 6,
    "syscalls": 5,
    "kernel": 4,
    "signals": 3, "vfs": 3, "net": 3, "ipc": 3, "faults": 3, "loader": 3,
    "mm": 2,
    "cpu": 1,
    "abi": 0, "host": 0, "errors": 0, "waiting": 0, "version": 0,
}  # fmt: skip

#: Beside the floors: what each may import.  An observer sees everything; a builder of roots needs files only.
BESIDE = {
    "trace": {"abi", "errors", "faults", "signals", "kernel", "syscalls", "trace", "version"},
    "chroot": {"host", "errors", "version", "chroot", "vfs.host.metadata"},
}
#: Who may import what stands beside, and, if not None, from nowhere but inside a function.
USERS = {"trace": {"cli", "machine"}, "chroot": {"cli", "machine"}}

#: Imports on the same floor between packages.
NEIGHBOURS = {
    ("loader", "vfs"), ("net", "vfs"), ("ipc", "vfs"),
    ("host", "errors"), ("host", "abi"), ("errors", "abi"), ("waiting", "abi"),
}  # fmt: skip


def package(module: str) -> str:
    """Return `vfs` for lbw.vfs.walk, and `` for lbw itself."""
    return module.partition(".")[2].partition(".")[0]


def allowed(importer: str, imported: str) -> bool:
    here, there = package(importer), package(imported)
    if here == there or there == "" or here == "":
        return True
    if here in BESIDE:
        path = imported.partition(".")[2]
        return there in BESIDE[here] or path in BESIDE[here]
    if there in BESIDE:
        return here in USERS[there]
    return FLOORS[here] > FLOORS[there] or (here, there) in NEIGHBOURS


def test_every_package_has_a_floor():
    known = FLOORS.keys() | BESIDE.keys() | {""}
    assert {package(module) for module in modules()} <= known


@pytest.mark.parametrize("name", [*FLOORS, *BESIDE])
def test_imports_go_down(name):
    upward = []
    for module, path in modules().items():
        if package(module) != name:
            continue
        for item in imports_of(path):
            upward += [
                f"{module}:{item.line} imports {imported}"
                for imported in imported_modules(item)
                if not allowed(module, imported)
            ]
    assert upward == []


def test_observers_are_imported_only_when_wanted():
    """Nothing pays for strace, or for the builder of roots, that does not use it."""
    early = [
        f"{module}:{item.line} imports {item.module}"
        for module, path in modules().items()
        for item in imports_of(path)
        if not item.lazy and package(item.module) in BESIDE and package(module) != package(item.module)
    ]
    assert early == []
