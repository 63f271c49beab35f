"""Owners and modes that the host cannot hold are kept beside the root; overlays keep what is below."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vfs_guest import Guest

from lbw.abi.fcntl import O_CREAT, O_RDWR
from lbw.vfs import operations as op
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.overlay.filesystem import OverlayFileSystem
from lbw.vfs.tmpfs.filesystem import TmpFileSystem


def fake(path: Path) -> Guest:
    return Guest(HostFileSystem(bytes(path), ids="fake"))


def test_records_survive(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    first = fake(root)
    assert not (tmp_path / "root.lbw.sqlite3").exists()
    first.write(b"f", b"")
    first.mkdir(b"d", 0o755)
    assert not (tmp_path / "root.lbw.sqlite3").exists()  # nothing to say yet
    first.chown(b"f", 33, 44, True)
    first.chmod(b"f", 0o4711)
    first.chmod(b"d", 0)
    op.mknod(first.ctx, b"null", 0o020666, 0x103)
    first.symlink(b"f", b"l")
    first.chown(b"l", 5, 6, False)
    second = fake(root)  # while the first is still there
    for name, expected in {
        b"f": (0o104711, 33, 44, 0), b"d": (0o040000, 0, 0, 0), b"l": (0o120777, 5, 6, 0),
    }.items():  # fmt: skip
        s = op.stat(second.ctx, name, follow=False)
        assert (s.mode, s.uid, s.gid, s.rdev) == expected
    host = os.lstat(root / "f")
    assert stat.S_IMODE(host.st_mode) == 0o711
    assert stat.S_IMODE(os.lstat(root / "d").st_mode) == 0o700
    assert {name for name, *_ in second.fs.root.entries()} == {b"f", b"d", b"null", b"l"}


def test_rows_go_with_the_last_link(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    guest = fake(root)
    fs = guest.fs
    assert isinstance(fs, HostFileSystem)
    guest.write(b"f", b"x")
    guest.chown(b"f", 1, 1, True)
    guest.link(b"f", b"g", False)
    guest.unlink(b"f")
    assert op.stat(guest.ctx, b"g").uid == 1
    file = op.open_file(guest.ctx, b"g", 0, 0).acquire()
    guest.unlink(b"g")
    assert file.inode.stat().uid == 1
    file.release()
    assert not fs.rows
    guest.mkdir(b"d", 0o755)
    guest.chown(b"d", 1, 1, True)
    guest.write(b"a", b"")
    guest.chown(b"a", 2, 2, True)
    guest.write(b"b", b"")
    guest.rename(b"b", b"a", 0)
    guest.rmdir(b"d")
    assert not fs.rows
    assert not fake(root).fs.rows  # type: ignore[attr-defined]


def test_another_lbw_on_the_same_root_is_noticed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    one, other = fake(root), fake(root)
    one.write(b"f", b"")
    one.chown(b"f", 9, 9, True)
    other.write(b"g", b"")
    other.chown(b"g", 8, 8, True)
    one.write(b"h", b"")
    other.write(b"i", b"")
    assert [op.stat(g.ctx, n).uid for g in (one, other) for n in (b"f", b"g")] == [9, 8, 9, 8]


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    result = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        result[str(path)] = (status.st_mode, path.read_bytes() if path.is_file() else b"")
    return result


def test_overlays_change_nothing_below(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/f").write_bytes(b"data" * 100_000)
    (tmp_path / "a/b/g").write_bytes(b"g")
    os.link(tmp_path / "a/f", tmp_path / "hard")
    before = tree(tmp_path)
    storage = TmpFileSystem()
    guest = Guest(OverlayFileSystem(HostFileSystem(bytes(tmp_path)), storage))
    number = op.stat(guest.ctx, b"a/f").ino
    reader = op.open_file(guest.ctx, b"a/f", 0, 0).acquire()
    guest.chmod(b"a/f", 0o600)
    assert storage.used_files == 1  # attributes need no copy
    file = op.open_file(guest.ctx, b"a/f", O_RDWR, 0).acquire()
    file.pwrite([memoryview(b"DATA")], 4)
    file.release()
    assert guest.read(b"hard")[:12] == b"dataDATAdata"  # hard links stay one file
    assert op.stat(guest.ctx, b"a/f").ino == op.stat(guest.ctx, b"hard").ino == number
    assert op.stat(guest.ctx, b"hard").mode == 0o100600
    buffer = bytearray(8)
    reader.pread([memoryview(buffer)], 0)
    assert buffer == b"datadata"  # opened before the copy
    reader.release()
    number = op.stat(guest.ctx, b"a").ino
    guest.rename(b"a", b"moved", 0)
    assert op.stat(guest.ctx, b"moved").ino == number
    assert guest.read(b"moved/b/g") == b"g"
    guest.unlink(b"moved/b/g")
    guest.rmdir(b"moved/b")
    guest.mkdir(b"moved/b", 0o755)
    assert guest.list(b"moved/b") == []  # opaque
    guest.mkdir(b"a", 0o755)
    assert guest.list(b"a") == []
    guest.unlink(b"hard")
    guest.unlink(b"moved/f")
    assert storage.used_pages == 0
    for name in ("a", "moved"):
        op.open_file(guest.ctx, name.encode() + b"/new", O_CREAT | O_RDWR, 0o644).acquire().release()
    assert tree(tmp_path) == before
