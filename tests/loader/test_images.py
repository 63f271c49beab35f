"""The caches of parsed images: in memory by identity, between runs by content."""

from __future__ import annotations

import subprocess
import sys

import pytest
from elf_files import dynamic, program
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EACCES, ENOEXEC, LinuxError
from lbw.abi.x86_64 import X86_64
from lbw.loader import images as images_module
from lbw.loader.images import Images
from lbw.loader.script import Script
from lbw.loader.store import ImageStore, _decode, _encode, key_of
from lbw.vfs.file import File, scatter
from lbw.vfs.inode import Inode, Stat


class Content(File):
    def pread(self, views, offset):
        self.inode.reads += 1
        return scatter(self.inode.data[offset:], views)

    def close(self):
        self.inode.open_files -= 1


class FakeInode(Inode):
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = self.open_files = 0

    def open(self, flags):
        self.open_files += 1
        return Content(self, flags)

    def identity(self):
        return ("fake", id(self), self.data)

    def stat(self):
        return Stat(ino=1, mode=0o100755, size=len(self.data))


def fields(image):
    segments = [[getattr(segment, name) for name in segment.__slots__] for segment in image.segments]
    return [getattr(image, name) for name in image.__slots__ if name != "segments"], segments


def test_looked_at_once():
    images, inode = Images((X86_64,)), FakeInode(program())
    first = images.look(inode)
    reads = inode.reads
    assert images.look(inode) is first
    assert inode.reads == reads
    assert inode.open_files == 0


def test_changed_content_is_seen():
    images, inode = Images((X86_64,)), FakeInode(program())
    images.look(inode)
    inode.data = b"#!/bin/sh\n"
    assert isinstance(images.look(inode), Script)
    inode.data = b"rubbish"
    with pytest.raises(LinuxError):
        images.look(inode)
    assert inode.open_files == 0


def test_files_that_cannot_be_mapped():
    class Strange(FakeInode):
        def identity(self):
            raise LinuxError(EACCES)

    with pytest.raises(LinuxError) as caught:
        Images((X86_64,)).look(Strange(program()))
    assert caught.value.errno == ENOEXEC


@pytest.fixture
def no_parser(monkeypatch):
    def refuse(*_):
        raise AssertionError("parsed")

    return lambda: monkeypatch.setattr(images_module, "parse", refuse)


@pytest.mark.parametrize("data", [program(bss=5), dynamic(), program(type=3)])
def test_store_spares_parsing(tmp_path, no_parser, data):
    path = str(tmp_path / "images")
    first = Images((X86_64,), ImageStore(path)).look(FakeInode(data))
    no_parser()
    assert fields(Images((X86_64,), ImageStore(path)).look(FakeInode(data))) == fields(first)


def test_stored_image_is_checked_against_the_file(tmp_path, no_parser):
    path, data = str(tmp_path / "images"), program(b"\0" * 20000)
    Images((X86_64,), ImageStore(path)).look(FakeInode(data))
    no_parser()
    with pytest.raises(LinuxError):  # same first page, the rest is gone
        Images((X86_64,), ImageStore(path)).look(FakeInode(data[:8000]))


def test_headers_beyond_the_first_page_are_not_stored(tmp_path):
    path = tmp_path / "images"
    filler = [program()[64:120]] * 80
    Images((X86_64,), ImageStore(str(path))).look(FakeInode(program(more=filler)))
    assert not path.exists()


@settings(max_examples=200)
@given(st.data())
def test_damaged_store_is_ignored(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("store") / "images"
    good = program(bss=7)
    Images((X86_64,), ImageStore(str(path))).look(FakeInode(good))
    line = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(line))
    image = Images((X86_64,), ImageStore(str(path))).look(FakeInode(good))
    assert fields(image) == fields(Images((X86_64,)).look(FakeInode(good)))


def test_forged_numbers_are_refused():
    image = Images((X86_64,)).look(FakeInode(program()))
    key = key_of(b"x")
    assert fields(_decode(_encode(key, image))) == fields(image)
    image.segments[0].vaddr = -1
    assert _decode(_encode(key, image)) is None
    assert _decode(b"") is None
    assert _decode(b"nonsense") is None


@pytest.mark.parametrize("place", ["missing/images", "."])
def test_unusable_store_is_no_error(tmp_path, place):
    images = Images((X86_64,), ImageStore(str(tmp_path / place)))
    assert images.look(FakeInode(program())).segments


def test_full_store_starts_afresh(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(b"x" * (2 << 20))
    Images((X86_64,), ImageStore(str(path))).look(FakeInode(program()))
    assert path.stat().st_size < 1000


def test_pyelftools_is_not_imported_for_a_stored_image(tmp_path):
    path = str(tmp_path / "images")
    Images((X86_64,), ImageStore(path)).look(FakeInode(program()))
    code = (
        "import sys; from test_images import *; data = bytes.fromhex(sys.argv[2])\n"
        "for name in [name for name in sys.modules if name.startswith('elftools')]: del sys.modules[name]\n"
        "Images((X86_64,), ImageStore(sys.argv[1])).look(FakeInode(data))\n"
        "assert not any(name.startswith('elftools') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, path, program().hex()], check=True, env=environment())


def environment():
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
