"""File locks: flock and OFD locks against the host's, POSIX locks by their rules."""

from __future__ import annotations

import os
import struct
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EAGAIN, EBADF, EDEADLK, EINVAL, EOVERFLOW, LinuxError
from lbw.abi.fcntl import (
    F_RDLCK,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_SH,
    LOCK_UN,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from lbw.kernel.fds import FileTable
from lbw.vfs.file import File
from lbw.vfs.locks import OFFSET_MAX, LockManager, RecordLock, lock_range
from lbw.vfs.pseudo import PseudoFileSystem, PseudoInode

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="compares with the host's kernel")
FS = PseudoFileSystem(1)
FLOCK = struct.Struct("<hhxxxxqqixxxx")
OFD_GETLK, OFD_SETLK = 36, 37


def make_file(ino: int = 1, flags: int = O_RDWR) -> File:
    return File(PseudoInode(FS, ino, 0o600), flags)


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


def outcome(action, *arguments) -> int:
    try:
        action(*arguments)
    except (LinuxError, OSError) as error:
        return error.errno
    return 0


FILES = 3


@on_linux
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, FILES - 1), st.sampled_from([LOCK_SH, LOCK_EX, LOCK_UN])), max_size=15))
def test_flock_like_the_host(tmp_path_factory, steps) -> None:
    import fcntl

    path = tmp_path_factory.getbasetemp() / "flocked"
    path.touch()
    fds = [os.open(path, os.O_RDWR) for _ in range(FILES)]
    manager, files = LockManager(), [make_file() for _ in range(FILES)]
    try:
        for which, operation in steps:
            expected = outcome(fcntl.flock, fds[which], operation | LOCK_NB)
            assert outcome(manager.flock, files[which], operation | LOCK_NB) == expected
    finally:
        for fd in fds:
            os.close(fd)


@on_linux
@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, FILES - 1),
            st.sampled_from([F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK]),
            st.integers(0, 12),
            st.integers(0, 6),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_record_locks_like_the_host(tmp_path_factory, steps) -> None:
    import fcntl

    path = tmp_path_factory.getbasetemp() / "locked"
    path.touch()
    fds = [os.open(path, os.O_RDWR) for _ in range(FILES)]
    manager, files = LockManager(), [make_file() for _ in range(FILES)]
    try:
        for which, kind, start, length, only_test in steps:
            file = files[which]
            request = RecordLock(file, -1, kind, *lock_range(file, SEEK_SET, start, length))
            raw = FLOCK.pack(kind, SEEK_SET, start, length, 0)
            if only_test and kind != F_UNLCK:
                found = FLOCK.unpack(fcntl.fcntl(fds[which], OFD_GETLK, raw))
                lock = manager.test(file, request)
                assert (found[0] == F_UNLCK) == (lock is None)
                if lock is not None:
                    assert (lock.kind, SEEK_SET, lock.first, lock.length, lock.pid) == found
            else:
                expected = outcome(fcntl.fcntl, fds[which], OFD_SETLK, raw)
                assert outcome(manager.lock, file, request) == expected
    finally:
        for fd in fds:
            os.close(fd)


@on_linux
@given(
    st.sampled_from([SEEK_SET, SEEK_CUR, SEEK_END, 7]),
    st.one_of(st.integers(-20, 20), st.sampled_from([OFFSET_MAX, OFFSET_MAX - 5, -(1 << 63)])),
    st.one_of(st.integers(-20, 20), st.sampled_from([OFFSET_MAX, -(1 << 63)])),
)
@settings(max_examples=120, deadline=None)
def test_ranges_like_the_host(tmp_path_factory, whence, start, length) -> None:
    import fcntl

    path = tmp_path_factory.getbasetemp() / "ranges"
    path.write_bytes(b"")
    fd, other = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    file = make_file()
    file.offset = os.lseek(fd, 10, os.SEEK_SET)
    try:
        code = outcome(fcntl.fcntl, fd, OFD_SETLK, FLOCK.pack(F_WRLCK, whence, start, length, 0))
        ours = outcome(lock_range, file, whence, start, length)
        assert ours == code
        if not code:
            first, last = lock_range(file, whence, start, length)
            found = FLOCK.unpack(fcntl.fcntl(other, OFD_GETLK, FLOCK.pack(F_WRLCK, 0, 0, 0, 0)))
            assert found[2:4] == (first, RecordLock(None, 0, 0, first, last).length)
    finally:
        os.close(fd)
        os.close(other)


def test_overflow() -> None:
    assert failure(lambda: lock_range(make_file(), SEEK_SET, OFFSET_MAX, 2)) == EOVERFLOW


def table_with(manager: LockManager, *files: File) -> FileTable:
    table = FileTable(locks=manager)
    for file in files:
        table.install(file)
    return table


def lock(table: FileTable, kind: int, first: int = 0, last: int = OFFSET_MAX) -> RecordLock:
    return RecordLock(table, 100, kind, first, last)


def test_posix_locks_go_when_any_descriptor_of_the_file_closes() -> None:
    manager = LockManager()
    one, same, other = make_file(5), make_file(5), make_file(6)
    ours, theirs = table_with(manager, one, same, other), table_with(manager, make_file(5))
    manager.lock(one, lock(ours, F_WRLCK))
    assert failure(lambda: manager.lock(one, lock(theirs, F_RDLCK))) == EAGAIN
    ours.close(2)  # another file
    assert manager.test(one, lock(theirs, F_RDLCK)) is not None
    ours.close(1)  # the same file, another description
    assert manager.test(one, lock(theirs, F_RDLCK)) is None
    assert not manager.posix_owners


def test_posix_locks_are_not_inherited_and_end_with_the_process() -> None:
    manager, file = LockManager(), make_file()
    parent = table_with(manager, file)
    manager.lock(file, lock(parent, F_WRLCK))
    child = parent.fork()
    assert manager.test(file, lock(child, F_WRLCK)) is not None
    child.close_all()
    assert manager.test(file, lock(FileTable(), F_WRLCK)) is not None  # closing in the child does not matter
    parent.close_all()
    assert manager.test(file, lock(FileTable(), F_WRLCK)) is None


def test_flock_lives_as_long_as_the_description() -> None:
    manager, file, other = LockManager(), make_file(), make_file()
    parent = table_with(manager, file)
    manager.flock(file, LOCK_EX)
    child = parent.fork()
    parent.close_all()
    assert failure(lambda: manager.flock(other, LOCK_SH)) == EAGAIN
    child.close_all()
    manager.flock(other, LOCK_SH)


def test_a_released_lock_wakes_those_who_wait() -> None:
    class Waker:
        woken = 0

        def wake(self) -> None:
            self.woken += 1

    manager, file, other, waker = LockManager(), make_file(), make_file(), Waker()
    manager.flock(file, LOCK_EX)
    assert failure(lambda: manager.flock(other, LOCK_EX)) == EAGAIN
    manager.flock_queue(other).add(waker)
    manager.flock(file, LOCK_UN)
    assert waker.woken == 1


def test_deadlock_is_found() -> None:
    manager = LockManager()
    file, a, b, c = make_file(), FileTable(), FileTable(), FileTable()
    for byte, owner in enumerate((a, b, c)):
        manager.lock(file, lock(owner, F_WRLCK, byte, byte))
    with manager.waiting(file, lock(a, F_WRLCK, 1, 1)), manager.waiting(file, lock(b, F_WRLCK, 2, 2)):
        assert failure(lambda: manager.waiting(file, lock(c, F_WRLCK, 0, 0))) == EDEADLK
        with manager.waiting(file, lock(FileTable(), F_WRLCK, 0, 0)):
            pass
    with manager.waiting(file, lock(c, F_WRLCK, 0, 0)):
        pass


def test_locks_need_the_access_mode() -> None:
    manager, table = LockManager(), FileTable()
    assert failure(lambda: manager.lock(make_file(1, O_RDONLY), lock(table, F_WRLCK))) == EBADF
    assert failure(lambda: manager.lock(make_file(1, O_WRONLY), lock(table, F_RDLCK))) == EBADF
    assert failure(lambda: manager.lock(make_file(), lock(table, 9))) == EINVAL
    assert failure(lambda: manager.flock(make_file(), LOCK_SH | LOCK_EX)) == EINVAL
