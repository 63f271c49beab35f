"""A Debian archive small enough to be made by a test: real .debs, Packages, Release, signatures, and a web server."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import lzma
import os
import re
import subprocess
import tarfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

LOADED_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests: how long an example takes says nothing about lbw."""

Member = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes | None = None, *, type: bytes | None = None, mode: int = 0o644, uid: int = 0,
           gid: int = 0, link: str = "", mtime: int = 1_000_000_000) -> tuple[tarfile.TarInfo, bytes]:  # fmt: skip
    """Make a tar member with exactly this name, however evil."""
    info = tarfile.TarInfo(name)
    info.type = type or (tarfile.REGTYPE if content is not None else tarfile.SYMTYPE if link else tarfile.DIRTYPE)
    info.mode, info.uid, info.gid, info.linkname, info.mtime = mode, uid, gid, link, mtime
    info.size = len(content or b"")
    return info, content or b""


def make_tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def make_ar(parts: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def make_deb(control: str, members: list[tuple[tarfile.TarInfo, bytes]], extra: dict[str, str] | None = None,
             compression: str = ".xz") -> bytes:  # fmt: skip
    """Make a .deb; `extra` holds more control members (conffiles, postinst, ...)."""
    controls = [member("./", type=tarfile.DIRTYPE, mode=0o755), member("./control", control.encode())]
    controls += [member(f"./{name}", text.encode(), mode=0o755) for name, text in (extra or {}).items()]
    data = make_tar(members)
    packed = {".xz": lzma.compress, ".gz": gzip.compress, "": bytes, ".zst": bytes}[compression](data)
    return make_ar({
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(make_tar(controls)),
        f"data.tar{compression}": packed,
    })  # fmt: skip


@dataclass
class Archive:
    """An archive below `top`; `publish` writes its indexes."""

    top: Path
    suite: str = "bookworm"
    records: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.top.as_uri()

    @property
    def dist(self) -> Path:
        return self.top / "dists" / self.suite

    def add(self, name: str, version: str = "1", files: dict[str, bytes] | None = None,
            members: list[tuple[tarfile.TarInfo, bytes]] | None = None, extra: dict[str, str] | None = None,
            **fields: Any) -> Path:  # fmt: skip
        """Add a package with plain `files` (name -> content) and any `members`; `fields` are control fields."""
        control = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "T <t@example.org>",
                   "Installed-Size": 1, **{key.replace("_", "-"): value for key, value in fields.items()},
                   "Description": f"the test package {name}"}  # fmt: skip
        text = "".join(f"{key}: {value}\n" for key, value in control.items())
        content = [member("./", type=tarfile.DIRTYPE, mode=0o755)]
        content += [member(f"./{path}", data) for path, data in (files or {}).items()] + (members or [])
        deb = make_deb(text, content, extra)
        path = self.top / "pool" / f"{name}_{version.replace(':', '%3a')}_amd64.deb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(deb)
        relative = f"pool/{path.name}".replace("%", "%25")
        self.records.append(
            f"{text}Filename: {relative}\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n"
        )
        return path

    def publish(self, key: SigningKey | None = None, fields: str = "", detached: bool = False) -> None:
        """Write Packages, Release and, with `key`, InRelease or Release.gpg."""
        directory = self.dist / "main" / "binary-amd64"
        directory.mkdir(parents=True, exist_ok=True)
        text = "\n".join(self.records).encode()
        listing = ""
        for suffix, content in (("", text), (".xz", lzma.compress(text))):
            (directory / f"Packages{suffix}").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            listing += f" {digest} {len(content)} main/binary-amd64/Packages{suffix}\n"
        release = (
            f"Origin: Debian\nSuite: {self.suite}\nCodename: {self.suite}\nComponents: main\n{fields}SHA256:\n{listing}"
        )
        for name in ("Release", "InRelease", "Release.gpg"):
            (self.dist / name).unlink(missing_ok=True)
        if key is None or detached:
            (self.dist / "Release").write_text(release)
        if key is not None and detached:
            (self.dist / "Release.gpg").write_bytes(key.sign(release.encode(), "--detach-sign", "--armor"))
        elif key is not None:
            (self.dist / "InRelease").write_bytes(key.sign(release.encode(), "--clearsign"))


@dataclass
class SigningKey:
    """A key pair in a GnuPG home of its own."""

    home: Path

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--no-tty", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def generate(self) -> SigningKey:
        self.run("--passphrase", "", "--quick-gen-key", "lbw test <t@example.org>", "ed25519", "sign", "never")
        return self

    def export(self, path: Path, armour: bool = False) -> Path:
        path.write_bytes(self.run("--export", *(["--armor"] if armour else [])))
        return path

    def sign(self, data: bytes, *how: str) -> bytes:
        return self.run("--passphrase", "", "--pinentry-mode", "loopback", *how, "--output", "-", data=data)

    def fingerprint(self) -> str:
        listing = self.run("--list-keys", "--with-colons").decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], capture_output=True)


class WebServer:
    """Serves a directory on 127.0.0.1, with ranges, and with faults where a test asks for them."""

    def __init__(self, top: Path) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.truncate: dict[str, int] = {}
        """Path -> send only so many bytes of the body, once."""
        self.statuses: dict[str, list[int]] = {}
        """Path -> answers to give before the right one."""
        self.ranges = True
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                wanted = self.headers.get("Range") if outer.ranges else None
                outer.requests.append((self.path, wanted))
                if outer.statuses.get(self.path):
                    self.send_error(outer.statuses[self.path].pop(0))
                    return
                file = top / self.path.lstrip("/").replace("%25", "%")
                if not file.is_file():
                    self.send_error(404)
                    return
                content = file.read_bytes()
                match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
                start = int(match[1]) if match else 0
                self.send_response(206 if match else 200)
                if match:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                end = self_truncated if (self_truncated := outer.truncate.pop(self.path, 0)) else len(content)
                self.wfile.write(content[start:end])

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def tree_of(top: Path) -> set[str]:
    """Return all names below `top`, relative."""
    return {
        os.path.relpath(os.path.join(base, name), top) for base, dirs, files in os.walk(top) for name in dirs + files
    }
