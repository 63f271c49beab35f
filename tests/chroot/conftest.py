from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chroot_archive import Archive, SigningKey, WebServer

from lbw.chroot import transport
from lbw.chroot.variants import VARIANTS, Variant


@pytest.fixture(autouse=True)
def own_homes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache and registry out of the tests, and do not wait before retries."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LBW_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("LBW_CACHE_HOME", str(home / "cache"))
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    return home


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def small_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the variant `shell` be the single package `base`."""
    monkeypatch.setitem(VARIANTS, "shell", Variant(("base",), False, ""))


@pytest.fixture
def web(archive: Archive) -> Iterator[WebServer]:
    archive.top.mkdir(parents=True, exist_ok=True)
    server = WebServer(archive.top)
    yield server
    server.close()


def _make_key() -> Iterator[SigningKey]:
    if shutil.which("gpg") is None or shutil.which("gpgv") is None:
        pytest.skip("needs gpg and gpgv")
    home = Path(tempfile.mkdtemp(prefix="lbw-gpg-", dir="/tmp"))  # the agent's socket needs a short path
    key = SigningKey(home).generate()
    yield key
    key.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def key() -> Iterator[SigningKey]:
    yield from _make_key()


@pytest.fixture(scope="session")
def other_key() -> Iterator[SigningKey]:
    yield from _make_key()


@pytest.fixture
def keyring(key: SigningKey, tmp_path: Path) -> Path:
    return key.export(tmp_path / "keyring.gpg")
