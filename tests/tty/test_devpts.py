"""The file system of pseudo-terminals: numbers, nodes, limits, permissions, and the console without a terminal."""

from __future__ import annotations

import pytest

from lbw.abi.errno import EACCES, EAGAIN, EBADF, EIO, ENOENT, ENOSPC, ENXIO, EPERM, LinuxError
from lbw.abi.fcntl import O_CREAT, O_NOCTTY, O_RDONLY, O_RDWR, O_WRONLY
from lbw.abi.fs import DEVPTS_SUPER_MAGIC
from lbw.abi.stat import S_IFCHR
from lbw.vfs.context import FsContext
from lbw.vfs.credentials import Credentials
from lbw.vfs.dev.devtmpfs import populate
from lbw.vfs.dev.table import DeviceTable, makedev
from lbw.vfs.devpts.filesystem import MAX_PAIRS, DevptsFileSystem
from lbw.vfs.directory import Directory
from lbw.vfs.operations import chmod, chown, mkdir, mknod, open_file, path_of, resolve, stat, statfs, symlink, unlink
from lbw.vfs.special import special_opener
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.tty.console import open_console
from lbw.vfs.tty.pty_master import PtyMaster
from lbw.vfs.vfs import Vfs


class World:
    """A tree that has nothing but /dev and /dev/pts."""

    def __init__(self) -> None:
        self.vfs = Vfs(TmpFileSystem(1 << 20, 0o755))
        self.ctx = self.vfs.context()
        self.devices = DeviceTable()
        self.vfs.open_special = special_opener(self.devices)
        dev = TmpFileSystem(1 << 20, 0o755)
        populate(dev.root)
        self.vfs.mount(dev, self.vfs.mount_point(b"/dev"))
        self.devpts = DevptsFileSystem()
        self.devpts.register_drivers(self.devices)
        self.devpts.place = self.vfs.mount(self.devpts, self.vfs.mount_point(b"/dev/pts")).root

    def master(self, ctx: FsContext | None = None, path: bytes = b"/dev/ptmx") -> PtyMaster:
        master = open_file(ctx or self.ctx, path, O_RDWR | O_NOCTTY, 0)
        assert isinstance(master, PtyMaster)
        master.acquire()
        return master

    def slave(self, index: int):
        return open_file(self.ctx, b"/dev/pts/%d" % index, O_RDWR | O_NOCTTY, 0).acquire()

    def names(self) -> list[bytes]:
        directory = open_file(self.ctx, b"/dev/pts", O_RDONLY, 0)
        assert isinstance(directory, Directory)
        return [name for name, _, _ in directory.entries()]


@pytest.fixture
def world() -> World:
    return World()


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


def test_numbers_are_the_lowest_free_ones(world):
    masters = [world.master() for _ in range(3)]
    assert [master.slave.index for master in masters] == [0, 1, 2]
    assert world.names() == [b".", b"..", b"2", b"1", b"0", b"ptmx"]
    masters[1].release()
    assert world.names() == [b".", b"..", b"2", b"0", b"ptmx"]
    assert world.master().slave.index == 1
    assert world.master(path=b"/dev/pts/ptmx").slave.index == 3


def test_a_number_is_in_use_until_both_sides_are_closed(world):
    master = world.master()
    master.slave.locked_up = False
    slave = world.slave(0)
    master.release()
    assert failure(lambda: stat(world.ctx, b"/dev/pts/0")) == ENOENT
    assert slave.inode.stat().nlink == 0
    assert world.devices.terminal_count == 1
    assert path_of(world.ctx, slave.location) == b"/dev/pts/0 (deleted)"
    assert world.master().slave.index == 1
    slave.release()
    assert world.devices.terminal_count == 1
    assert world.master().slave.index == 0


def test_the_node_belongs_to_who_opened_the_master(world):
    user = world.vfs.context(Credentials(1000, 100))
    world.master(user)
    node = stat(world.ctx, b"/dev/pts/0")
    assert (node.mode, node.uid, node.gid, node.rdev, node.ino) == (S_IFCHR | 0o620, 1000, 5, makedev(136, 0), 3)
    place = resolve(user, b"/dev/pts/0")
    chmod(user, place, 0o600)
    chown(world.ctx, place, 7, 8)
    node = stat(world.ctx, b"/dev/pts/0")
    assert (node.mode, node.uid, node.gid) == (S_IFCHR | 0o600, 7, 8)
    assert failure(lambda: open_file(user, b"/dev/pts/0", O_RDWR, 0)) == EACCES
    assert failure(lambda: open_file(user, b"/dev/pts/ptmx", O_RDWR, 0)) == EACCES


def test_nobody_else_makes_nodes(world):
    world.master()
    for action, errno in (
        (lambda: mkdir(world.ctx, b"/dev/pts/d", 0o755), EPERM),
        (lambda: mknod(world.ctx, b"/dev/pts/n", S_IFCHR | 0o666, makedev(1, 3)), EPERM),
        (lambda: symlink(world.ctx, b"0", b"/dev/pts/l"), EPERM),
        (lambda: open_file(world.ctx, b"/dev/pts/f", O_RDWR | O_CREAT, 0o600), EACCES),
        (lambda: unlink(world.ctx, b"/dev/pts/0"), EPERM),
        (lambda: open_file(world.ctx, b"/dev/pts/00", O_RDWR, 0), ENOENT),
    ):
        assert failure(action) == errno


def test_a_slave_is_opened_by_its_node_only(world):
    world.master().slave.locked_up = False
    mknod(world.ctx, b"/copy", S_IFCHR | 0o666, makedev(136, 0))
    mknod(world.ctx, b"/master", S_IFCHR | 0o666, makedev(128, 0))
    assert failure(lambda: open_file(world.ctx, b"/copy", O_RDWR, 0)) == EIO
    assert failure(lambda: open_file(world.ctx, b"/master", O_RDWR, 0)) == EIO
    assert world.slave(0).tty.index == 0


def test_a_peer_needs_no_permission_and_has_its_path(world):
    user = world.vfs.context(Credentials(1000, 100))
    master = world.master()
    assert failure(lambda: master.open_peer(user, O_RDWR)) == EIO
    master.slave.locked_up = False
    peer = master.open_peer(user, O_RDWR | O_NOCTTY)
    assert path_of(world.ctx, peer.location) == b"/dev/pts/0"
    assert peer.flags == O_RDWR


def test_there_are_only_so_many(world):
    masters = [world.master() for _ in range(MAX_PAIRS - 1)]
    assert failure(world.master) == ENOSPC
    assert world.devices.terminal_count == MAX_PAIRS - 1
    masters[77].release()
    assert world.master().slave.index == 77


def test_what_the_file_system_says_of_itself(world):
    assert statfs(world.ctx, resolve(world.ctx, b"/dev/pts"))[0] == DEVPTS_SUPER_MAGIC
    mount = world.vfs.mounts()[-1]
    assert mount.options() == "rw,gid=5,mode=620,ptmxmode=000"


def test_much_passes_in_pieces(world):
    master = world.master()
    master.slave.locked_up = False
    slave = world.slave(0)
    data = bytes(range(33, 127)) * 1000
    sent = slave.write([memoryview(data)])
    assert 0 < sent < len(data)
    assert failure(lambda: slave.write([memoryview(data)])) == EAGAIN
    buffer, got = bytearray(1 << 16), b""
    while len(got) < sent:
        count = master.read([memoryview(buffer)])
        assert 0 < count <= 4095
        got += buffer[:count]
    assert got == data[:sent]
    assert failure(lambda: master.read([memoryview(buffer)])) == EAGAIN


class Stream:
    """A file that knows what is done to it."""

    queue = None

    def __init__(self) -> None:
        self.closed = 0
        self.written = b""

    def read(self, views):
        views[0][:2] = b"in"
        return 2

    def write(self, views):
        self.written += views[0].tobytes()
        return len(views[0])

    def close(self):
        self.closed += 1


def test_the_console_without_a_terminal_is_the_standard_streams(world):
    streams = {0: Stream(), 2: Stream()}
    console = open_console(world.ctx.root.inode, O_RDWR, streams.get).acquire()
    buffer = bytearray(4)
    assert console.read([memoryview(buffer)]) == 2
    assert console.write([memoryview(b"out")]) == 3
    assert streams[2].written == b"out"
    console.release()
    assert [stream.closed for stream in streams.values()] == [1, 1]
    output = open_console(world.ctx.root.inode, O_WRONLY, streams.get)
    assert failure(lambda: output.read([memoryview(buffer)])) == EBADF
    assert failure(lambda: open_console(world.ctx.root.inode, O_RDONLY, {}.get)) == ENXIO
