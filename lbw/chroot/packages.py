"""The packages of all sources, indexed without parsing what is not used.

Debian's main archive is 64,000 records in 50 MB of text.  Parsing them all with a general deb822 parser takes tens of
seconds; a root needs about a hundred.  So the bytes are only cut at empty lines, and each piece filed under its name
(its first line) and, when it has a `Provides:`, under what it provides.  It becomes a `Package` when it is asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from debian.deb822 import Deb822, PkgRelation
from debian.debian_support import Version

from lbw.chroot.errors import SourceError

_PROVIDES = re.compile(rb"^Provides:(.*(?:\n[ \t].*)*)", re.M)
_ESSENTIAL = re.compile(rb"^(?:Essential: yes|Priority: required)$", re.M)
_COMPARE = {
    "<<": Version.__lt__, "<=": Version.__le__, "=": Version.__eq__, ">=": Version.__ge__, ">>": Version.__gt__,
    "<": Version.__le__, ">": Version.__ge__,  # obsolete spellings, Debian policy 7.1
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """One alternative of a dependency: a name, and optionally an operator and a version."""

    name: str
    operator: str = ""
    version: str = ""

    def accepts(self, version: str | None) -> bool:
        """Tell whether `version` satisfies the constraint; None is a virtual package without a version."""
        if not self.operator:
            return True
        if version is None:
            return False
        return bool(_COMPARE[self.operator](_version(version), _version(self.version)))

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@dataclass(frozen=True, eq=False)
class Package:
    """One binary package of one archive."""

    name: str
    version: str
    fields: dict[str, str]
    base_uri: str

    @property
    def architecture(self) -> str:
        return self.fields.get("Architecture", "")

    @property
    def url(self) -> str:
        return f"{self.base_uri.rstrip('/')}/{self.fields.get('Filename', '')}"

    @property
    def size(self) -> int:
        """Bytes of the .deb."""
        return _number(self.fields, "Size")

    @property
    def installed_size(self) -> int:
        """Bytes that the unpacked package takes, roughly."""
        return _number(self.fields, "Installed-Size") * 1024

    @property
    def sha256(self) -> str:
        return self.fields.get("SHA256", "").lower()

    @property
    def required(self) -> bool:
        """Whether the package is Essential or of priority required."""
        return self.fields.get("Essential") == "yes" or self.fields.get("Priority") == "required"

    @functools.cached_property
    def depends(self) -> list[list[Relation]]:
        """Pre-Depends and Depends: a conjunction of alternatives."""
        return [*parse_relations(self.fields.get("Pre-Depends")), *parse_relations(self.fields.get("Depends"))]

    @functools.cached_property
    def conflicts(self) -> list[Relation]:
        """What must not be there as well: Conflicts and Breaks."""
        groups = [*parse_relations(self.fields.get("Conflicts")), *parse_relations(self.fields.get("Breaks"))]
        return [relation for group in groups for relation in group]

    @functools.cached_property
    def provides(self) -> dict[str, str | None]:
        """Names that this package answers to besides its own, with the version if one is given."""
        return {relation.name: relation.version or None
                for group in parse_relations(self.fields.get("Provides")) for relation in group}  # fmt: skip

    def satisfies(self, relation: Relation) -> bool:
        """Tell whether this package is, or provides, what `relation` asks for."""
        if relation.name == self.name:
            return relation.accepts(self.version)
        return relation.name in self.provides and relation.accepts(self.provides[relation.name])


class PackageIndex:
    """All packages of all sources, by name and by what they provide."""

    def __init__(self) -> None:
        self._records: dict[str, list[tuple[bytes, str]]] = {}
        self._providers: dict[str, set[str]] = {}
        self._required: set[str] = set()
        self._parsed: dict[str, list[Package]] = {}

    def add(self, text: bytes, base_uri: str) -> None:
        """File the records of a Packages file whose .debs lie below `base_uri`."""
        for record in text.split(b"\n\n"):
            if record.startswith(b"Package: ") and b"\n" in record:
                name = record[9 : record.find(b"\n")].decode("utf-8", "replace").strip()
            else:
                match = re.search(rb"^Package:[ \t]*(\S+)", record, re.M)
                if match is None:
                    if not record.strip():
                        continue
                    raise SourceError(f"the package index of {base_uri} has a record without a name")
                name = match[1].decode("utf-8", "replace")
            self._records.setdefault(name, []).append((record, base_uri))
            if b"\nProvides:" in record and (match := _PROVIDES.search(record)) is not None:
                for provided in match[1].decode("utf-8", "replace").split(","):
                    self._providers.setdefault(provided.strip().partition(" ")[0].partition(":")[0], set()).add(name)
            if (b"\nEssential: yes" in record or b"\nPriority: required" in record) and _ESSENTIAL.search(record):
                self._required.add(name)
        self._parsed.clear()

    def versions(self, name: str) -> list[Package]:
        """Return the packages called `name`, highest version first."""
        known = self._parsed.get(name)
        if known is None:
            known = [_parse(record, uri) for record, uri in self._records.get(name, ())]
            known.sort(key=lambda package: _version(package.version), reverse=True)
            self._parsed[name] = known
        return known

    def providers(self, relation: Relation) -> Iterator[Package]:
        """Yield the newest package of each name that provides `relation`, real packages not included."""
        for name in sorted(self._providers.get(relation.name, ())):
            if name != relation.name and (newest := self.versions(name)[0]).satisfies(relation):
                yield newest

    def required(self) -> list[str]:
        """Return the names of all packages that are Essential or of priority required in their newest version."""
        return sorted(name for name in self._required if self.versions(name)[0].required)

    def __len__(self) -> int:
        return len(self._records)


def parse_relations(field: str | None) -> list[list[Relation]]:
    """Parse a relationship field; architecture qualifiers are dropped, as a root has one architecture."""
    if not field:
        return []
    groups = []
    for group in PkgRelation.parse_relations(field):
        relations = []
        for relation in group:
            operator, version = relation.get("version") or ("", "")
            relations.append(Relation(relation["name"], operator, version))
        groups.append(relations)
    return groups


@functools.lru_cache(maxsize=4096)
def _version(text: str) -> Version:
    try:
        return Version(text)
    except ValueError as error:
        raise SourceError(f"a package has the malformed version {text!r}") from error


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "0")
    return int(text) if text.isdecimal() else 0


def _parse(record: bytes, base_uri: str) -> Package:
    text = record.decode("utf-8", "replace").strip("\n")
    fields = {str(key): str(value) for key, value in Deb822(text.splitlines()).items()}
    name, version = fields.get("Package", ""), fields.get("Version", "")
    if not name or not version:
        raise SourceError(f"the package index of {base_uri} has a record without name or version")
    return Package(name, version, fields, base_uri)
