from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from chroot_archive import LOADED_MACHINE, make_ar, make_deb, member, tree_of
from hypothesis import given
from hypothesis import strategies as st

from lbw.chroot.configure import merge_usr
from lbw.chroot.errors import UnsafeArchiveError
from lbw.chroot.rootfs import RootTree
from lbw.chroot.unpack import Unpacked, Unpacker, member_name

CONTROL = "Package: p\nVersion: 1\nArchitecture: amd64\n"
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def tree(tmp_path: Path) -> RootTree:
    top = tmp_path / "outer" / "root"
    top.mkdir(parents=True)
    return RootTree(top)


def unpack(tree: RootTree, members: Members, extra: dict[str, str] | None = None, compression: str = ".xz") -> Unpacked:
    deb = tree.top.parent.parent / "p.deb"
    deb.write_bytes(make_deb(CONTROL, members, extra, compression))
    unpacker = Unpacker(tree)
    result = unpacker.unpack(deb)
    unpacker.finish()
    return result


@pytest.mark.parametrize("compression", [".xz", ".gz", ""])
def test_files_directories_links_modes_and_times(tree: RootTree, compression: str) -> None:
    result = unpack(tree, [
        member("./", type=tarfile.DIRTYPE, mode=0o755),
        member("./etc/", mode=0o750, mtime=111),
        member("./etc/file", b"content", mode=0o640, mtime=222),
        member("./etc/hard", type=tarfile.LNKTYPE, link="./etc/file"),
        member("./etc/soft", link="file", mtime=333),
        member("./etc/absolute", link="/nowhere"),
        member("./etc/fifo", type=tarfile.FIFOTYPE, mode=0o600),
    ], {"conffiles": "/etc/file\n", "postinst": "#!/bin/sh\n"}, compression)  # fmt: skip
    etc = tree.top / "etc"
    assert (etc / "file").read_bytes() == b"content"
    assert stat.S_IMODE((etc / "file").stat().st_mode) == 0o640 and (etc / "file").stat().st_mtime == 222
    assert (etc / "hard").samefile(etc / "file")
    assert os.readlink(etc / "soft") == "file" and os.lstat(etc / "soft").st_mtime == 333
    assert os.readlink(etc / "absolute") == "/nowhere"
    assert stat.S_IMODE(etc.stat().st_mode) == 0o750 and etc.stat().st_mtime == 111
    assert result.paths[:3] == ["/.", "/etc", "/etc/file"]
    assert result.md5 == {"/etc/file": "9a0364b9e99bb480dd25e1f0284c8555"}
    assert set(result.control) == {"control", "conffiles", "postinst"}


def test_names_without_a_leading_dot(tree: RootTree) -> None:
    assert unpack(tree, [member("usr/x", b"1")]).paths == ["/usr/x"]


def test_usr_is_merged(tree: RootTree) -> None:
    merge_usr(tree)
    unpack(tree, [
        member("./bin/", mode=0o755),
        member("./bin/tool", b"tool"),
        member("./usr/bin/tool", link="/bin/tool"),
        member("./lib64/ld.so", link="/lib/x/ld.so"),
    ])  # fmt: skip
    assert (tree.top / "usr/bin/tool").read_bytes() == b"tool" and not (tree.top / "usr/bin/tool").is_symlink()
    assert os.readlink(tree.top / "bin") == "usr/bin"
    assert os.readlink(tree.top / "usr/lib64/ld.so") == "/lib/x/ld.so"


def test_the_first_package_decides_a_directory_s_mode(tree: RootTree) -> None:
    unpack(tree, [member("./a/b/", mode=0o700)])  # makes ./a on the way
    unpack(tree, [member("./a/", mode=0o711), member("./a/b/", mode=0o755)])
    assert stat.S_IMODE((tree.top / "a").stat().st_mode) == 0o711
    assert stat.S_IMODE((tree.top / "a/b").stat().st_mode) == 0o700


def test_a_file_replaces_a_file_and_a_link_without_following(tree: RootTree) -> None:
    victim = tree.top.parent / "victim"
    victim.write_text("safe")
    unpack(tree, [member("./x", link=str(victim)), member("./y", b"old")])
    unpack(tree, [member("./x", b"new"), member("./y", link="x")])
    assert victim.read_text() == "safe"
    assert (tree.top / "x").read_bytes() == b"new" and not (tree.top / "x").is_symlink()


@pytest.mark.parametrize("name", ["/etc/passwd", "../evil", "./../evil", "./a/../../evil", "./a//b", "./a/./b", ".//x"])
def test_names_that_leave_the_root_are_refused(tree: RootTree, name: str) -> None:
    with pytest.raises(UnsafeArchiveError, match=r"the package p\.deb is refused: it contains the name"):
        unpack(tree, [member(name, b"evil")])
    assert tree_of(tree.top.parent) == {"root"}


@pytest.mark.parametrize("link", ["/", "/tmp", "..", "../..", "../../../../../../../..", "a/../../.."])
def test_a_symlink_leads_nowhere_outside(tree: RootTree, link: str) -> None:
    target = tree.top.parent / "escaped"
    unpack(tree, [
        member("./d/", mode=0o755),
        member("./a/", mode=0o755),
        member("./d/link", link=link),
        member("./d/link/escaped", b"evil"),
    ])  # fmt: skip
    assert not target.exists() and not Path("/escaped").exists() and not Path("/tmp/escaped").exists()
    assert len([name for name in tree_of(tree.top) if name.endswith("escaped")]) == 1


def test_a_symlink_to_the_host_s_path_stays_inside(tree: RootTree) -> None:
    outside = tree.top.parent / "outside"
    outside.mkdir()
    unpack(tree, [member("./link", link=str(outside)), member("./link/evil", b"evil")])
    assert list(outside.iterdir()) == []
    assert (tree.top / str(outside).lstrip("/") / "evil").exists()


def test_a_symlink_loop_is_refused(tree: RootTree) -> None:
    with pytest.raises(UnsafeArchiveError, match="too many symbolic links"):
        unpack(tree, [member("./a", link="b"), member("./b", link="a"), member("./a/x", b"")])


@pytest.mark.parametrize("link", ["../../victim", "/victim"])
def test_hard_links_cannot_reach_outside(tree: RootTree, link: str) -> None:
    victim = tree.top.parent / "victim"
    victim.write_text("safe")
    with pytest.raises(UnsafeArchiveError):
        unpack(tree, [member("./x", type=tarfile.LNKTYPE, link=link)])
    assert victim.stat().st_nlink == 1


def test_a_hard_link_through_a_symlink_stays_inside(tree: RootTree) -> None:
    victim = tree.top.parent / "victim"
    victim.write_text("safe")
    with pytest.raises((UnsafeArchiveError, OSError)):
        unpack(tree, [member("./s", link=str(tree.top.parent)), member("./x", type=tarfile.LNKTYPE, link="./s/victim")])
    assert victim.stat().st_nlink == 1


def test_a_path_through_a_file_is_refused(tree: RootTree) -> None:
    with pytest.raises(UnsafeArchiveError, match="not a directory"):
        unpack(tree, [member("./f", b""), member("./f/x", b"")])


def test_damaged_packages_are_named(tree: RootTree, tmp_path: Path) -> None:
    whole = make_deb(CONTROL, [member("./x", os.urandom(5000))])
    for content in (b"", b"hello", whole[:100], whole[:-2000], make_ar({"debian-binary": b"2.0\n"})):
        deb = tmp_path / "bad.deb"
        deb.write_bytes(content)
        with pytest.raises(UnsafeArchiveError, match=r"the package bad\.deb is damaged"):
            Unpacker(tree).unpack(deb)


def test_zstd_without_a_decoder(tree: RootTree) -> None:
    try:
        import zstandard  # noqa: F401
    except ImportError:
        with pytest.raises(UnsafeArchiveError, match="install the Python package zstandard"):
            unpack(tree, [], compression=".zst")


WHOLE = make_deb(
    CONTROL,
    [
        member("./a/", mode=0o755),
        member("./a/link", link="../.."),
        member("./a/file", b"content" * 20),
        member("./a/hard", type=tarfile.LNKTYPE, link="./a/file"),
        member("./" + "long/" * 30 + "name", b"x"),
    ],
    compression="",
)


@LOADED_MACHINE
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_package_is_harmless(changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for position, value in changes:
        content[position] = value
    with TemporaryDirectory() as name:
        outer = Path(name)
        (outer / "deep/root").mkdir(parents=True)
        (outer / "p.deb").write_bytes(content)
        try:
            Unpacker(RootTree(outer / "deep/root")).unpack(outer / "p.deb")
        except (UnsafeArchiveError, OSError):
            pass
        assert sorted(os.listdir(outer)) == ["deep", "p.deb"] and os.listdir(outer / "deep") == ["root"]


def test_member_names() -> None:
    assert [member_name(name) for name in ("./", ".", "./a/", "a/b")] == ["", "", "a", "a/b"]


COMPONENTS = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.lists(COMPONENTS, min_size=1, max_size=5).map("/".join)


@LOADED_MACHINE
@given(st.lists(st.tuples(st.sampled_from(["link", "file", "directory"]), PATHS, PATHS, st.booleans()), max_size=12))
def test_nothing_is_ever_made_outside(steps: list[tuple[str, str, str, bool]]) -> None:
    """Whatever a package does with links, files and directories, the root's parent holds nothing but the root."""
    with TemporaryDirectory() as name:
        outer = Path(name)
        (outer / "deep/root").mkdir(parents=True)
        tree = RootTree(outer / "deep/root")
        for kind, path, target, absolute in steps:
            try:
                if kind == "link":
                    tree.make_symlink(path, f"/{target}" if absolute else target)
                elif kind == "file":
                    tree.write(path, "x")
                else:
                    tree.make_directory(path)
            except (UnsafeArchiveError, OSError):
                continue
        assert os.listdir(outer) == ["deep"] and os.listdir(outer / "deep") == ["root"]
        for known in tree._directories.values():
            assert Path(known).resolve() == Path(known).absolute() or known == str(tree.top)
            assert f"{known}/".startswith(f"{tree.top}/")
