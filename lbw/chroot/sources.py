"""Where packages come from: the host's apt sources, or one mirror.

Of the host's sources only those that can matter are taken: binary entries, fetched over http, https or file:, of
component main, whose suite is the wanted one or hangs from it (bookworm-updates, bookworm-security, buster/updates).
A third party's repository may use the same suite name; `release` drops it when its Origin is not Debian.

Both formats of sources.list(5) are read: one-line `*.list` and deb822 `*.sources`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lbw.chroot.errors import SourceError

APT_DIRECTORY = Path("/etc/apt")
SCHEMES = ("http", "https", "file", "copy")


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive; `signed_by` holds keyring paths, key fingerprints or an armoured key, as in apt."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: tuple[str, ...] = ()
    from_host: bool = False

    def url(self, path: str) -> str:
        """Return the URL of `path`, relative to the suite's directory."""
        suite = self.suite if self.suite.endswith("/") else f"dists/{self.suite}/"
        return f"{self.uri.rstrip('/')}/{suite}{path}"


def find_sources(suite: str, arch: str, mirror: str | None, apt: Path | None = None) -> list[Source]:
    """Return the sources to use for `suite`; the main one comes first.

    `mirror` replaces the host's sources, which are under `apt`.  Raises SourceError when there are none.
    """
    if mirror is not None:
        if urlsplit(mirror).scheme not in SCHEMES:
            raise SourceError(f"the mirror {mirror!r} is not an http:, https: or file: URL")
        return [Source(mirror, suite, ("main",))]
    directory = APT_DIRECTORY if apt is None else apt
    wanted = dict.fromkeys(source for source in host_sources(directory, arch) if _belongs(source.suite, suite))
    if not wanted:
        raise SourceError(f"this host has no apt sources for {suite}: give --mirror URL (http://deb.debian.org/debian)")
    found = sorted(wanted, key=lambda source: source.suite != suite)
    if found[0].suite != suite:
        raise SourceError(f"this host's apt sources carry {found[0].suite} but not {suite} itself: give --mirror URL")
    return found


def host_sources(apt: Path, arch: str) -> Iterator[Source]:
    """Yield every usable source of component main below the directory `apt`, in apt's order."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # absent or unreadable: apt would complain, we can do without
            continue
        yield from _read_deb822(text, arch) if file.suffix == ".sources" else _read_lines(text, arch)


def _belongs(candidate: str, suite: str) -> bool:
    return candidate == suite or candidate.startswith((f"{suite}-", f"{suite}/"))


def _read_lines(text: str, arch: str) -> Iterator[Source]:
    """Parse `deb [option=value ...] URI SUITE COMPONENT...` lines."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?([^\s#]+)\s+([^\s#]+)\s*([^#]*)", line)
        if match is None:
            continue
        options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
        if "arch" in options and arch not in options["arch"].split(","):
            continue
        signed_by = tuple(filter(None, options.get("signed-by", "").split(",")))
        yield from _usable([match[2]], [match[3]], match[4].split(), signed_by)


def _read_deb822(text: str, arch: str) -> Iterator[Source]:
    from debian.deb822 import Deb822

    for entry in Deb822.iter_paragraphs(text.splitlines(keepends=True), use_apt_pkg=False):
        architectures = entry.get("Architectures", "").split()
        if (
            entry.get("Enabled", "yes").strip().lower() in ("no", "false", "without", "off", "disable")
            or "deb" not in entry.get("Types", "").split()
            or (architectures and arch not in architectures)
        ):
            continue
        signed_by = entry.get("Signed-By", "").strip()
        # An armoured key stands in the field itself, a line with only "." for an empty one (deb822's rule).
        keys = (signed_by,) if "-----BEGIN" in signed_by else tuple(signed_by.replace(",", " ").split())
        yield from _usable(entry.get("URIs", "").split(), entry.get("Suites", "").split(),
                           entry.get("Components", "").split(), keys)  # fmt: skip


def _usable(uris: list[str], suites: list[str], components: list[str], signed_by: tuple[str, ...]) -> Iterator[Source]:
    if "main" not in components:
        return
    for uri in uris:
        if urlsplit(uri).scheme in SCHEMES:
            for suite in suites:
                yield Source(uri, suite, ("main",), signed_by, from_host=True)
