from __future__ import annotations

from pathlib import Path

import pytest

from lbw.chroot.errors import SourceError
from lbw.chroot.sources import Source, find_sources


def write(apt: Path, name: str, text: str) -> None:
    path = apt / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_one_line_sources(tmp_path: Path) -> None:
    write(
        tmp_path,
        "sources.list",
        """
# deb http://commented/debian bookworm main
deb-src http://sources/debian bookworm main
deb [arch=amd64,i386 signed-by=/k.gpg] http://d/debian bookworm main contrib # note
deb http://d/security bookworm-security main
deb http://old/debian buster/updates main
deb cdrom:[Debian]/ bookworm main
deb [arch=arm64] http://arm/debian bookworm main
deb http://third/linux bookworm stable
deb http://d/debian trixie main
""",
    )
    assert find_sources("bookworm", "amd64", None, tmp_path) == [
        Source("http://d/debian", "bookworm", ("main",), ("/k.gpg",), True),
        Source("http://d/security", "bookworm-security", ("main",), (), True),
    ]


def test_deb822_sources(tmp_path: Path) -> None:
    write(
        tmp_path,
        "sources.list.d/debian.sources",
        """Types: deb deb-src
# a comment
URIs: http://d/debian https://e/debian
Suites: bookworm-updates bookworm
Components: main non-free
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://inline/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
""",
    )
    found = find_sources("bookworm", "amd64", None, tmp_path)
    assert [(source.uri, source.suite) for source in found] == [
        ("http://d/debian", "bookworm"),
        ("https://e/debian", "bookworm"),
        ("http://inline/debian", "bookworm"),
        ("http://d/debian", "bookworm-updates"),
        ("https://e/debian", "bookworm-updates"),
    ]
    assert found[0].signed_by == ("/usr/share/keyrings/k.gpg",)
    assert "BEGIN PGP" in found[2].signed_by[0] and len(found[2].signed_by) == 1


def test_no_sources(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no apt sources for bookworm: give --mirror"):
        find_sources("bookworm", "amd64", None, tmp_path)


def test_sources_of_another_release_do_not_do(tmp_path: Path) -> None:
    write(tmp_path, "sources.list", "deb http://d/debian bookworm-updates main\n")
    with pytest.raises(SourceError, match="but not bookworm itself"):
        find_sources("bookworm", "amd64", None, tmp_path)


def test_a_mirror_replaces_the_sources(tmp_path: Path) -> None:
    write(tmp_path, "sources.list", "deb http://d/debian bookworm main\n")
    assert find_sources("bookworm", "amd64", "https://m/debian/", tmp_path) == [
        Source("https://m/debian/", "bookworm", ("main",))
    ]
    assert (
        Source("https://m/debian/", "bookworm", ("main",)).url("InRelease")
        == "https://m/debian/dists/bookworm/InRelease"
    )
    with pytest.raises(SourceError, match="not an http:, https: or file: URL"):
        find_sources("bookworm", "amd64", "ftp://m/debian", tmp_path)
