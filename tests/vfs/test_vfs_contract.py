"""What every file system must do, by example; `test_vfs_differential` does the same by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vfs_guest import FILE_SYSTEMS, Guest

from lbw.abi import errno as linux
from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import (
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_TMPFILE,
    O_TRUNC,
    O_WRONLY,
    SEEK_DATA,
    SEEK_HOLE,
    SEEK_SET,
)
from lbw.vfs import operations as op
from lbw.vfs.file import File
from lbw.vfs.inode import FileSystem


def raises(number: int) -> object:
    """Expect a LinuxError with this errno."""
    return pytest.raises(LinuxError, match=f"^{linux.NAMES[number]}$")


def read(file: File, size: int, offset: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: file.pread([memoryview(buffer)], offset)])


@pytest.fixture(params=FILE_SYSTEMS, ids=lambda make: make.__name__)
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    make: Callable[[], FileSystem] = request.param
    guest = Guest(make())
    guest.chmod(b"/", 0o755)
    yield guest
    guest.fs.close()


class TestFileSystemContract:
    def test_reads_what_was_written(self, guest: Guest) -> None:
        file = op.open_file(guest.ctx, b"f", O_CREAT | O_RDWR, 0o644).acquire()
        assert file.write([memoryview(b"hello "), memoryview(b"world")]) == 11
        assert file.offset == 11
        assert read(file, 100, 6) == b"world"
        assert file.seek(-5, 2) == 6
        buffer = bytearray(3)
        assert file.read([memoryview(buffer)[:1], memoryview(buffer)[1:]]) == 3
        assert buffer == b"wor"
        file.release()
        assert op.stat(guest.ctx, b"f").size == 11

    def test_many_views(self, guest: Guest) -> None:
        file = op.open_file(guest.ctx, b"f", O_CREAT | O_RDWR, 0o644).acquire()
        data = memoryview(bytes(range(250)) * 40)
        views = [data[i : i + 4] for i in range(0, len(data), 4)]
        assert len(views) > 2000
        assert file.pwrite(views, 5) == len(data)
        buffer = memoryview(bytearray(len(data)))
        assert file.pread([buffer[i : i + 4] for i in range(0, len(data), 4)], 5) == len(data)
        assert buffer == data
        file.release()

    def test_append_ignores_the_offset(self, guest: Guest) -> None:
        guest.write(b"f", b"one")
        file = op.open_file(guest.ctx, b"f", O_RDWR | O_APPEND, 0).acquire()
        assert file.write([memoryview(b"two")]) == 3
        assert file.offset == 6
        file.release()
        assert guest.read(b"f") == b"onetwo"

    def test_holes(self, guest: Guest) -> None:
        file = op.open_file(guest.ctx, b"f", O_CREAT | O_RDWR, 0o644).acquire()
        file.pwrite([memoryview(b"end")], 10 << 20)
        assert read(file, 4, 5 << 20) == bytes(4)
        assert op.stat(guest.ctx, b"f").blocks * 512 < 1 << 20
        assert file.seek(0, SEEK_HOLE) == 0
        assert file.seek(0, SEEK_DATA) == 10 << 20
        with raises(linux.ENXIO):
            file.seek(11 << 20, SEEK_DATA)
        file.allocate(0, 0, 100)
        file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10 << 20, 4096)
        assert read(file, 10, 10 << 20) == bytes(3)
        file.release()

    def test_truncate(self, guest: Guest) -> None:
        guest.write(b"f", b"x" * 100_000)
        guest.truncate(b"f", 70_000)
        guest.truncate(b"f", 80_000)
        assert guest.read(b"f") == b"x" * 70_000 + bytes(10_000)
        op.open_file(guest.ctx, b"f", O_WRONLY | O_TRUNC, 0).acquire().release()
        assert guest.read(b"f") == b""

    def test_unlinked_files_live_while_open(self, guest: Guest) -> None:
        guest.write(b"f", b"alive")
        file = op.open_file(guest.ctx, b"f", O_RDWR, 0).acquire()
        guest.unlink(b"f")
        guest.write(b"f", b"another")
        assert read(file, 100, 0) == b"alive"
        assert file.inode.stat().nlink == 0
        file.inode.truncate(2)
        file.inode.set_attributes(mode=0o600, mtime=10**18)
        assert file.inode.stat().mode & 0o777 == 0o600
        assert read(file, 100, 0) == b"al"
        assert file.location is not None
        assert op.path_of(guest.ctx, file.location) == b"/f (deleted)"
        again = op.open_location(guest.ctx, file.location, O_RDONLY).acquire()
        assert read(again, 100, 0) == b"al"
        again.release()
        file.release()
        assert guest.read(b"f") == b"another"

    def test_directories_move_with_those_inside(self, guest: Guest) -> None:
        guest.mkdir(b"a", 0o755)
        guest.mkdir(b"a/b", 0o755)
        guest.chdir(b"a/b")
        guest.write(b"f", b"data")
        guest.rename(b"/a", b"/z", 0)
        assert op.path_of(guest.ctx, guest.ctx.cwd) == b"/z/b"
        assert guest.read(b"f") == b"data"
        assert guest.do("stat", b"/a/b", True) == ("error", "ENOENT")
        guest.mkdir(b"/a", 0o755)
        guest.rename(b"/a", b"/z", 2)  # RENAME_EXCHANGE
        assert op.path_of(guest.ctx, guest.ctx.cwd) == b"/a/b"
        assert guest.read(b"/a/b/f") == b"data"

    def test_removed_working_directory(self, guest: Guest) -> None:
        guest.mkdir(b"a", 0o755)
        guest.chdir(b"a")
        guest.rmdir(b"/a")
        assert op.path_of(guest.ctx, guest.ctx.cwd) == b"/a (deleted)"
        assert guest.do("open", b"f", O_CREAT | O_WRONLY, 0o644, b"") == ("error", "ENOENT")
        assert guest.do("stat", b"..", True)[0] == "ok"

    def test_tmpfile(self, guest: Guest) -> None:
        file = op.open_file(guest.ctx, b"/", O_TMPFILE | O_RDWR, 0o640).acquire()
        assert file.write([memoryview(b"secret")]) == 6
        assert file.inode.stat().nlink == 0
        assert guest.list(b"/") == []
        assert file.location is not None
        op.link(guest.ctx, b"", b"named", old_at=file.location, empty_ok=True)
        file.release()
        assert guest.read(b"named") == b"secret"
        assert op.stat(guest.ctx, b"named").mode & 0o777 == 0o640

    def test_hard_links_are_one_file(self, guest: Guest) -> None:
        guest.write(b"f", b"1")
        guest.link(b"f", b"g", False)
        guest.write(b"g", b"22")
        assert guest.read(b"f") == b"22"
        one, other = op.stat(guest.ctx, b"f"), op.stat(guest.ctx, b"g")
        assert (one.ino, one.dev, one.nlink) == (other.ino, other.dev, 2)
        guest.link(b"f", b"h", False)
        assert guest.read(b"h") == b"22"
        guest.unlink(b"h")  # the name under which it was seen last
        assert guest.read(b"f") == b"22"
        guest.rename(b"f", b"g", 0)  # two names of one file: nothing happens
        assert len(guest.list(b"/")) == 2

    def test_names_are_bytes(self, guest: Guest) -> None:
        for name in (b"\xff\xfe", b"new\nline", b"\x01", "ü".encode(), b"x" * 255):
            guest.write(name, name)
            assert guest.read(name) == name
        assert len(guest.list(b"/")) == 5
        with raises(linux.ENAMETOOLONG):
            guest.write(b"x" * 256, b"")
        with raises(linux.ENAMETOOLONG):
            guest.stat(b"a/" * 2048, True)

    def test_listing_has_numbers_and_types(self, guest: Guest) -> None:
        guest.write(b"f", b"")
        guest.mkdir(b"d", 0o755)
        guest.symlink(b"f", b"l")
        guest.mknod(b"p", 0o010644)
        file = op.open_file(guest.ctx, b"/", O_DIRECTORY, 0).acquire()
        entries = {name: (ino, kind) for name, ino, kind in file.entries()}
        assert set(entries) == {b".", b"..", b"f", b"d", b"l", b"p"}
        for name, (ino, kind) in entries.items():
            status = op.stat(guest.ctx, name, follow=False)
            assert (status.ino, status.mode & 0o170000) == (ino, kind)
        guest.write(b"late", b"")
        file.seek(0, SEEK_SET)
        assert len(file.entries()) == 7
        file.release()

    def test_device_nodes(self, guest: Guest) -> None:
        op.mknod(guest.ctx, b"null", 0o020666, 0x103)
        status = op.stat(guest.ctx, b"null")
        assert (status.mode, status.rdev) == (0o020644, 0x103)
        guest.chmod(b"null", 0o666)
        assert op.stat(guest.ctx, b"null").mode == 0o020666
        assert guest.do("open", b"null", O_RDONLY, 0, b"") == ("error", "ENXIO")  # the default seam
        guest.chown(b"null", 5, 6, True)
        status = op.stat(guest.ctx, b"null")
        assert (status.uid, status.gid, status.mode, status.rdev) == (5, 6, 0o020666, 0x103)

    def test_ownership(self, guest: Guest) -> None:
        guest.write(b"f", b"")
        guest.chmod(b"f", 0o4755)
        guest.chown(b"f", 1000, 2000, True)
        status = op.stat(guest.ctx, b"f")
        assert (status.uid, status.gid, status.mode) == (1000, 2000, 0o100755)
        guest.chmod(b"f", 0)
        assert op.stat(guest.ctx, b"f").mode == 0o100000
        guest.write(b"f", b"root may", O_WRONLY)
        guest.symlink(b"f", b"l")
        guest.chown(b"l", 7, 8, False)
        status = op.stat(guest.ctx, b"l", follow=False)
        assert (status.uid, status.gid) == (7, 8)
        assert op.stat(guest.ctx, b"f").uid == 1000

    def test_extended_attributes(self, guest: Guest) -> None:
        guest.write(b"f", b"")
        inode = op.resolve(guest.ctx, b"f").inode
        inode.set_xattr(b"user.one", b"1", 0)
        inode.set_xattr(b"user.two", b"\0\xff", 1)
        assert inode.get_xattr(b"user.two") == b"\0\xff"
        assert sorted(inode.list_xattr()) == [b"user.one", b"user.two"]
        with raises(linux.EEXIST):
            inode.set_xattr(b"user.one", b"", 1)
        inode.remove_xattr(b"user.one")
        with raises(linux.ENODATA):
            inode.get_xattr(b"user.one")

    def test_identity_follows_the_content(self, guest: Guest) -> None:
        guest.write(b"f", b"1")
        inode = op.resolve(guest.ctx, b"f").inode
        seen = {inode.identity()}
        for data in (b"2", b"3", b"4"):  # same size, within one tick of the host's clock
            file = op.open_file(guest.ctx, b"f", O_RDWR, 0).acquire()
            file.pwrite([memoryview(data)], 0)
            file.release()
            seen.add(op.resolve(guest.ctx, b"f").inode.identity())
        assert len(seen) == 4
        assert op.resolve(guest.ctx, b"f").inode.identity() in seen

    def test_path_descriptions(self, guest: Guest) -> None:
        guest.symlink(b"nowhere", b"l")
        file = op.open_file(guest.ctx, b"l", O_PATH | O_NOFOLLOW, 0)
        assert not file.readable and not file.writable
        assert file.location is not None
        assert op.readlink(guest.ctx, b"", at=file.location) == b"nowhere"
        with raises(linux.ELOOP):
            op.open_file(guest.ctx, b"l", O_NOFOLLOW, 0)
        with raises(linux.EEXIST):
            op.open_file(guest.ctx, b"l", O_CREAT | O_EXCL | O_WRONLY, 0o644)
        guest.write(b"l", b"through")
        assert guest.read(b"nowhere") == b"through"

    def test_programs_that_run_are_not_written(self, guest: Guest) -> None:
        guest.write(b"f", b"")
        location = op.resolve(guest.ctx, b"f")
        guest.ctx.vfs.deny_write(location.inode)
        with raises(linux.ETXTBSY):
            op.open_file(guest.ctx, b"f", O_WRONLY, 0)
        guest.ctx.vfs.allow_write(location.inode)
        file = op.open_file(guest.ctx, b"f", O_WRONLY, 0).acquire()
        with raises(linux.ETXTBSY):
            guest.ctx.vfs.deny_write(location.inode)
        file.release()
        guest.ctx.vfs.deny_write(location.inode)

    def test_set_group_id_directories(self, guest: Guest) -> None:
        guest.mkdir(b"d", 0o755)
        guest.chown(b"d", 0, 50, True)
        guest.chmod(b"d", 0o2775)
        guest.write(b"d/f", b"")
        guest.mkdir(b"d/e", 0o755)
        assert op.stat(guest.ctx, b"d/f").gid == 50
        status = op.stat(guest.ctx, b"d/e")
        assert (status.gid, status.mode) == (50, 0o042755)

    def test_times(self, guest: Guest) -> None:
        guest.write(b"f", b"")
        assert guest.utime(b"f", 10**18 + 1, 2 * 10**18 + 3) == (10**18 + 1, 2 * 10**18 + 3)
        op.utimens(guest.ctx, op.resolve(guest.ctx, b"f"), None, 5)
        status = op.stat(guest.ctx, b"f")
        assert (status.atime, status.mtime) == (10**18 + 1, 5)
        guest.write(b"f", b"new")
        assert op.stat(guest.ctx, b"f").mtime > 10**18


@pytest.mark.parametrize("make", FILE_SYSTEMS, ids=lambda make: make.__name__)
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("wtp"), st.integers(0, 200_000), st.binary(max_size=20).map(lambda b: b * 5000)),
        max_size=12,
    )
)
def test_content_is_a_byte_array(make: Callable[[], FileSystem], changes: list[tuple[str, int, bytes]]) -> None:
    guest = Guest(make())
    file = op.open_file(guest.ctx, b"f", O_CREAT | O_RDWR, 0o644).acquire()
    model = bytearray()
    for kind, offset, data in changes:
        if kind == "w":
            model.extend(bytes(max(0, offset - len(model)))) if data else None
            model[offset : offset + len(data)] = data
            assert file.pwrite([memoryview(data)], offset) == len(data)
        elif kind == "t":
            del model[offset:]
            model.extend(bytes(offset - len(model)))
            file.inode.truncate(offset)
        elif data:
            end = min(offset + len(data), len(model))
            if end > offset:
                model[offset:end] = bytes(end - offset)
            file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len(data))
        assert file.inode.stat().size == len(model)
    assert read(file, len(model) + 10, 0) == model
    file.release()
    guest.fs.close()
