"""The path walk: nothing leads out of the root, mounts are crossed both ways, memory stays bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from vfs_guest import FILE_SYSTEMS, Guest

from lbw.abi import errno as linux
from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import O_CREAT, O_DIRECTORY, O_RDONLY, O_WRONLY
from lbw.abi.fs import MS_RDONLY
from lbw.vfs import operations as op
from lbw.vfs.credentials import Credentials
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs


def raises(number: int) -> object:
    """Expect a LinuxError with this errno."""
    return pytest.raises(LinuxError, match=f"^{linux.NAMES[number]}$")


@pytest.fixture
def jail(tmp_path: Path) -> Guest:
    """A root beside a secret."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/secret").write_bytes(b"decoy")
    return Guest(HostFileSystem(bytes(tmp_path / "root")))


@pytest.mark.parametrize("target", [
    b"/../secret", b"../../../../secret", b"/secret", b"/etc/../../secret", b"/etc/up/../secret", b"//..//secret",
])  # fmt: skip
def test_links_and_dots_stay_inside(jail: Guest, target: bytes) -> None:
    jail.symlink(b"/..", b"etc/up")
    jail.symlink(target, b"etc/link")
    assert jail.read(b"etc/link") == b"decoy"
    jail.chdir(b"etc")
    assert jail.read(b"../../../../../secret") == b"decoy"
    op.chroot(jail.ctx, op.resolve(jail.ctx, b"/etc"))
    assert jail.do("stat", b"/../secret", True) == ("error", "ENOENT")


def test_a_nested_root_does_not_see_above(jail: Guest) -> None:
    jail.mkdir(b"jail", 0o755)
    jail.symlink(b"/secret", b"jail/link")
    op.chroot(jail.ctx, op.resolve(jail.ctx, b"/jail"))
    assert jail.do("stat", b"link", True)[0] == "error"
    assert op.path_of(jail.ctx, jail.ctx.cwd) == b"(unreachable)/"


def test_loops_and_long_chains(jail: Guest) -> None:
    jail.symlink(b"loop", b"loop")
    with raises(linux.ELOOP):
        op.stat(jail.ctx, b"loop")
    jail.symlink(b"secret", b"l0")
    for index in range(1, 41):
        jail.symlink(b"l%d" % (index - 1), b"l%d" % index)
    assert op.stat(jail.ctx, b"l39").size == 5
    with raises(linux.ELOOP):
        op.stat(jail.ctx, b"l40")


def test_swapping_a_directory_for_a_link_never_leads_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"OUTSIDE")
    root = tmp_path / "root"
    (root / "a/d").mkdir(parents=True)
    (root / "a/d/file").write_bytes(b"inside")
    os.symlink(outside, root / "a/l")
    racer = subprocess.Popen([sys.executable, "-c", """
import ctypes, sys
libc = ctypes.CDLL(None)
a, b = (sys.argv[1] + s for s in ("/a/d", "/a/l"))
while True:
    libc.renameat2(-100, a.encode(), -100, b.encode(), 2)
""", str(root)])  # fmt: skip
    try:
        guest = Guest(HostFileSystem(bytes(root)))
        seen = set()
        for index in range(4000):
            path = b"/a/d/file" if index % 2 else b"/a/l/file"
            try:
                seen.add(guest.read(path, 100))
                guest.write(b"/a/d/new", b"x")
                guest.chmod(b"/a/d/file", 0o644)
                guest.unlink(b"/a/d/new")
            except LinuxError as error:
                assert error.errno in (linux.ENOENT, linux.ENOTDIR, linux.ELOOP, linux.ESTALE, linux.EEXIST), error
    finally:
        racer.kill()
        racer.wait()
    assert seen <= {b"inside"}
    assert sorted(os.listdir(outside)) == ["file"]
    assert (outside / "file").read_bytes() == b"OUTSIDE"


def test_changes_by_others_are_seen(jail: Guest, tmp_path: Path) -> None:
    jail.mkdir(b"a", 0o755)
    jail.write(b"a/f", b"1")
    os.rename(tmp_path / "root/a", tmp_path / "root/b")
    (tmp_path / "root/a").mkdir()
    (tmp_path / "root/a/f").write_bytes(b"2")
    assert jail.read(b"a/f") == b"2"
    assert jail.read(b"b/f") == b"1"
    os.unlink(tmp_path / "root/a/f")
    assert jail.do("stat", b"a/f", True) == ("error", "ENOENT")


def test_mounts_are_crossed_both_ways(jail: Guest) -> None:
    vfs = jail.ctx.vfs
    mount = vfs.mount(TmpFileSystem(), vfs.mount_point(b"/etc"), 0, b"tmpfs")
    jail.write(b"/etc/f", b"mounted")
    jail.chdir(b"/etc")
    assert op.path_of(jail.ctx, jail.ctx.cwd) == b"/etc"
    assert jail.read(b"../secret") == b"decoy"
    assert jail.do("rmdir", b"/etc") == ("error", "EBUSY")
    assert jail.do("rename", b"/etc", b"/other", 0) == ("error", "EBUSY")
    assert jail.do("link", b"/secret", b"/etc/g", False) == ("error", "EXDEV")
    jail.chdir(b"/")
    vfs.unmount(mount.root)
    assert jail.list(b"/etc") == []
    jail.rmdir(b"/etc")


def test_mount_points_that_the_root_lacks(jail: Guest, tmp_path: Path) -> None:
    vfs = jail.ctx.vfs
    bound = tmp_path / "bound"
    bound.mkdir()
    (bound / "f").write_bytes(b"bound")
    for flags, path in ((0, b"/mnt/deep/rw"), (MS_RDONLY, b"/mnt/deep/ro")):
        vfs.mount(HostFileSystem(bytes(bound), metadata=False), vfs.mount_point(path), flags, bytes(bound))
    assert jail.read(b"/mnt/deep/rw/f") == b"bound"
    assert [name for name, *_ in jail.list(b"/mnt/deep")] == [b"ro", b"rw"]
    assert b"mnt" in [name for name, *_ in jail.list(b"/")]
    assert sorted(os.listdir(tmp_path / "root")) == ["etc", "secret"]
    jail.write(b"/mnt/deep/rw/new", b"x")
    for operation in (
        ("open", b"/mnt/deep/ro/f", O_WRONLY, 0, b""), ("mkdir", b"/mnt/deep/ro/d", 0o755),
        ("unlink", b"/mnt/deep/ro/f"), ("chmod", b"/mnt/deep/ro/f", 0),
        ("rename", b"/mnt/deep/ro/f", b"/mnt/deep/ro/g", 0),
        ("open", b"/mnt/deep/ro/h", O_WRONLY | O_CREAT, 0o644, b""), ("access", b"/mnt/deep/ro/f", 2),
    ):  # fmt: skip
        assert jail.do(*operation) == ("error", "EROFS")
    assert jail.do("rmdir", b"/mnt/deep") == ("error", "EBUSY")
    assert jail.do("mkdir", b"/mnt/other", 0o755)[0] == "error"
    assert jail.do("mkdir", b"/mnt/deep", 0o755) == ("error", "EEXIST")
    jail.chdir(b"/mnt/deep/rw")
    assert op.path_of(jail.ctx, op.resolve(jail.ctx, b"../../..")) == b"/"


def test_a_single_file_is_bound(jail: Guest, tmp_path: Path) -> None:
    vfs = jail.ctx.vfs
    fs = HostFileSystem(bytes(tmp_path / "secret"))
    vfs.mount(fs, vfs.mount_point(b"/etc/hosts", directory=False))
    assert jail.read(b"/etc/hosts") == b"secret"
    jail.write(b"/etc/hosts", b"changed")
    assert (tmp_path / "secret").read_bytes() == b"changed"
    assert jail.do("list", b"/etc/hosts") == ("error", "ENOTDIR")
    assert os.listdir(tmp_path / "root/etc") == []


def test_memory_and_descriptors_stay_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import lbw.vfs.vfs as module

    monkeypatch.setattr(module, "RECENT_LOCATIONS", 50)
    fs = HostFileSystem(bytes(tmp_path))
    fs.handle_limit = 20
    guest = Guest(fs)
    for outer in range(30):
        guest.mkdir(b"%d" % outer, 0o755)
        for inner in range(10):
            guest.mkdir(b"%d/%d" % (outer, inner), 0o755)
            guest.write(b"%d/%d/f" % (outer, inner), b"x")
    guest.chdir(b"3/4")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for outer in range(30):
        for inner in range(10):
            assert guest.read(b"/%d/%d/f" % (outer, inner)) == b"x"
    assert guest.read(b"f") == b"x"
    assert len(fs._handles) <= 20
    assert len(fs._table) < 200
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.parametrize("make", FILE_SYSTEMS, ids=lambda make: make.__name__)
def test_magic_locations_open(make: object) -> None:
    guest = Guest(make())  # type: ignore[operator]
    guest.mkdir(b"d", 0o755)
    location = op.resolve(guest.ctx, b"d")
    file = op.open_location(guest.ctx, location, O_RDONLY | O_DIRECTORY).acquire()
    assert [name for name, *_ in file.entries()] == [b".", b".."]
    file.release()


def test_capabilities_decide(jail: Guest) -> None:
    jail.write(b"private", b"p")
    jail.chmod(b"private", 0)
    user = Credentials(1000, 1000)
    ctx = Vfs(jail.fs).context(user)
    with raises(linux.EACCES):
        op.open_file(ctx, b"private", O_RDONLY, 0)
    user.effective = 1 << 2  # CAP_DAC_READ_SEARCH
    op.open_file(ctx, b"private", O_RDONLY, 0).acquire().release()
    with raises(linux.EACCES):
        op.open_file(ctx, b"private", O_WRONLY, 0)
    user.effective = 0
    user.groups = (0,)
    jail.chmod(b"private", 0o060)
    op.open_file(ctx, b"private", O_WRONLY, 0).acquire().release()
