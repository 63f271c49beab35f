"""Device nodes and their drivers."""

from __future__ import annotations

import os
import sys

import pytest
from pseudo_world import CONTENT, World

from lbw.abi.errno import EACCES, ENOSPC, ENOTTY, ENXIO, LinuxError
from lbw.abi.fcntl import O_RDONLY, O_RDWR, O_WRONLY
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK
from lbw.vfs.dev.devtmpfs import populate
from lbw.vfs.dev.table import major_of, makedev, minor_of
from lbw.vfs.operations import mkdir, mknod, open_file, readlink, stat
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs


@pytest.fixture
def world() -> World:
    return World()


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


def take(file, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    return bytes(buffer[: file.read([view[: size // 2], view[size // 2 :]])])


@pytest.mark.parametrize("name", ["null", "zero", "full", "random", "urandom", "tty"])
def test_nodes_are_those_of_the_host(world: World, name: str) -> None:
    ours = stat(world.ctx, b"/dev/" + name.encode())
    assert ours.mode == S_IFCHR | 0o666
    if sys.platform == "linux":
        native = os.stat("/dev/" + name)
        assert (ours.rdev, ours.mode) == (native.st_rdev, native.st_mode)


def test_null(world: World) -> None:
    file = open_file(world.ctx, b"/dev/null", O_RDWR, 0)
    assert file.write([memoryview(b"gone"), memoryview(b" for good")]) == 13
    assert take(file, 10) == b""
    assert file.seek(1000, 0) == 0
    assert failure(lambda: file.ioctl(0x5401, 0, world.me.memory)) == ENOTTY


def test_zero_and_full(world: World) -> None:
    zero, full = (open_file(world.ctx, b"/dev/" + name, O_RDWR, 0) for name in (b"zero", b"full"))
    assert take(zero, 5000) == bytes(5000)
    assert zero.write([memoryview(b"abc")]) == 3
    assert zero.anonymous_mapping and not full.anonymous_mapping
    assert take(full, 10) == bytes(10)
    assert failure(lambda: full.write([memoryview(b"x")])) == ENOSPC


@pytest.mark.parametrize("name", [b"random", b"urandom"])
def test_random(world: World, name: bytes) -> None:
    file = open_file(world.ctx, b"/dev/" + name, O_RDONLY, 0)
    first, second = take(file, 64), take(file, 64)
    assert len(first) == 64 and first != second
    file.ioctl(0x80045200, CONTENT, world.me.memory)
    assert world.me.memory.read(CONTENT, 4) == b"\0\1\0\0"


@pytest.mark.parametrize("name", [b"tty", b"console", b"ptmx"])
def test_devices_without_a_driver(world: World, name: bytes) -> None:
    assert failure(lambda: open_file(world.ctx, b"/dev/" + name, O_RDWR, 0)) == ENXIO


def test_a_driver_serves_nodes_anywhere(world: World) -> None:
    opened = []

    def driver(ctx, inode, flags):
        opened.append((ctx, flags & 3))
        return open_file(world.ctx, b"/dev/null", flags, 0)

    world.source.devices.register(5, 0, driver, "/dev/tty")
    mknod(world.ctx, b"/tmp/terminal", S_IFCHR | 0o600, makedev(5, 0))
    open_file(world.ctx, b"/tmp/terminal", O_WRONLY, 0)
    assert opened == [(world.ctx, O_WRONLY)]
    mknod(world.ctx, b"/tmp/block", S_IFBLK | 0o600, makedev(5, 0))
    assert failure(lambda: open_file(world.ctx, b"/tmp/block", O_RDONLY, 0)) == ENXIO
    mknod(world.ctx, b"/tmp/socket", S_IFSOCK | 0o600, 0)
    assert failure(lambda: open_file(world.ctx, b"/tmp/socket", O_RDONLY, 0)) == ENXIO


def test_a_fifo_in_a_directory(world: World) -> None:
    mknod(world.ctx, b"/tmp/fifo", S_IFIFO | 0o600, 0)
    both = open_file(world.ctx, b"/tmp/fifo", O_RDWR, 0)
    again = open_file(world.ctx, b"/tmp/fifo", O_RDONLY, 0)
    both.write([memoryview(b"through the tree")])
    assert take(again, 30) == b"through the tree"


def test_links_and_directories(world: World) -> None:
    for name, target in ((b"stdin", b"/proc/self/fd/0"), (b"fd", b"/proc/self/fd")):
        assert readlink(world.ctx, b"/dev/" + name) == target
        assert stat(world.ctx, b"/dev/" + name, follow=False).mode & S_IFMT == S_IFLNK
    assert stat(world.ctx, b"/dev/shm").mode & 0o7777 == 0o1777
    mkdir(world.ctx, b"/dev/mine", 0o700)  # root may add to it
    assert failure(lambda: mkdir(world.other.fs, b"/dev/theirs", 0o700)) == EACCES


def test_device_numbers_like_the_hosts() -> None:
    for major, minor in ((1, 3), (5, 2), (136, 300), (4095, 255), (4096, 256), (1 << 20, 1 << 20)):
        device = makedev(major, minor)
        assert (major_of(device), minor_of(device)) == (major, minor)
        if hasattr(os, "makedev") and major < 4096 and minor < 1 << 20:
            assert device == os.makedev(major, minor)


def test_without_drivers_special_files_are_refused() -> None:
    vfs = Vfs(TmpFileSystem(mode=0o755))
    populate(vfs.root.inode)
    assert failure(lambda: open_file(vfs.context(), b"/null", O_RDONLY, 0)) == ENXIO
