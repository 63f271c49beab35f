"""Fetch the index of a suite and believe only what is signed.

The chain of trust: keyring -> InRelease (or Release with Release.gpg) -> size and SHA256 of Packages.xz -> size and
SHA256 of every .deb.  A Release that has passed its Valid-Until is used with a warning: an old root beats none, and the
archive of an old release stops renewing it.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from lbw.chroot import signature
from lbw.chroot.errors import ChrootError, SourceError, VerificationError
from lbw.chroot.progress import Progress
from lbw.chroot.sources import Source
from lbw.chroot.transport import NotFoundError, fetch

MAX_INDEX = 512 << 20
"""A Packages file that decompresses to more than this many bytes is refused."""


@dataclass(frozen=True, slots=True)
class Release:
    """The verified content of a suite's Release file."""

    source: Source
    fields: dict[str, str]
    files: dict[str, tuple[int, str]]
    """Path relative to the suite's directory -> (size in bytes, SHA256 in hexadecimal)."""


def fetch_release(source: Source, keyring: Path | None, allow_unsigned: bool, progress: Progress) -> Release:
    """Fetch, verify and parse the Release file of `source`.

    Raises VerificationError unless a trusted key signed it (or `allow_unsigned`), DownloadError, SourceError.
    """
    payload = _verified_payload(source, [str(keyring)] if keyring else list(source.signed_by), allow_unsigned)
    release = parse_release(source, payload.decode("utf-8", "replace"))
    _check_suite(release)
    _warn_when_expired(release, progress)
    return release


def parse_release(source: Source, text: str) -> Release:
    """Parse the text of a Release file."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith((" ", "\t")):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    files = {}
    for line in fields.get("SHA256", "").splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            files[words[2]] = (int(words[1]), words[0].lower())
    if not files:
        raise SourceError(f"{source.url('Release')} lists no files with SHA256")
    return Release(source, fields, files)


def fetch_packages(release: Release, component: str, arch: str, cache: Path) -> bytes:
    """Return the content of the Packages file of `component`; a verified copy is kept in the directory `cache`.

    Raises VerificationError when size or SHA256 differ from the signed ones, SourceError when there is no such file.
    """
    # Releases of the security archive name their component `updates/main`, while its directory is plain `main`.
    for suffix in (".xz", ".gz", ""):
        path = f"{component}/binary-{arch}/Packages{suffix}"
        if path in release.files:
            content = _fetch_index(release, path, cache)
            try:
                return _decompress(content, suffix)
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise VerificationError(f"{release.source.url(path)} is damaged: {error}") from error
    raise SourceError(f"{release.source.url('Release')} has no packages for {component} on {arch}")


def _verified_payload(source: Source, keys: list[str], allow_unsigned: bool) -> bytes:
    url = source.url("InRelease")
    try:
        message = fetch(url)
    except NotFoundError:
        return _detached_payload(source, keys, allow_unsigned)
    if allow_unsigned:
        return signature.strip_signature(message)
    return signature.verify_clearsigned(message, keys, url)


def _detached_payload(source: Source, keys: list[str], allow_unsigned: bool) -> bytes:
    url = source.url("Release")
    try:
        message = fetch(url)
    except NotFoundError as error:
        raise SourceError(f"{source.uri} has no suite {source.suite} (neither InRelease nor Release)") from error
    if allow_unsigned:
        return message
    try:
        detached = fetch(f"{url}.gpg")
    except NotFoundError as error:
        raise VerificationError(f"{url} is not signed: refused (--allow-unsigned trusts it anyway)") from error
    return signature.verify_detached(message, detached, keys, url)


def _check_suite(release: Release) -> None:
    """Refuse the Release of another suite: validly signed, it could bring back old packages with known holes."""
    names = [release.fields[name] for name in ("Suite", "Codename") if name in release.fields]
    asked = release.source.suite.strip("/")
    if names and not {asked, asked.partition("/")[0]} & set(names):  # buster/updates calls itself buster
        url = release.source.url("")
        raise VerificationError(f"{url} holds another suite than asked for: {', '.join(dict.fromkeys(names))}")


def _warn_when_expired(release: Release, progress: Progress) -> None:
    until = release.fields.get("Valid-Until")
    if until is None:
        return
    try:
        end = parsedate_to_datetime(until)
    except ValueError:
        return
    if end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    if end < datetime.now(UTC):
        progress.warn(f"{release.source.url('InRelease')} was valid only until {until}; security fixes may be missing")


def _fetch_index(release: Release, path: str, cache: Path) -> bytes:
    size, sha256 = release.files[path]
    kept = cache / f"{sha256}{Path(path).suffix}"
    try:
        content = kept.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
    except OSError:
        pass
    directory, _, _ = path.rpartition("/")
    urls = [release.source.url(path)]
    if release.fields.get("Acquire-By-Hash") == "yes":  # immune to a mirror that updates between two requests
        urls.insert(0, release.source.url(f"{directory}/by-hash/SHA256/{sha256}"))
    content = _fetch_first(urls, size)
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise VerificationError(
            f"{urls[-1]} does not match its signed checksum (SHA256 {sha256}, {size} bytes): "
            "a mirror in the middle of an update, or a forgery; try again later or give another --mirror"
        )
    cache.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    return content


def _fetch_first(urls: list[str], size: int) -> bytes:
    missing: ChrootError | None = None
    for url in urls:
        try:
            return fetch(url, limit=size)
        except NotFoundError as error:
            missing = error
    assert missing is not None
    raise missing


def _decompress(content: bytes, suffix: str) -> bytes:
    if suffix == ".xz":
        decompressor = lzma.LZMADecompressor()
        text = decompressor.decompress(content, MAX_INDEX)
        if not decompressor.eof:
            raise EOFError(f"it is truncated or holds more than {MAX_INDEX} bytes")
        return text
    return gzip.decompress(content) if suffix == ".gz" else content
