from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chroot_archive import Archive, SigningKey, WebServer, member, tree_of

import lbw.chroot
from lbw.chroot import create_root, default_root, list_roots, remove_root
from lbw.chroot import default as default_module
from lbw.chroot.errors import ChrootError, NoSpaceError, UnsafeArchiveError, VerificationError
from lbw.chroot.lock import FileLock
from lbw.chroot.registry import delete_tree, manifest_path
from lbw.chroot.unpack import Unpacker
from lbw.cli import chroot as cli
from lbw.host.dirs import cache_dir, data_dir

pytestmark = pytest.mark.usefixtures("small_variant")

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def published(archive: Archive) -> Archive:
    archive.add("base", files={"bin/sh": b"#!", "etc/motd": b"hello"}, Depends="lib")
    archive.add("lib", files={"lib/lib.so": b"\x7fELF"}, extra={"postinst": "exit 0\n"})
    archive.add("extra", files={"usr/games/x": b""})
    archive.publish()
    return archive


def create(archive: Archive, directory: Path, **options: object) -> lbw.chroot.registry.Manifest:
    return create_root(directory, mirror=archive.url, allow_unsigned=True, **options)  # type: ignore[arg-type]


def test_a_root_from_a_signed_archive_over_http(archive: Archive, web: WebServer, key: SigningKey, keyring: Path,
                                               tmp_path: Path) -> None:  # fmt: skip
    archive.add("base", files={"bin/sh": b"#!"})
    archive.publish(key)
    manifest = create_root(tmp_path / "root", mirror=web.url, keyring=keyring)
    assert (tmp_path / "root/usr/bin/sh").read_bytes() == b"#!"
    assert manifest.packages == {"base": "1"} and manifest.suite == "bookworm"
    (archive.dist / "InRelease").write_bytes(b"junk")
    with pytest.raises(VerificationError):
        create_root(tmp_path / "other", mirror=web.url, keyring=keyring)
    assert not (tmp_path / "other").exists()


def test_a_root_and_its_sidecars(published: Archive, tmp_path: Path) -> None:
    manifest = create(published, tmp_path / "r/root", include=["extra"])
    assert sorted(manifest.packages) == ["base", "extra", "lib"]
    # A host user who is not root cannot give /etc/shadow to its group: that is recorded.
    expected = {"root", "root.lbw.json"} | (set() if IS_ROOT else {"root.lbw.sqlite3"})
    assert {path.name for path in (tmp_path / "r").iterdir()} == expected
    assert "usr/lib/lib.so" in tree_of(tmp_path / "r/root") and (tmp_path / "r/root/bin").is_symlink()
    assert manifest.inode == (tmp_path / "r/root").stat().st_ino
    assert json.loads(manifest_path(tmp_path / "r/root").read_text())["packages"] == {
        "base": "1",
        "extra": "1",
        "lib": "1",
    }


def test_the_second_root_comes_from_the_cache(archive: Archive, web: WebServer, tmp_path: Path) -> None:
    archive.add("base")
    archive.publish()
    for name in ("one", "two"):
        create_root(tmp_path / name, mirror=web.url, allow_unsigned=True)
    assert sum(path.endswith(".deb") for path, _ in web.requests) == 1


def test_an_empty_directory_will_do_and_a_full_one_not(published: Archive, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    create(published, tmp_path / "root")
    with pytest.raises(ChrootError, match="exists and is not empty"):
        create(published, tmp_path / "root")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ChrootError, match="exists and is not empty"):
        create(published, tmp_path / "link")


@pytest.mark.parametrize(("options", "message"), [
    ({"variant": "huge"}, "there is no variant huge: choose from shell, minbase"),
    ({"include": ["nope"]}, "there is no package nope"),
    ({"suite": "nope"}, "has no suite nope"),
    ({"keyring": "/nope"}, "the keyring /nope does not exist"),
])  # fmt: skip
def test_errors_before_anything_is_made(
    published: Archive, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ChrootError, match=message):
        create(published, tmp_path / "r/root", **options)
    assert not (tmp_path / "r").exists()


def test_a_bad_package_leaves_nothing(archive: Archive, tmp_path: Path) -> None:
    archive.add("base", members=[member("../../evil", b"")])
    archive.publish()
    with pytest.raises(UnsafeArchiveError):
        create(archive, tmp_path / "r/root")
    assert list((tmp_path / "r").iterdir()) == [] and not (tmp_path / "evil").exists()


def test_a_changed_package_is_refused(published: Archive, tmp_path: Path) -> None:
    deb = published.top / "pool/lib_1_amd64.deb"
    deb.write_bytes(deb.read_bytes()[:-1] + b"?")
    with pytest.raises(VerificationError, match=r"lib_1_amd64\.deb does not match"):
        create(published, tmp_path / "r/root")
    assert list((tmp_path / "r").iterdir()) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, OSError(errno.EIO, "Input/output error")])
def test_whatever_interrupts_leaves_nothing_but_the_cache(
    published: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: BaseException | type[BaseException]
) -> None:
    def interrupt(self: Unpacker) -> None:
        raise kind

    monkeypatch.setattr(Unpacker, "finish", interrupt)
    with pytest.raises((KeyboardInterrupt, MemoryError, ChrootError)):
        create(published, tmp_path / "r/root")
    assert list((tmp_path / "r").iterdir()) == []
    assert len(list(Path(cache_dir(), "packages").glob("*.deb"))) == 2
    monkeypatch.undo()


def test_a_full_disk_while_unpacking(published: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Unpacker) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Unpacker, "finish", full)
    with pytest.raises(
        NoSpaceError, match=r"^cannot build the root: no space left on device \(.*/root\): needs about \d+ MB$"
    ):
        create(published, tmp_path / "r/root")
    assert list((tmp_path / "r").iterdir()) == []


def test_a_full_disk_while_downloading(published: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/x")

    monkeypatch.setattr("lbw.chroot.download._obtain", full)
    with pytest.raises(NoSpaceError, match=r"no space left on device \(/cache/x\)"):
        create(published, tmp_path / "r/root")
    assert list((tmp_path / "r").iterdir()) == []


@pytest.mark.skipif(not IS_ROOT or shutil.which("mount") is None, reason="needs root, to mount a small file system")
def test_a_really_full_disk(archive: Archive, tmp_path: Path) -> None:
    archive.add("base", files={"data": bytes(24 << 20)})  # Installed-Size lies, so the check up front passes
    archive.publish()
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "lbw-test", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount")
    try:
        (small / "ballast").write_bytes(bytes(2 << 20))
        with pytest.raises(NoSpaceError, match=r"no space left on device \(.*small"):
            create(archive, small / "root")
        assert [path.name for path in small.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_space_is_checked_up_front(archive: Archive, tmp_path: Path) -> None:
    archive.add("base", Installed_Size=10**12)
    archive.publish()
    with pytest.raises(NoSpaceError, match=r"needs about 10240000\d\d MB"):
        create(archive, tmp_path / "r/root")
    assert not list(Path(cache_dir(), "packages").glob("*.deb"))


SLOW_BUILD = """
import sys, time
from lbw.chroot.variants import VARIANTS, Variant
from lbw.chroot.unpack import Unpacker
import argparse
from lbw.cli import chroot
VARIANTS['shell'] = Variant(('base',), False, '')
def wait(self):
    print('waiting', flush=True)
    time.sleep(60)
Unpacker.finish = wait
parser = argparse.ArgumentParser()
chroot.add_parser(parser.add_subparsers())
args = parser.parse_args(['chroot', 'create', sys.argv[1], '--mirror', sys.argv[2], '--allow-unsigned', '--quiet'])
sys.exit(args.func(args))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_leave_nothing(published: Archive, tmp_path: Path, number: signal.Signals, status: int) -> None:
    process = start(SLOW_BUILD, str(tmp_path / "r/root"), published.url)
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    assert (tmp_path / "r/root.partial").exists()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors == "lbw: interrupted; no root was made, the downloads are kept\n"
    assert list((tmp_path / "r").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_leftovers_of_a_killed_build_are_replaced(published: Archive, tmp_path: Path) -> None:
    process = start(SLOW_BUILD, str(tmp_path / "r/root"), published.url)
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.kill()
    process.communicate()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"root.partial", "root.partial.lock"}
    create(published, tmp_path / "r/root")
    assert (tmp_path / "r/root/usr").is_dir()
    assert not list((tmp_path / "r").glob("root.partial*"))


def test_two_builds_of_one_directory(published: Archive, tmp_path: Path) -> None:
    with FileLock(tmp_path / "root.partial.lock"):
        process = start(WAITING_BUILD, str(tmp_path / "root"), published.url)
        assert process.stdout is not None and process.stdout.readline() == "downloaded\n"
        (tmp_path / "root").mkdir()
        (tmp_path / "root/file").write_text("")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "exists and is not empty" in errors
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "root"}


WAITING_BUILD = """
import sys
from lbw.chroot import build, create_root
from lbw.chroot.variants import VARIANTS, Variant
VARIANTS['shell'] = Variant(('base',), False, '')
original = build.download
def download(*arguments):
    result = original(*arguments)
    print('downloaded', flush=True)
    return result
build.download = download
create_root(sys.argv[1], mirror=sys.argv[2], allow_unsigned=True)
"""


def test_a_stranger_s_partial_is_left_alone(published: Archive, tmp_path: Path) -> None:
    (tmp_path / "root.partial").mkdir()
    with pytest.raises(ChrootError, match=r"root\.partial is in the way"):
        create(published, tmp_path / "root")
    assert (tmp_path / "root.partial").exists()


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


# The registry.


def test_list_and_remove(published: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        create(published, tmp_path / name)
        (tmp_path / f"{name}.lbw.sqlite3-wal").write_text("")
    assert [root.name for root in list_roots()] == ["one", "two"]
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "VARIANT", "SUITE", "ARCH", "SIZE", "CREATED", "PACKAGES", "PATH"]
    assert lines[1].split()[:4] == ["one", "shell", "bookworm", "amd64"] and lines[1].endswith(str(tmp_path / "one"))
    remove_root("one")
    assert command("remove", str(tmp_path / "two")) == 0
    assert list_roots() == [] and {path.name for path in tmp_path.iterdir()} == {"archive"}


def test_vanished_roots_and_a_damaged_registry_are_tolerated(published: Archive, tmp_path: Path) -> None:
    create(published, tmp_path / "one")
    create(published, tmp_path / "two")
    shutil.rmtree(tmp_path / "one")
    assert [root.name for root in list_roots()] == ["two"]
    remove_root(str(tmp_path / "one"))
    assert not manifest_path(tmp_path / "one").exists()
    Path(data_dir(), "roots.json").write_text("{nonsense")
    assert list_roots() == []
    remove_root(str(tmp_path / "two"))


def test_only_roots_of_ours_are_removed(published: Archive, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    with pytest.raises(ChrootError, match="is not a root made by lbw"):
        remove_root(str(precious))
    with pytest.raises(ChrootError, match="there is no root called nope"):
        remove_root("nope")
    create(published, tmp_path / "root")
    (tmp_path / "root").rename(tmp_path / "moved")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("mine")
    with pytest.raises(ChrootError, match="is not the directory that lbw made"):
        remove_root(str(tmp_path / "root"))
    shutil.rmtree(tmp_path / "root")
    (tmp_path / "root").symlink_to(tmp_path / "moved")
    with pytest.raises(ChrootError, match="is not the directory that lbw made"):
        remove_root(str(tmp_path / "root"))
    assert (tmp_path / "moved/usr").exists()


def test_deleting_never_touches_what_is_above(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(OSError):
        delete_tree(tmp_path / "absent")
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_removal_follows_no_symlink_and_minds_no_mode(published: Archive, tmp_path: Path) -> None:
    create(published, tmp_path / "root")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (tmp_path / "root/link").symlink_to(outside)
    locked = tmp_path / "root/locked/inner"
    locked.mkdir(parents=True)
    (locked / "file").write_text("")
    locked.chmod(0)
    locked.parent.chmod(0o500)
    remove_root(str(tmp_path / "root"))
    assert (outside / "file").read_text() == "mine" and not (tmp_path / "root").exists()


def test_a_registry_that_cannot_be_written_does_not_cost_the_root(
    published: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LBW_DATA_HOME", str(tmp_path / "file"))
    assert command("create", str(tmp_path / "root"), "--mirror", published.url, "--allow-unsigned") == 0
    assert "cannot register the root" in capsys.readouterr().err
    monkeypatch.setenv("LBW_DATA_HOME", str(tmp_path / "data"))
    remove_root(str(tmp_path / "root"))


def test_ambiguous_names(published: Archive, tmp_path: Path) -> None:
    for parent in ("a", "b"):
        create(published, tmp_path / parent / "root")
    with pytest.raises(ChrootError, match="several roots are called root"):
        remove_root("root")


@pytest.mark.skipif(not IS_ROOT or shutil.which("mount") is None, reason="needs root, to mount")
def test_a_root_with_something_mounted_is_not_removed(published: Archive, tmp_path: Path) -> None:
    create(published, tmp_path / "root")
    place = tmp_path / "root/mnt"
    if subprocess.run(["mount", "-t", "tmpfs", "lbw-test", str(place)], capture_output=True).returncode:
        pytest.skip("cannot mount")
    try:
        with pytest.raises(ChrootError, match=r"something is mounted on .*/mnt"):
            remove_root(str(tmp_path / "root"))
    finally:
        subprocess.run(["umount", str(place)], check=True)
    remove_root(str(tmp_path / "root"))


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["chroot", *words])
    status: int = args.func(args)
    return status


def test_the_command_line(published: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("create", str(tmp_path / "root"), "--mirror", published.url, "--allow-unsigned", "--include", "extra,lib")
    assert command(*words) == 0
    output = capsys.readouterr()
    assert output.out.startswith(f"{tmp_path / 'root'}: 3 packages, ")
    assert "lbw: downloading 3 packages" in output.err
    assert "`dpkg --configure -a` in the root finishes them: lib" in output.err
    with pytest.raises(ChrootError) as caught:
        command(*words)
    assert caught.value.exit_status == 125 and "\n" not in str(caught.value)


# The default root.


def test_the_default_root_is_built_once(published: Archive, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("LBW_MIRROR", published.url)
    calls = []
    monkeypatch.setattr("lbw.chroot.build.fetch_release", trusting(calls))
    path = default_root()
    assert Path(path) == Path(data_dir(), "roots/default") and (Path(path) / "usr/bin/sh").exists()
    assert default_root() == path and len(calls) == 1
    output = capsys.readouterr()
    assert output.out == "" and "building the default root" in output.err
    assert not Path(f"{path}.lock").exists()


def trusting(calls: list[object]) -> object:
    from lbw.chroot.release import fetch_release

    def fetch(source: object, keyring: object, allow_unsigned: object, progress: object) -> object:
        calls.append(source)
        return fetch_release(source, None, True, progress)  # type: ignore[arg-type]

    return fetch


FIRST_RUN = """
import sys, time
import lbw.chroot.build as build
from lbw.chroot.release import fetch_release
from lbw.chroot.variants import VARIANTS, Variant
from lbw.chroot.default import default_root
VARIANTS['shell'] = Variant(('base',), False, '')
def slow(source, keyring, unsigned, progress):
    print('built', flush=True)
    time.sleep(0.5)
    return fetch_release(source, None, True, progress)
build.fetch_release = slow
print(default_root())
"""


def test_two_first_runs_build_once(published: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBW_MIRROR", published.url)
    outputs = [process.communicate(timeout=60) for process in [start(FIRST_RUN), start(FIRST_RUN)]]
    lines = [line for out, _ in outputs for line in out.splitlines()]
    assert lines.count("built") == 1, outputs
    assert lines.count(str(Path(data_dir(), "roots/default"))) == 2


def test_an_existing_default_root_costs_no_heavy_import() -> None:
    Path(data_dir(), "roots/default/usr").mkdir(parents=True)
    script = (
        "import sys\nimport lbw\nbefore = set(sys.modules)\n"
        "from lbw.chroot.default import default_root\nprint(default_root())\n"
        "heavy = {'rich', 'debian', 'dataclasses', 'json', 'sqlite3', 'urllib.request', 'tarfile', 'threading'}\n"
        "heavy &= set(sys.modules) - before\nassert not heavy, heavy\n"
    )
    process = start(script)
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert out.strip() == default_module.default_root_path()


# The lock.


def test_a_lock_excludes_and_a_stale_one_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as held:
        assert not held.taken_over and not FileLock(path).try_acquire()
    assert not path.exists()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path.write_text(f"{gone.pid} {held._content.split()[1].decode()} 0\n")
    with FileLock(path) as lock:
        assert lock.taken_over
    path.write_text("1 elsewhere 0\n")
    assert not FileLock(path).try_acquire() and path.exists()  # another machine's, still fresh
    old = time.time() - 3600
    os.utime(path, (old, old))
    with FileLock(path) as lock:
        assert lock.taken_over


def test_no_module_of_the_host_alone_is_used() -> None:
    """fcntl, pwd and their like exist on some hosts only."""
    package = Path(lbw.chroot.__file__).parent
    sources = "".join(path.read_text() for path in [*package.glob("*.py"), Path(cli.__file__)])
    for name in ("fcntl", "pwd", "grp", "msvcrt", "termios", "resource"):
        assert f"import {name}" not in sources
