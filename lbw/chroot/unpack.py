"""Unpack a .deb into a root, as dpkg would, without dpkg.

A .deb is an ar archive (deb(5)): `debian-binary`, `control.tar.*`, `data.tar.*`.  python-debian reads the ar layer; the
tar layer is walked as a stream, and every member goes through `RootTree`, which keeps it inside the root.  A member
with an absolute name or a `..` in it is not sanitised but refused: no honest package has one.

Directories get their modification times at the very end (`finish`), because unpacking into them changes these.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from debian.arfile import ArError, ArFile, ArMember

from lbw.chroot.errors import UnsafeArchiveError
from lbw.chroot.rootfs import RootTree

_DAMAGE = (
    *(ArError, tarfile.TarError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, ValueError),
    OverflowError,  # an owner or a time beyond what the host can hold
    RecursionError,  # tarfile follows a chain of long-name headers by recursion
)
_TYPES = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
_COPY = 1 << 20


@dataclass
class Unpacked:
    """What dpkg's database will say about a package."""

    control: dict[str, bytes] = field(default_factory=dict)
    """The members of control.tar by name: `control`, `md5sums`, `postinst`, ..."""
    paths: list[str] = field(default_factory=list)
    """Absolute paths as in the package's own tar, for `PACKAGE.list`."""
    md5: dict[str, str] = field(default_factory=dict)
    """MD5 of the regular files that `conffiles` names, by absolute path."""


class Unpacker:
    """Unpacks packages one after the other into one root."""

    def __init__(self, tree: RootTree) -> None:
        self._tree = tree
        self._times: list[tuple[str, float]] = []

    def unpack(self, deb: Path) -> Unpacked:
        """Lay out the files of `deb`; return its control data.

        Raises UnsafeArchiveError when the package is damaged or tries to leave the root, OSError from the host.
        """
        result = Unpacked()
        try:
            archive = ArFile(str(deb))
            with _open_part(archive, "control.tar") as tar:
                for member in tar:
                    if member.isfile() and (stream := tar.extractfile(member)) is not None:
                        result.control[member.name.removeprefix("./")] = stream.read()
            conffiles = {line.strip() for line in result.control.get("conffiles", b"").decode().splitlines()}
            with _open_part(archive, "data.tar") as tar:
                for member in tar:
                    self._place(tar, member, result, conffiles)
                    tar.members = []  # type: ignore[attr-defined]  # a stream needs no list; texlive has 100,000
        except _DAMAGE as error:
            raise UnsafeArchiveError(f"the package {deb.name} is damaged: {error}") from error
        except UnsafeArchiveError as error:
            raise UnsafeArchiveError(f"the package {deb.name} is refused: {error}") from error
        except OSError as error:
            if error.errno is None:  # python-debian's way to report a truncated ar header
                raise UnsafeArchiveError(f"the package {deb.name} is damaged: {error}") from error
            raise
        if "control" not in result.control:
            raise UnsafeArchiveError(f"the package {deb.name} is damaged: it has no control file")
        return result

    def finish(self) -> None:
        """Set the directories' modification times."""
        for path, mtime in reversed(self._times):
            _set_mtime(path, mtime)
        self._times.clear()

    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo, result: Unpacked, conffiles: set[str]) -> None:
        name = member_name(member.name)
        mode = stat.S_IMODE(member.mode)
        if name:
            result.paths.append(f"/{name}")
        else:
            result.paths.insert(0, "/.")
        if member.isdir():
            made = self._tree.make_directory(name, mode, member.uid, member.gid)
            if made is not None:
                self._times.append((made, member.mtime))
        elif member.issym():
            self._place_symlink(name, member)
        elif member.islnk():
            self._tree.make_hard_link(name, member_name(member.linkname))
        elif member.isreg():
            stream = tar.extractfile(member)
            assert stream is not None
            digest = self._place_file(name, member, stream, f"/{name}" in conffiles)
            if digest is not None:
                result.md5[f"/{name}"] = digest
        elif member.type in _TYPES:
            device = (member.devmajor, member.devminor)
            self._tree.make_special(name, _TYPES[member.type] | mode, device, member.uid, member.gid)
        else:
            raise UnsafeArchiveError(f"/{name} has the unknown type {member.type!r}")

    def _place_symlink(self, name: str, member: tarfile.TarInfo) -> None:
        # A compatibility link such as /usr/bin/x -> /bin/x is a link to itself once /bin is usr/bin.
        if member.linkname.startswith("/") and self._tree.locate(name, create=True) == self._target(member.linkname):
            return
        path = self._tree.make_symlink(name, member.linkname, member.uid, member.gid)
        if path is not None:
            _set_mtime(path, member.mtime)

    def _target(self, linkname: str) -> str | None:
        try:
            return self._tree.locate(linkname)
        except (OSError, UnsafeArchiveError):
            return None

    def _place_file(self, name: str, member: tarfile.TarInfo, stream: IO[bytes], digest: bool) -> str | None:
        descriptor, path = self._tree.create_file(name)
        md5 = hashlib.md5(usedforsecurity=False)
        with open(descriptor, "wb") as file:
            if digest:
                content = stream.read()
                md5.update(content)
                file.write(content)
            else:
                shutil.copyfileobj(stream, file, _COPY)
        self._tree.ownership.apply(path, stat.S_IFREG | stat.S_IMODE(member.mode), member.uid, member.gid)
        _set_mtime(path, member.mtime)
        return md5.hexdigest() if digest else None


def member_name(name: str) -> str:
    """Return a tar member's name relative to the root, without `./`.  Raises UnsafeArchiveError unless it is plain."""
    plain = name.removeprefix("./").rstrip("/")
    if plain in ("", "."):
        return ""
    if plain.startswith("/") or any(part in ("", ".", "..") for part in plain.split("/")) or "\0" in plain:
        raise UnsafeArchiveError(f"it contains the name {name!r}")
    return plain


def _open_part(archive: ArFile, stem: str) -> tarfile.TarFile:
    for member in archive.getmembers():
        if member.name.startswith(stem):
            stream = _decompressor(member, member.name.removeprefix(stem))
            return tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape", bufsize=_COPY)
    raise ArError(f"it has no {stem}")


def _decompressor(member: ArMember, suffix: str) -> IO[bytes]:
    raw = cast(IO[bytes], member)
    if suffix == ".xz":
        return lzma.LZMAFile(raw)
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if suffix == "":
        return raw
    if suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raise UnsafeArchiveError("it is compressed with zstd: install the Python package zstandard") from None
        return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(raw))
    raise ArError(f"the compression {suffix} is unknown")


def _set_mtime(path: str, mtime: float) -> None:
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    elif not os.path.islink(path):
        os.utime(path, (mtime, mtime))
