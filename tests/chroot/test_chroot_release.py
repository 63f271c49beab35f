from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import pytest
from chroot_archive import Archive, SigningKey, WebServer

from lbw.chroot import signature
from lbw.chroot.errors import DownloadError, SourceError, VerificationError
from lbw.chroot.progress import Progress
from lbw.chroot.release import Release, fetch_packages, fetch_release, parse_release
from lbw.chroot.sources import Source


class Warnings(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def fetch(archive: Archive, keyring: Path | None = None, allow_unsigned: bool = False, *, url: str = "",
          signed_by: tuple[str, ...] = (), progress: Progress | None = None) -> Release:  # fmt: skip
    source = Source(url or archive.url, archive.suite, ("main",), signed_by)
    return fetch_release(source, keyring, allow_unsigned, progress or Progress())


def test_a_signed_archive(archive: Archive, key: SigningKey, keyring: Path, tmp_path: Path) -> None:
    archive.add("a")
    archive.publish(key)
    release = fetch(archive, keyring)
    assert release.fields["Codename"] == "bookworm"
    text = fetch_packages(release, "main", "amd64", tmp_path / "cache")
    assert text.startswith(b"Package: a\n")
    shutil.rmtree(archive.dist / "main")
    assert fetch_packages(release, "main", "amd64", tmp_path / "cache") == text  # from the cache


def test_a_detached_signature(archive: Archive, key: SigningKey, keyring: Path) -> None:
    archive.publish(key, detached=True)
    assert fetch(archive, keyring).files
    release = archive.dist / "Release"
    release.write_text(release.read_text().replace("Origin: Debian", "Origin: Dobian"))
    with pytest.raises(VerificationError, match="its signature is wrong"):
        fetch(archive, keyring)


def test_an_unsigned_archive_is_refused(archive: Archive, keyring: Path) -> None:
    archive.publish()
    with pytest.raises(VerificationError, match=r"Release is not signed: refused \(--allow-unsigned"):
        fetch(archive, keyring)
    assert fetch(archive, allow_unsigned=True).files


def test_allow_unsigned_reads_a_signed_file_too(archive: Archive, key: SigningKey) -> None:
    archive.publish(key)
    assert set(fetch(archive, allow_unsigned=True).files) == {
        "main/binary-amd64/Packages",
        "main/binary-amd64/Packages.xz",
    }


def test_a_changed_inrelease_is_refused(archive: Archive, key: SigningKey, keyring: Path) -> None:
    archive.publish(key)
    path = archive.dist / "InRelease"
    path.write_bytes(path.read_bytes().replace(b"Codename: bookworm", b"Codename: bookwurm"))
    with pytest.raises(VerificationError, match="its signature is wrong"):
        fetch(archive, keyring)


@pytest.mark.parametrize("where", ["before", "after", "twice"])
def test_text_around_the_signed_section_is_refused(
    archive: Archive, key: SigningKey, keyring: Path, where: str
) -> None:
    archive.publish(key)
    path = archive.dist / "InRelease"
    signed, evil = path.read_bytes(), b"SHA256:\n 00 1 main/binary-amd64/Packages\n"
    path.write_bytes({"before": evil + signed, "after": signed + evil, "twice": signed + signed}[where])
    with pytest.raises(VerificationError, match="not one clear-signed message"):
        fetch(archive, keyring)


def test_a_stranger_s_signature_is_refused(archive: Archive, other_key: SigningKey, keyring: Path) -> None:
    archive.publish(other_key)
    with pytest.raises(VerificationError, match=r"no key for its signature .*--keyring FILE"):
        fetch(archive, keyring)


def test_one_known_signature_of_two_is_enough(
    archive: Archive, key: SigningKey, other_key: SigningKey, keyring: Path
) -> None:
    archive.publish()
    both = SigningKey(key.home)
    both.run("--import", data=other_key.run("--export-secret-keys", "--pinentry-mode", "loopback", "--passphrase", ""))
    release = (archive.dist / "Release").read_bytes()
    users = ["--local-user", key.fingerprint(), "--local-user", other_key.fingerprint()]
    only_ours = keyring.read_bytes()
    (archive.dist / "InRelease").write_bytes(both.sign(release, *users, "--clearsign"))
    both.run("--yes", "--delete-secret-and-public-key", other_key.fingerprint())
    keyring.write_bytes(only_ours)
    assert fetch(archive, keyring).files


def test_keys_may_be_armoured_or_inline_or_named(archive: Archive, key: SigningKey, keyring: Path, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    archive.publish(key)
    armoured = key.export(tmp_path / "key.asc", armour=True)
    assert fetch(archive, armoured).files
    assert fetch(archive, signed_by=(armoured.read_text().replace("\n\n", "\n .\n "),)).files
    monkeypatch.setattr(signature, "ARCHIVE_KEYRINGS", (keyring,))
    assert fetch(archive, signed_by=(key.fingerprint(),)).files
    with pytest.raises(VerificationError, match="no good signature"):
        fetch(archive, signed_by=("A" * 40,))


def test_default_keyrings_are_a_file_and_a_directory(archive: Archive, key: SigningKey, keyring: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    archive.publish(key)
    trusted = tmp_path / "trusted.gpg.d"
    trusted.mkdir()
    monkeypatch.setattr(signature, "ARCHIVE_KEYRINGS", (tmp_path / "absent.gpg", trusted))
    with pytest.raises(VerificationError, match="install debian-archive-keyring, or give --keyring FILE"):
        fetch(archive)
    key.export(trusted / "key.asc", armour=True)
    assert fetch(archive).files


def test_without_gpgv(archive: Archive, key: SigningKey, keyring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.publish(key)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VerificationError, match="gpgv is missing"):
        fetch(archive, keyring)


def test_a_passed_valid_until_warns(archive: Archive, key: SigningKey, keyring: Path) -> None:
    for date, expected in (("Sat, 01 Jan 2000 00:00:00 UTC", 1), ("Fri, 01 Jan 2100 00:00:00 UTC", 0), ("nonsense", 0)):
        archive.publish(key, f"Valid-Until: {date}\n")
        progress = Warnings()
        fetch(archive, keyring, progress=progress)
        assert len(progress.texts) == expected


def test_packages_must_match_release(archive: Archive, tmp_path: Path) -> None:
    archive.add("a")
    archive.publish()
    release = fetch(archive, allow_unsigned=True)
    path = archive.dist / "main/binary-amd64/Packages.xz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(VerificationError, match="does not match its signed checksum"):
        fetch_packages(release, "main", "amd64", tmp_path / "cache")
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DownloadError, match="larger than"):
        fetch_packages(release, "main", "amd64", tmp_path / "cache")
    with pytest.raises(SourceError, match="no packages for main on riscv64"):
        fetch_packages(release, "main", "riscv64", tmp_path / "cache")


def test_by_hash_is_tried_first(archive: Archive, web: WebServer, tmp_path: Path) -> None:
    archive.add("a")
    archive.publish(fields="Acquire-By-Hash: yes\n")
    release = fetch(archive, allow_unsigned=True, url=web.url)
    fetch_packages(release, "main", "amd64", tmp_path / "cache")
    paths = [path for path, _ in web.requests]
    assert "/by-hash/SHA256/" in paths[-2] and paths[-1].endswith("/Packages.xz")


def test_another_suite_s_release_is_refused(archive: Archive, key: SigningKey, keyring: Path) -> None:
    archive.publish(key)
    archive.dist.rename(archive.top / "dists/trixie")
    archive.suite = "trixie"
    with pytest.raises(VerificationError, match=r"dists/trixie/ holds another suite than asked for: bookworm"):
        fetch(archive, keyring)


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_other_compressions(archive: Archive, tmp_path: Path, suffix: str) -> None:
    archive.add("a")
    archive.publish()
    directory = archive.dist / "main/binary-amd64"
    content = (directory / "Packages").read_bytes()
    packed = gzip.compress(content) if suffix else content
    (directory / f"Packages{suffix}").write_bytes(packed)
    digest = hashlib.sha256(packed).hexdigest()
    source = Source(archive.url, archive.suite, ("main",))
    release = parse_release(source, f"SHA256:\n {digest} {len(packed)} main/binary-amd64/Packages{suffix}\n")
    assert fetch_packages(release, "main", "amd64", tmp_path / "cache").startswith(b"Package: a")


def test_no_such_suite(archive: Archive) -> None:
    archive.dist.mkdir(parents=True)
    with pytest.raises(SourceError, match="has no suite bookworm"):
        fetch(archive, allow_unsigned=True)
