from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from chroot_archive import Archive, member

from lbw.chroot.ownership import Ownership, database_path, linux_device
from lbw.chroot.rootfs import RootTree

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RootTree:
    """The tree of a host user who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    top = tmp_path / "root"
    top.mkdir()
    return RootTree(top)


def rows(database: Path) -> dict[int, tuple[int | None, ...]]:
    connection = sqlite3.connect(database)
    try:
        return {row[0]: row[1:] for row in connection.execute("SELECT ino, uid, gid, mode, rdev FROM inode")}
    finally:
        connection.close()


def test_only_differences_are_recorded(tree: RootTree, tmp_path: Path) -> None:
    tree.write("plain", "", 0o644)
    tree.write("shadow", "", 0o640, 0, 42)
    tree.write("setuid", "", 0o4755)
    tree.write("unreadable", "", 0o000)
    tree.make_directory("mail", 0o2775, 0, 8)
    tree.make_directory("tmp", 0o1777)
    tree.make_symlink("link", "x", 5, 6)
    tree.make_special("null", stat.S_IFCHR | 0o666, (1, 3))
    tree.ownership.save(tmp_path / "db")
    top = tree.top
    inode = {name: os.lstat(top / name).st_ino for name in os.listdir(top)}
    assert rows(tmp_path / "db") == {
        inode["shadow"]: (None, 42, None, None),
        inode["setuid"]: (None, None, 0o104755, None),
        inode["unreadable"]: (None, None, 0o100000, None),
        inode["mail"]: (None, 8, 0o042775, None),
        inode["link"]: (5, 6, None, None),
        inode["null"]: (None, None, 0o020666, os.makedev(1, 3)),
    }
    host = {name: stat.S_IMODE(os.lstat(top / name).st_mode) for name in inode}
    assert (host["setuid"], host["unreadable"], host["mail"], host["tmp"]) == (0o755, 0o600, 0o775, 0o1777)
    assert stat.S_ISREG(os.lstat(top / "null").st_mode)
    assert {record.path for record in tree.ownership.records} == set(inode) - {"plain", "tmp"}


def test_another_name_of_a_replaced_file_keeps_its_record(tree: RootTree) -> None:
    tree.write("x", "", 0o644, 0, 42)
    tree.make_hard_link("y", "x")
    tree.write("x", "", 0o644)
    (record,) = tree.ownership.records
    assert record.inode == os.lstat(tree.top / "y").st_ino


@pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux's own makedev")
@pytest.mark.parametrize("device", [(1, 3), (136, 70000), (5000, 0), (0, 255), (0, 256)])
def test_device_numbers_are_linux_s(device: tuple[int, int]) -> None:
    assert linux_device(*device) == os.makedev(*device)


def test_a_replaced_file_loses_its_record(tree: RootTree) -> None:
    tree.write("x", "", 0o644, 0, 42)
    tree.write("x", "", 0o644)
    assert tree.ownership.records == []


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_root_owns_for_real(tmp_path: Path) -> None:
    tree = RootTree(tmp_path)
    tree.write("shadow", "", 0o640, 0, 42)
    tree.write("setuid", "", 0o4755, 7, 8)
    tree.make_symlink("link", "x", 5, 6)
    tree.make_special("null", stat.S_IFCHR | 0o666, (1, 3))
    status = os.lstat(tmp_path / "setuid")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (7, 8, 0o4755)
    assert os.lstat(tmp_path / "link").st_gid == 6
    assert os.lstat(tmp_path / "shadow").st_gid == 42
    assert tree.ownership.records == [] or stat.S_ISREG(os.lstat(tmp_path / "null").st_mode)


def test_a_container_s_root_without_chown_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", refuse)
    (tmp_path / "x").write_text("")
    ownership = Ownership(tmp_path)
    ownership.apply(str(tmp_path / "x"), 0o104755, 3, 4)
    (record,) = ownership.records
    assert (record.uid, record.gid, record.mode) == (3, 4, 0o104755)


@pytest.mark.skipif(not IS_ROOT, reason="needs root, to become somebody else")
def test_a_whole_build_as_nobody(archive: Archive, tmp_path: Path) -> None:
    archive.add("base", members=[
        member("./usr/bin/su", b"", mode=0o4755), member("./var/mail/", mode=0o2775, gid=8),
        member("./dev/console", type=tarfile.CHRTYPE, mode=0o600),
    ])  # fmt: skip
    archive.publish()
    work = Path("/tmp") / f"lbw-nobody-{os.getpid()}"
    work.mkdir()
    try:
        os.chown(work, 65534, 65534)
        subprocess.run(["cp", "-r", str(archive.top), str(work / "archive")], check=True)
        subprocess.run(["chmod", "-R", "a+rX", str(work)], check=True)
        script = (
            "import os\n"
            "import lbw.chroot.build\n"  # first: the interpreter's own files may be readable for root only
            "from lbw.chroot import create_root\n"
            "from lbw.chroot.variants import VARIANTS, Variant\n"
            "VARIANTS['shell'] = Variant(('base',), False, '')\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"create_root({str(work / 'root')!r}, mirror={(work / 'archive').as_uri()!r}, allow_unsigned=True)\n"
        )
        environment = {**os.environ, "LBW_DATA_HOME": str(work / "data"), "LBW_CACHE_HOME": str(work / "cache"),
                       "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)
        root = work / "root"
        found = rows(database_path(root))
        assert found[os.lstat(root / "usr/bin/su").st_ino] == (None, None, 0o104755, None)
        assert found[os.lstat(root / "var/mail").st_ino][1] == 8
        assert found[os.lstat(root / "dev/console").st_ino][2] == 0o020600
        assert os.lstat(root).st_uid == 65534
        assert not any(os.lstat(base).st_uid != 65534 for base, _, _ in os.walk(root))
    finally:
        subprocess.run(["rm", "-rf", str(work)], check=True)


def test_the_guest_s_file_system_reads_the_same_table(tree: RootTree) -> None:
    from lbw.chroot import ownership
    from lbw.vfs.host import metadata

    assert (ownership.SCHEMA, ownership.DATABASE_SUFFIX) == (metadata.SCHEMA, metadata.DATABASE_SUFFIX)
    tree.write("setuid", "", 0o4755, 0, 42)
    tree.ownership.save(database_path(tree.top))
    known = metadata.Metadata(os.fsencode(database_path(tree.top)))
    assert known.rows == {os.lstat(tree.top / "setuid").st_ino: (None, 42, 0o104755, None)}
    known.close()


def test_a_root_without_records_has_no_database(tmp_path: Path) -> None:
    ownership = Ownership(tmp_path)
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"db{suffix}").write_text("of an earlier root")
    ownership.save(tmp_path / "db")
    assert not list(tmp_path.glob("db*"))
