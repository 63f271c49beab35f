"""Random operations, by the host's kernel in a chroot and by our VFS: results, errors and final trees must agree."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vfs_guest import Guest, tmpfs
from vfs_native import Native

from lbw.vfs.credentials import Credentials
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.inode import FileSystem
from lbw.vfs.overlay.filesystem import OverlayFileSystem
from lbw.vfs.tmpfs.filesystem import TmpFileSystem

NAMES = [b"a", b"b", b"c", b"\xff", b"d1", b"d2"]
component = st.sampled_from([*NAMES, *NAMES, b".", b"..", b"", b"x" * 256])
path = st.builds(
    lambda absolute, parts, slash: (b"/" if absolute else b"") + b"/".join(parts) + (b"/" if slash else b""),
    st.booleans(),
    st.lists(component, min_size=1, max_size=3),
    st.sampled_from([False] * 5 + [True]),
)
permissions = st.sampled_from([0o755, 0o700, 0o000, 0o4755, 0o2770, 0o1777, 0o644, 0o111])
flags = st.builds(
    lambda access, extra: access | sum(set(extra)),
    st.sampled_from([0, 1, 2]),
    st.lists(st.sampled_from([0o100, 0o200, 0o1000, 0o2000, 0o200000, 0o400000, 0o10000000]), max_size=3),
)
owner = st.sampled_from([-1, 0, 1000, 1001])
operation = st.one_of(
    st.tuples(st.just("mkdir"), path, permissions),
    st.tuples(st.just("mkdir"), st.sampled_from([b"d1", b"d2", b"d1/a", b"d1/d2"]), st.sampled_from([0o755, 0o777])),
    st.tuples(st.just("mknod"), path, st.sampled_from([0o010644, 0o020600, 0o140755, 0o100600, 0o2750])),
    st.tuples(st.just("open"), path, flags, permissions, st.sampled_from([b"", b"hello", b"x" * 5000])),
    st.tuples(st.just("open"), path, st.just(0o101), st.just(0o666), st.just(b"new")),
    st.tuples(st.just("stat"), path, st.booleans()),
    st.tuples(st.just("rmdir"), path),
    st.tuples(st.just("unlink"), path),
    st.tuples(st.just("rename"), path, path, st.sampled_from([0, 0, 0, 1, 2, 3, 8])),
    st.tuples(st.just("link"), path, path, st.just(False)),
    st.tuples(st.just("symlink"), path, path),
    st.tuples(st.just("readlink"), path),
    st.tuples(st.just("truncate"), path, st.sampled_from([0, 3, 10000])),
    st.tuples(st.just("chmod"), path, permissions),
    st.tuples(st.just("chown"), path, owner, owner, st.booleans()),
    st.tuples(st.just("access"), path, st.integers(0, 7)),
    st.tuples(st.just("list"), path),
    st.tuples(st.just("chdir"), path),
    st.tuples(st.just("utime"), path, st.just(10**18 + 1), st.just(10**18 + 2)),
)


#: Only root keeps this bit when it writes; below a fake root it is never set on the host.
SET_USER_ID = 0o4755 if os.geteuid() == 0 else 0o755


def populate(root: str) -> None:
    """Make a small tree that an overlay can change."""
    os.umask(0)
    os.makedirs(f"{root}/d1/d2")
    os.makedirs(f"{root}/d2/a")
    for name, mode, data in [("a", 0o644, b"first"), ("d1/b", SET_USER_ID, b"second"), ("d1/d2/c", 0o600, b"third")]:
        with open(f"{root}/{name}", "wb") as file:
            file.write(data)
        os.chmod(f"{root}/{name}", mode)
    os.link(f"{root}/a", f"{root}/d2/b")
    os.symlink("/d1/b", f"{root}/c")
    os.symlink("../../d1", f"{root}/d1/d2/a")
    os.chmod(f"{root}/d2", 0o1777)
    os.chmod(root, 0o777)
    os.umask(0o22)


def over_host(root: str) -> FileSystem:
    return HostFileSystem(root)


def over_fake(root: str) -> FileSystem:
    return HostFileSystem(root, ids="fake")


def over_overlay(root: str) -> FileSystem:
    return OverlayFileSystem(HostFileSystem(root), TmpFileSystem(1 << 24))


def over_overlay_on_disk(root: str) -> FileSystem:
    return OverlayFileSystem(HostFileSystem(root), HostFileSystem(tempfile.mkdtemp(dir=os.path.dirname(root))))


def copied_to_tmpfs(root: str) -> FileSystem:
    """Return a tmpfs with the same tree, made through our own operations."""
    fs = tmpfs()
    fs.root.set_attributes(mode=0o777)
    guest = Guest(fs)
    guest.ctx.umask = 0
    for path, mode in [(b"d1", 0o777), (b"d1/d2", 0o777), (b"d2", 0o777), (b"d2/a", 0o777)]:
        guest.mkdir(path, mode)
    for path, mode, data in [(b"a", 0o644, b"first"), (b"d1/b", SET_USER_ID, b"second"), (b"d1/d2/c", 0o600, b"third")]:
        guest.write(path, data)
        guest.chmod(path, mode)
    guest.link(b"a", b"d2/b", False)
    guest.symlink(b"/d1/b", b"c")
    guest.symlink(b"../../d1", b"d1/d2/a")
    guest.chmod(b"d2", 0o1777)
    return fs


MAKERS: list[Callable[[str], FileSystem]] = [over_host, over_fake, copied_to_tmpfs, over_overlay, over_overlay_on_disk]


try:
    with open("/proc/sys/fs/protected_hardlinks") as file:
        PROTECTED_HARD_LINKS = file.read().strip() == "1"
except OSError:
    PROTECTED_HARD_LINKS = False


@pytest.fixture(scope="module")
def native() -> Iterator[Any]:
    """The kernel, or where we may not chroot, our own tmpfs: then all file systems are compared with that one."""
    oracle: Any = Native() if os.geteuid() == 0 else None
    yield oracle
    if oracle is not None:
        oracle.close()


def snapshot(do: Callable[..., Any], path: bytes = b"/", depth: int = 0) -> list[Any]:
    """Return the whole tree."""
    result = []
    for name, is_directory, is_link in do("list", path)[1]:
        full = path.rstrip(b"/") + b"/" + name
        entry = [full, do("stat", full, False)]
        if is_link:
            entry.append(do("readlink", full))
        elif not is_directory and entry[1][1][0] & 0o170000 == 0o100000:
            entry.append(do("open", full, 0, 0, b""))
        result.append(entry)
        if is_directory and depth < 12:
            result += snapshot(do, full, depth + 1)
    return result


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("make", MAKERS)
def test_agrees_with_the_kernel(make: Callable[[str], FileSystem], uid: int, native: Any) -> None:
    @settings(
        max_examples=int(os.environ.get("LBW_VFS_EXAMPLES", "40")), deadline=None,
        suppress_health_check=list(HealthCheck), derandomize="LBW_VFS_EXAMPLES" not in os.environ,
    )  # fmt: skip
    @given(st.lists(operation, min_size=5, max_size=40))
    def check(operations: list[Any]) -> None:
        base = tempfile.mkdtemp(prefix="lbw-test-")
        os.chmod(base, 0o755)
        try:
            ours, theirs = f"{base}/ours", f"{base}/theirs"
            os.mkdir(ours)
            populate(ours)
            fs = make(ours)
            guest = Guest(fs, uid)
            if native is not None:
                os.mkdir(theirs)
                populate(theirs)
                native.reset(theirs, uid)
                expected = native.do
            else:
                model = Guest(copied_to_tmpfs(""), uid)
                expected = model.do
            done = []
            for one in operations:
                if one[0] == "link" and uid and native is not None and not PROTECTED_HARD_LINKS:
                    continue  # the kernel is set up unlike Debian, whose setting we have
                if one[0] == "open":
                    kind, status = guest.do("stat", one[1], True)
                    if kind == "ok" and status[0] & 0o170000 in (0o010000, 0o020000):
                        continue  # FIFOs and devices are not opened by the VFS itself
                mine, truth = guest.do(*one), expected(*one)
                done.append((one, truth))
                assert mine == truth, f"{done}"
            guest.ctx.credentials = Credentials()
            if native is not None:
                native.reset(theirs, 0)
            else:
                model.ctx.credentials = Credentials()
            assert snapshot(guest.do) == snapshot(expected), f"{done}"
            fs.close()
        finally:
            shutil.rmtree(base)

    check()
