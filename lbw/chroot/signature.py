"""Verify an archive's signature with gpgv, and return nothing but what was signed.

A clear-signed InRelease may carry text outside of its signed section, or several sections.  So its frame is checked
first (one message, nothing around it), and the payload is what gpgv itself writes, never our own reading of the file.

Like apt, we accept a file that carries several signatures of which we know only some: at least one must be good, and
none may be bad.  gpgv's exit status cannot tell (it is 2 when any key is missing), its status lines can.  A signature
by an expired or revoked key has no GOODSIG line, and so does not count.

gpgv reads only binary keyrings; armoured ones (*.asc, or a key inside a `Signed-By:` field) are decoded here.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from lbw.chroot.errors import VerificationError

ARCHIVE_KEYRINGS = (Path("/usr/share/keyrings/debian-archive-keyring.gpg"), Path("/etc/apt/trusted.gpg.d"))
"""What vouches for an archive when its source names no key."""

_ARMOURED = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S)
_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?")


def verify_clearsigned(message: bytes, keys: Sequence[str], what: str) -> bytes:
    """Return the signed payload of `message`.  Raises VerificationError naming `what` unless one of `keys` vouches."""
    lines = [line.rstrip() for line in message.rstrip().split(b"\n")]
    frames = [line for line in lines if line.startswith(b"-----") and line.endswith(b"-----")]
    expected = [b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"]
    if frames != expected or lines[0] != expected[0] or lines[-1] != expected[2]:
        raise VerificationError(f"{what} is not one clear-signed message: refused")
    return _gpgv(keys, what, {"message": message}, ["--output", "payload"])


def verify_detached(message: bytes, signature: bytes, keys: Sequence[str], what: str) -> bytes:
    """Return `message` when `signature` signs it.  Raises VerificationError naming `what` unless a key vouches."""
    _gpgv(keys, what, {"signature": signature, "message": message}, [])
    return message


def strip_signature(message: bytes) -> bytes:
    """Return the text of a clear-signed message without checking anything: for archives trusted without a signature."""
    match = re.search(rb"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)^-----BEGIN PGP SIGNATURE",
                      message, re.S | re.M)  # fmt: skip
    return message if match is None else re.sub(rb"^- ", b"", match[1], flags=re.M)


def _gpgv(keys: Sequence[str], what: str, inputs: dict[str, bytes], options: list[str]) -> bytes:
    program = shutil.which("gpgv")
    if program is None:
        raise VerificationError("cannot verify the archive: gpgv is missing (install the package gpgv, or gnupg)")
    with tempfile.TemporaryDirectory(prefix="lbw-gpgv-") as directory:
        keyrings, fingerprints = _collect_keyrings(keys, Path(directory))
        command = [program, "--homedir", directory, "--status-fd", "1", *options]
        for keyring in keyrings:
            command += ["--keyring", str(keyring)]
        for name, content in inputs.items():
            Path(directory, name).write_bytes(content)
            command.append(name)
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VerificationError(f"cannot verify {what}: {error}") from error
        status = [line.split()[1:] for line in result.stdout.decode("utf-8", "replace").splitlines()
                  if line.startswith("[GNUPG:] ")]  # fmt: skip
        said = {words[0] for words in status if words}
        signers = {word.upper() for words in status if words[:1] == ["VALIDSIG"] for word in (words[1], words[-1])}
        good = "GOODSIG" in said and "BADSIG" not in said and (not fingerprints or fingerprints & signers)
        if not good:
            raise VerificationError(f"cannot verify {what}: {_reason(status, said)}")
        payload = Path(directory, "payload")
        return payload.read_bytes() if payload.exists() else b""


def _reason(status: list[list[str]], said: set[str]) -> str:
    missing = [words[1] for words in status if words[:1] == ["NO_PUBKEY"]]
    if "BADSIG" in said:
        return "its signature is wrong, the file was changed"
    if "EXPKEYSIG" in said:
        return "it is signed by an expired key (update debian-archive-keyring, or give --keyring FILE)"
    if "REVKEYSIG" in said:
        return "it is signed by a revoked key"
    if missing:
        return f"no key for its signature ({', '.join(missing)}); update debian-archive-keyring, or give --keyring FILE"
    return "no good signature by a trusted key"


def _collect_keyrings(keys: Sequence[str], directory: Path) -> tuple[list[Path], set[str]]:
    """Turn apt's notion of keys (files, armoured text, fingerprints) into binary keyrings and wanted fingerprints."""
    fingerprints = {match[1].upper() for key in keys if (match := _FINGERPRINT.fullmatch(key))}
    given = [key for key in keys if not _FINGERPRINT.fullmatch(key)]
    keyrings: list[Path] = []
    for number, (content, origin) in enumerate(_read_keys(given) if given else _read_default_keys()):
        if b"-----BEGIN PGP PUBLIC KEY BLOCK-----" in content:
            content = _dearmour(content, origin)
        keyring = directory / f"keyring{number}.gpg"
        keyring.write_bytes(content)
        keyrings.append(keyring)
    if not keyrings:
        raise VerificationError(
            "this host has no Debian archive keyring: install debian-archive-keyring, or give --keyring FILE"
        )
    return keyrings, fingerprints


def _read_keys(keys: Sequence[str]) -> Iterable[tuple[bytes, str]]:
    for key in keys:
        if "-----BEGIN" in key:
            lines = ("" if line.strip() == "." else line.strip() for line in key.splitlines())
            yield "\n".join(lines).encode(), "Signed-By"
            continue
        try:
            yield Path(key).read_bytes(), key
        except OSError as error:
            raise VerificationError(f"cannot read the keyring {key}: {error.strerror}") from error


def _read_default_keys() -> Iterable[tuple[bytes, str]]:
    for place in ARCHIVE_KEYRINGS:
        for file in [place] if place.is_file() else sorted((*place.glob("*.gpg"), *place.glob("*.asc"))):
            try:
                yield file.read_bytes(), str(file)
            except OSError:  # unreadable for this user: others may vouch
                continue


def _dearmour(content: bytes, origin: str) -> bytes:
    """Decode RFC 9580 ASCII armour: header lines, an empty line, base64, a checksum line beginning with `=`."""
    blocks = []
    for match in _ARMOURED.finditer(content.decode("ascii", "replace")):
        _, _, body = match[1].replace("\r", "").partition("\n\n") if ":" in match[1] else ("", "", match[1])
        encoded = "".join(line for line in body.split("\n") if not line.startswith("="))
        try:
            blocks.append(base64.b64decode(encoded, validate=True))
        except binascii.Error as error:
            raise VerificationError(f"the keyring {origin} is damaged: {error}") from error
    if not blocks:
        raise VerificationError(f"the keyring {origin} holds no key")
    return b"".join(blocks)
