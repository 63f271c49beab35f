"""The closure of the wanted packages under Pre-Depends and Depends.

Deliberately not a SAT solver: like debootstrap and apt in the common case, each dependency takes the first alternative
that works, and the highest version of each name that the sources offer.  What is already chosen is preferred, so the
names that are asked for come first and decide between alternatives (`mawk` before anything needs an `awk`).  Recommends
are left out.  The result is checked at the end: a root with a conflict inside is refused rather than built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lbw.chroot.errors import ResolveError
from lbw.chroot.packages import Package, PackageIndex, Relation

PREFERRED = frozenset({"usr-is-merged"})
"""Taken before other alternatives: every root is merged already, and `usrmerge`, the other one, needs all of perl."""

_PRIORITIES = {"required": 0, "important": 1, "standard": 2, "optional": 3}


def resolve(index: PackageIndex, names: Iterable[str]) -> list[Package]:
    """Return the packages `names` and everything they need, in the order in which they were found.

    A name may be virtual, and may carry a version as `name=version`.  Raises ResolveError naming what is missing or
    conflicts.
    """
    resolution = _Resolution(index)
    for name in names:
        resolution.want(_requested(name))
    resolution.close()
    resolution.check()
    return list(resolution.chosen.values())


def _requested(name: str) -> Relation:
    name, _, version = name.partition("=")
    return Relation(name.strip(), "=", version.strip()) if version else Relation(name.strip())


class _Resolution:
    def __init__(self, index: PackageIndex) -> None:
        self.index = index
        self.chosen: dict[str, Package] = {}
        self._provided: dict[str, list[Package]] = {}
        self._queue: deque[Package] = deque()

    def want(self, relation: Relation) -> None:
        if not self._is_satisfied(relation):
            package = self._candidate(relation)
            if package is None:
                raise ResolveError(f"there is no package {relation} in these sources")
            self._choose(package)

    def close(self) -> None:
        while self._queue:
            package = self._queue.popleft()
            for group in package.depends:
                if not any(self._is_satisfied(relation) for relation in group):
                    ordered = sorted(group, key=lambda relation: relation.name not in PREFERRED)
                    found = next(filter(None, map(self._candidate, ordered)), None)
                    if found is None:
                        wanted = " | ".join(map(str, group))
                        raise ResolveError(f"{package.name} {package.version} depends on {wanted}, which is not there")
                    self._choose(found)

    def check(self) -> None:
        for package in self.chosen.values():
            for relation in package.conflicts:
                for other in (self.chosen.get(relation.name), *self._provided.get(relation.name, ())):
                    if other is not None and other is not package and other.satisfies(relation):
                        raise ResolveError(f"{package.name} conflicts with {other.name} {other.version} ({relation})")

    def _choose(self, package: Package) -> None:
        self.chosen[package.name] = package
        for name in package.provides:
            self._provided.setdefault(name, []).append(package)
        self._queue.append(package)

    def _is_satisfied(self, relation: Relation) -> bool:
        package = self.chosen.get(relation.name)
        if package is not None and package.satisfies(relation):
            return True
        return any(provider.satisfies(relation) for provider in self._provided.get(relation.name, ()))

    def _candidate(self, relation: Relation) -> Package | None:
        """Return the best package for `relation`: a real one, else the provider that Debian considers most usual."""
        if relation.name not in self.chosen:  # one version of a name: a second one would overwrite the first
            for package in self.index.versions(relation.name):
                if package.satisfies(relation) and not self._conflicts(package):
                    return package
        providers = [
            package
            for package in self.index.providers(relation)
            if package.name not in self.chosen and not self._conflicts(package)
        ]
        return min(providers, key=lambda p: (_PRIORITIES.get(p.fields.get("Priority", ""), 4), p.name), default=None)

    def _conflicts(self, package: Package) -> bool:
        """Tell whether choosing `package` is hopeless: it names, or is named by, a conflict with a chosen one."""
        for relation in package.conflicts:
            other = self.chosen.get(relation.name)
            if other is not None and other.satisfies(relation):
                return True
        return any(package.satisfies(relation) for other in self.chosen.values() for relation in other.conflicts)
