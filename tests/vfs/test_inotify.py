"""inotify on every file system: what guests do is told, whatever the files are stored on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from vfs_guest import FILE_SYSTEMS, Guest

from lbw.abi.errno import EAGAIN, EINVAL, EMFILE, ENOSPC, LinuxError
from lbw.abi.fcntl import O_CREAT, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY
from lbw.abi.inotify import (
    IN_ACCESS,
    IN_ALL_EVENTS,
    IN_ATTRIB,
    IN_CLOSE_NOWRITE,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONESHOT,
    IN_OPEN,
    IN_UNMOUNT,
    INOTIFY_EVENT,
)
from lbw.abi.poll import POLLIN
from lbw.vfs import operations as op
from lbw.vfs.file import File
from lbw.vfs.inode import FileSystem
from lbw.vfs.inotify.instance import Inotify, Watch
from lbw.vfs.inotify.notifier import Notifier


class Observer:
    """A guest with one inotify instance."""

    def __init__(self, guest: Guest) -> None:
        self.ctx = guest.ctx
        self.notifier = self.ctx.vfs.notifier = Notifier(self.ctx.vfs.inotify_limits)
        self.instance = Inotify(self.notifier, 0, 0)
        self.notifier.instance_opened(self.instance)
        self.instance.acquire()

    def watch(self, path: bytes, mask: int = IN_ALL_EVENTS) -> Watch:
        return self.instance.add(op.resolve(self.ctx, path).inode, mask)

    def events(self) -> list[tuple[int, int, bytes]]:
        """Return what has come: (wd, mask, name)."""
        buffer, found = bytearray(1 << 20), []
        try:
            length = self.instance.read([memoryview(buffer)])
        except LinuxError as error:
            assert error.errno == EAGAIN
            return []
        at = 0
        while at < length:
            wd, mask, _, size = INOTIFY_EVENT.unpack_from(buffer, at)
            at += INOTIFY_EVENT.size
            found.append((wd, mask, bytes(buffer[at : at + size]).rstrip(b"\0")))
            at += size
        return found

    def open(self, path: bytes, flags: int = O_RDONLY) -> File:
        return op.open_file(self.ctx, path, flags, 0o644).acquire()

    def make(self, path: bytes, content: bytes = b"") -> None:
        file = self.open(path, O_CREAT | O_WRONLY)
        if content:
            file.write([memoryview(content)])
        file.release()


@pytest.fixture(params=FILE_SYSTEMS, ids=lambda make: make.__name__)
def observer(request: pytest.FixtureRequest) -> Iterator[Observer]:
    make: Callable[[], FileSystem] = request.param
    guest = Guest(make())
    guest.chmod(b"/", 0o755)
    yield Observer(guest)
    guest.fs.close()


class TestEveryFileSystem:
    def test_a_life_of_a_file(self, observer: Observer) -> None:
        wd = observer.watch(b"/").wd
        observer.make(b"f", b"text")
        file = observer.open(b"f", O_RDWR)
        file.read([memoryview(bytearray(10))])
        file.read([memoryview(bytearray(10))])  # the end: nothing is told
        file.release()
        op.unlink(observer.ctx, b"f")
        masks = [
            IN_CREATE, IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE, IN_OPEN, IN_ACCESS, IN_CLOSE_WRITE, IN_DELETE,
        ]  # fmt: skip
        assert observer.events() == [(wd, mask, b"f") for mask in masks]

    def test_directory_and_file_hear_of_it_once_each(self, observer: Observer) -> None:
        observer.make(b"f", b"text")
        above, itself = observer.watch(b"/").wd, observer.watch(b"f").wd
        file = observer.open(b"f", O_RDWR)
        for operate in (lambda: file.read([memoryview(bytearray(1))]), lambda: file.write([memoryview(b"x")])):
            operate()
        assert observer.events() == [
            (wd, mask, name) for mask in (IN_OPEN, IN_ACCESS, IN_MODIFY) for wd, name in ((above, b"f"), (itself, b""))
        ]
        file.release()

    def test_names(self, observer: Observer) -> None:
        op.mkdir(observer.ctx, b"d", 0o755)
        wd = observer.watch(b"d").wd
        op.mkdir(observer.ctx, b"d/sub", 0o755)
        op.symlink(observer.ctx, b"x", b"d/link")
        observer.make(b"g")
        op.link(observer.ctx, b"g", b"d/g")
        op.rename(observer.ctx, b"d/g", b"d/h")
        op.rename(observer.ctx, b"d/h", b"away")
        op.rmdir(observer.ctx, b"d/sub")
        assert observer.events() == [
            (wd, IN_CREATE | IN_ISDIR, b"sub"), (wd, IN_CREATE, b"link"), (wd, IN_CREATE, b"g"),
            (wd, IN_MOVED_FROM, b"g"), (wd, IN_MOVED_TO, b"h"), (wd, IN_MOVED_FROM, b"h"),
            (wd, IN_DELETE | IN_ISDIR, b"sub"),
        ]  # fmt: skip

    def test_a_watch_follows_its_file_and_ends_with_it(self, observer: Observer) -> None:
        observer.make(b"f")
        wd = observer.watch(b"f").wd
        op.rename(observer.ctx, b"f", b"g")
        op.chmod(observer.ctx, op.resolve(observer.ctx, b"g"), 0o600)
        op.truncate(observer.ctx, op.resolve(observer.ctx, b"g"), 5)
        file = observer.open(b"g")
        op.unlink(observer.ctx, b"g")
        assert observer.events() == [
            (wd, mask, b"") for mask in (IN_MOVE_SELF, IN_ATTRIB, IN_MODIFY, IN_OPEN, IN_ATTRIB)
        ]  # fmt: skip
        file.release()
        assert observer.events() == [(wd, mask, b"") for mask in (IN_CLOSE_NOWRITE, IN_DELETE_SELF, IN_IGNORED)]
        assert not observer.notifier.watches

    def test_a_replaced_file(self, observer: Observer) -> None:
        observer.make(b"f")
        observer.make(b"g")
        wd = observer.watch(b"g").wd
        op.rename(observer.ctx, b"f", b"g")
        assert observer.events() == [(wd, mask, b"") for mask in (IN_ATTRIB, IN_DELETE_SELF, IN_IGNORED)]

    def test_the_second_name_of_a_file_is_the_same_file(self, observer: Observer) -> None:
        observer.make(b"f")
        op.link(observer.ctx, b"f", b"g")
        wd = observer.watch(b"f", IN_OPEN | IN_DELETE_SELF).wd
        observer.open(b"g").release()
        op.unlink(observer.ctx, b"f")
        observer.open(b"g").release()
        assert observer.events() == [(wd, IN_OPEN, b"")]  # the second equals the first
        op.unlink(observer.ctx, b"g")
        assert observer.events() == [(wd, IN_DELETE_SELF, b""), (wd, IN_IGNORED, b"")]

    def test_truncation_at_open(self, observer: Observer) -> None:
        observer.make(b"f", b"text")
        wd = observer.watch(b"f").wd
        observer.open(b"f", O_WRONLY | O_TRUNC).release()
        assert observer.events() == [(wd, mask, b"") for mask in (IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE)]

    def test_listing(self, observer: Observer) -> None:
        wd = observer.watch(b"/").wd
        listing = observer.open(b"/")
        assert listing.entries()
        listing.release()
        assert observer.events() == [
            (wd, mask | IN_ISDIR, b"") for mask in (IN_OPEN, IN_ACCESS, IN_CLOSE_NOWRITE)
        ]  # fmt: skip

    def test_a_path_is_not_opened(self, observer: Observer) -> None:
        observer.make(b"f")
        observer.watch(b"f")
        observer.open(b"f", O_PATH).release()
        assert observer.events() == []

    def test_what_was_open_before(self, observer: Observer) -> None:
        observer.ctx.vfs.notifier = None
        file = observer.open(b"f", O_CREAT | O_RDWR)
        observer.ctx.vfs.notifier = observer.notifier
        observer.notifier.follow([file])
        wd = observer.watch(b"f").wd
        file.pwrite([memoryview(b"x")], 0)
        file.release()
        assert observer.events() == [(wd, IN_MODIFY, b""), (wd, IN_CLOSE_WRITE, b"")]


@pytest.fixture
def here() -> Observer:
    return Observer(Guest(FILE_SYSTEMS[0]()))


def test_one_shot(here: Observer) -> None:
    here.make(b"f")
    wd = here.watch(b"f", IN_OPEN | IN_ONESHOT).wd
    here.open(b"f").release()
    here.open(b"f").release()
    assert here.events() == [(wd, IN_OPEN, b""), (wd, IN_IGNORED, b"")]
    assert here.watch(b"f").wd == wd + 1


def test_too_many_events(here: Observer) -> None:
    here.make(b"f")
    here.watch(b"f", IN_OPEN | IN_CLOSE_NOWRITE)
    most = here.notifier.limits.queued_events
    for _ in range(most):
        here.open(b"f").release()
    events = here.events()
    assert len(events) == most + 1
    assert events[-1][:2] == (-1, 0x4000)
    assert here.events() == []
    here.open(b"f").release()
    assert len(here.events()) == 2


def test_a_buffer_that_is_too_small(here: Observer) -> None:
    here.watch(b"/")
    here.make(b"f")
    assert here.instance.poll() & POLLIN
    with pytest.raises(LinuxError, check=lambda error: error.errno == EINVAL):
        here.instance.read([memoryview(bytearray(31))])
    assert here.instance.read([memoryview(bytearray(40))]) == 32
    assert len(here.events()) == 2
    assert not here.instance.poll() & POLLIN


def test_limits(here: Observer) -> None:
    here.notifier.limits.watches = here.notifier.limits.instances = 1
    here.make(b"f")
    watch = here.watch(b"f")
    with pytest.raises(LinuxError, check=lambda error: error.errno == ENOSPC):
        here.watch(b"/")
    here.instance.remove(watch)
    here.watch(b"/")
    other = Inotify(here.notifier, 0, 0)
    with pytest.raises(LinuxError, check=lambda error: error.errno == EMFILE):
        here.notifier.instance_opened(other)
    here.instance.release()
    here.notifier.instance_opened(other)
    assert not here.notifier.watches


def test_unmount(here: Observer) -> None:
    vfs = here.ctx.vfs
    op.mkdir(here.ctx, b"d", 0o755)
    mount = vfs.mount(FILE_SYSTEMS[0](), op.resolve(here.ctx, b"/d"))
    outside, inside = here.watch(b"/").wd, here.watch(b"/d").wd
    here.make(b"/d/f")
    here.events()
    vfs.unmount(mount.root)
    assert here.events() == [(inside, IN_UNMOUNT, b""), (inside, IN_IGNORED, b"")]
    here.make(b"g")
    assert here.events()[0] == (outside, IN_CREATE, b"g")
