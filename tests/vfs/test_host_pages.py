"""Inodes of the host and their pages in the cache: who knows of them, what keeps them and what takes them away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbw.abi.errno import EIO, LinuxError
from lbw.abi.fcntl import O_APPEND, O_RDONLY, O_RDWR, O_TRUNC
from lbw.abi.mman import MAP_PRIVATE, MAP_SHARED
from lbw.host.memory import Ram
from lbw.mm.cached_file import CachedFile
from lbw.mm.frames import Frames
from lbw.mm.page_cache import PageCache
from lbw.mm.vma import Vma
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.host.inode import HostInode

PAGE = 4096


class World:
    """A directory of the host, mounted twice, and a page cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "file").write_bytes(b"a" * 5 * PAGE)
        self.ram = Ram(4 << 20)
        self.cache = PageCache(Frames(self.ram), 2 << 20)
        self.systems = [HostFileSystem(directory, metadata=False) for _ in range(2)]
        for system in self.systems:
            system.use_cache(self.cache)

    def inode(self, name: bytes = b"file", mount: int = 0) -> HostInode:
        return self.systems[mount].root.lookup(name)

    def mapped(self, inode: HostInode, flags: int = MAP_SHARED) -> tuple[CachedFile, Vma]:
        """Map a file that is open, and read it."""
        cached = inode.mapped(self.cache)
        assert isinstance(cached, CachedFile)
        vma = Vma(0, 5 * PAGE, 3, flags, cached, 0)
        for page in range(5):
            cached.frame(page)
        return cached, vma

    def shown(self, cached: CachedFile, offset: int) -> bytes:
        frame = cached.frame(offset // PAGE)
        assert frame is not None
        return bytes(self.cache.frames.view[frame + offset % PAGE : frame + offset % PAGE + 1])

    def store(self, cached: CachedFile, offset: int, data: bytes) -> None:
        frame = cached.frame(offset // PAGE)
        assert frame is not None
        cached.dirtied(offset // PAGE)
        self.cache.frames.view[frame + offset % PAGE : frame + offset % PAGE + len(data)] = data


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    for system in world.systems:
        system.close()
    world.ram.close()


def test_files_that_nobody_maps_are_not_in_the_cache(world):
    file = world.inode().open(O_RDWR).acquire()
    file.write([memoryview(b"data")])
    file.read([memoryview(bytearray(4))])
    file.fsync(False)
    file.release()
    world.inode().truncate(10)
    assert world.cache.files == {} and world.inode().cached is None


def test_both_mounts_know_the_pages(world):
    one, two = world.inode(), world.inode(mount=1)
    file = one.open(O_RDWR).acquire()
    other = two.open(O_RDWR | O_APPEND).acquire()
    cached, vma = world.mapped(one)
    assert one.cached is cached and two.cached is cached and two.mapped(world.cache) is cached
    other.pwrite([memoryview(b"b")], 7)
    assert world.shown(cached, 7) == b"b"
    other.write([memoryview(b"end")])
    assert world.shown(cached, 5 * PAGE + 2) == b"d" and cached.size == 5 * PAGE + 3
    world.store(cached, 9, b"stored")
    buffer = bytearray(20)
    other.pread([memoryview(buffer)[:10], memoryview(buffer)[10:]], 0)
    assert buffer == b"aaaaaaabastoredaaaaa"
    two.truncate(12)
    assert cached.size == 12 and world.shown(cached, 12) == b"\0"
    vma.drop()
    assert (world.directory / "file").read_bytes() == b"aaaaaaabasto"
    file.release()
    other.release()
    world.cache.shrink(0)
    assert one.cached is None and two.cached is None


def test_own_changes_of_attributes_keep_the_pages(world):
    inode = world.inode()
    cached, vma = world.mapped(inode, MAP_PRIVATE)
    inode.set_attributes(mode=0o600)
    world.systems[0].root.link(b"link", inode)
    world.systems[0].root.rename(b"link", world.systems[0].root, b"renamed", 0)
    inode.set_attributes(mtime=5 * 10**9)
    assert inode.stat().nlink == 2 and world.inode(b"renamed") is inode
    assert cached.present == 5
    vma.drop()


@pytest.mark.parametrize("look", ["stat", "lookup", "open", "map"])
def test_changes_of_the_host_are_seen(look, world):
    inode = world.inode()
    cached, vma = world.mapped(inode, MAP_PRIVATE)
    (world.directory / "file").write_bytes(b"b" * PAGE)
    assert world.shown(cached, 0) == b"a"
    if look == "stat":
        inode.stat()
    elif look == "lookup":
        world.inode()
    elif look == "open":
        inode.open(O_RDONLY).acquire().release()
    else:
        inode.mapped(world.cache)
    assert world.shown(cached, 0) == b"b" and cached.frame(1) is None
    vma.drop()


def test_truncating_at_open_takes_the_pages_away(world):
    inode = world.inode()
    cached, vma = world.mapped(inode, MAP_PRIVATE)
    inode.open_truncated(O_RDWR | O_TRUNC).acquire().release()
    assert cached.present == 0 and cached.frame(0) is None
    vma.drop()


def test_pages_go_with_the_last_name_and_mapping(world):
    directory = world.systems[0].root
    _, vma = world.mapped(world.inode(), MAP_PRIVATE)
    os.link(world.directory / "file", world.directory / "second")
    directory.unlink(b"file")
    assert world.cache.pages == 5
    directory.unlink(b"second")
    assert world.cache.pages == 5, "it is mapped"
    vma.drop()
    assert world.cache.pages == 0 and not world.cache.files
    (world.directory / "file").write_bytes(bytes(5 * PAGE))
    _, vma = world.mapped(world.inode(), MAP_PRIVATE)
    vma.drop()
    assert world.cache.pages == 5
    directory.unlink(b"file")
    assert world.cache.pages == 0


def test_each_open_file_is_told_once_of_a_failed_write_back(world, monkeypatch):
    inode = world.inode()
    one, two = (inode.open(O_RDWR).acquire() for _ in range(2))
    cached, vma = world.mapped(inode)
    world.store(cached, 0, b"new")

    def refuse(views: list[memoryview], offset: int) -> int:
        raise LinuxError(EIO)

    monkeypatch.setattr(type(cached.source), "write_at", lambda self, views, offset: refuse(views, offset))
    world.cache.write_back()
    monkeypatch.undo()
    assert inode.stat().mtime >= cached.modified > 0
    for file in (one, two):
        with pytest.raises(LinuxError) as error:
            file.fsync(True)
        assert error.value.errno == EIO
        file.fsync(True)
    late = inode.open(O_RDWR).acquire()
    late.fsync(True)
    assert (world.directory / "file").read_bytes()[:3] == b"new"
    for file in (one, two, late):
        file.release()
    vma.drop()
