"""lbw maps no file of the host into itself: one that shrinks under it would kill it with SIGBUS."""

from __future__ import annotations

import ast

from meta_sources import modules, tree_of

#: Who may import mmap, and why: the RAM, a memory file or section of lbw's own; reference counts, no file at all.
ALLOWED = {"lbw.host.memory", "lbw.mm.frames"}


def test_only_memory_of_its_own_is_mapped():
    found = set()
    for name, path in modules().items():
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if "mmap" in names or (isinstance(node, ast.ImportFrom) and node.module == "mmap"):
                found.add(name)
    assert found <= ALLOWED
