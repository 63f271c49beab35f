"""Build a root: all or nothing.

Everything happens in `DIR.partial`, which is renamed to DIR at the very end.  Whatever goes wrong before (an error, ^C,
SIGTERM, a full disk), the partial root is deleted; the download cache stays.  Only SIGKILL or a power cut leave a
partial root behind, together with its stale lock `DIR.partial.lock`, by which the next build knows that it may delete
both.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from lbw.chroot.configure import configure, is_configured, merge_usr
from lbw.chroot.download import Item, cached, download
from lbw.chroot.dpkg_database import Installed
from lbw.chroot.errors import ChrootError, NoSpaceError, SourceError
from lbw.chroot.lock import FileLock
from lbw.chroot.ownership import database_path
from lbw.chroot.packages import Package, PackageIndex
from lbw.chroot.progress import Progress
from lbw.chroot.registry import Manifest, delete_tree, manifest_path, register, save_manifest
from lbw.chroot.release import Release, fetch_packages, fetch_release
from lbw.chroot.resolve import resolve
from lbw.chroot.rootfs import RootTree
from lbw.chroot.sources import Source, find_sources
from lbw.chroot.transport import is_disk_full
from lbw.chroot.unpack import Unpacker
from lbw.chroot.variants import VARIANTS
from lbw.host.dirs import cache_dir

MARGIN = 16 << 20
"""Bytes beyond the packages' Installed-Size that a root takes: dpkg's database, rounding to blocks."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to build; see `lbw.chroot.create_root`."""

    directory: Path
    variant: str = "shell"
    include: tuple[str, ...] = ()
    suite: str = "bookworm"
    mirror: str | None = None
    arch: str = "amd64"
    allow_unsigned: bool = False
    keyring: Path | None = None


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived; handled like ^C."""


def build(request: Request, progress: Progress | None = None) -> Manifest:
    """Build the root that `request` describes; return its manifest.  Errors as in `lbw.chroot.create_root`."""
    directory = Path(os.path.abspath(request.directory))
    _check_request(request, directory)
    needed = 0
    try:
        with progress or Progress() as display, _terminable():
            packages, sources = _plan(request, display)
            needed = sum(package.installed_size for package in packages) + MARGIN
            return _construct(request, directory, packages, sources, needed, display)
    except OSError as error:
        if is_disk_full(error):
            raise _no_space(error.filename or directory, needed) from error
        what = f" {error.filename}" if error.filename else ""
        raise ChrootError(f"cannot build the root:{what}: {error.strerror or error}") from error


def _check_request(request: Request, directory: Path) -> None:
    if request.variant not in VARIANTS:
        raise ChrootError(f"there is no variant {request.variant}: choose from {', '.join(VARIANTS)}")
    if os.path.lexists(directory) and not _is_empty_directory(directory):
        raise ChrootError(f"{directory} exists and is not empty: give a new directory")
    if request.keyring is not None and not request.keyring.is_file():
        raise ChrootError(f"the keyring {request.keyring} does not exist")


def _is_empty_directory(directory: Path) -> bool:
    return directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir())


def _plan(request: Request, progress: Progress) -> tuple[list[Package], list[Source]]:
    """Read the sources' indexes and decide which packages the root is made of."""
    candidates = find_sources(request.suite, request.arch, request.mirror)
    index = PackageIndex()
    used = []
    for source in candidates:
        progress.stage(f"reading {source.uri} {source.suite}")
        release = fetch_release(source, request.keyring, request.allow_unsigned, progress)
        if source.from_host and not _is_debian(release):
            progress.warn(f"{source.uri} {source.suite} is not a Debian archive: not used")
            continue
        for component in source.components:
            index.add(fetch_packages(release, component, request.arch, Path(cache_dir(), "lists")), source.uri)
        used.append(source)
    if not used or used[0].suite != request.suite:
        raise SourceError(f"no apt source of this host is a Debian archive with {request.suite}: give --mirror URL")
    variant = VARIANTS[request.variant]
    names = [*variant.names, *request.include, *(index.required() if variant.required else ())]
    return resolve(index, names), used


def _is_debian(release: Release) -> bool:
    return release.fields.get("Origin", "").startswith("Debian")


def _construct(
    request: Request, directory: Path, packages: list[Package], sources: list[Source], needed: int, progress: Progress
) -> Manifest:
    cache = Path(cache_dir(), "packages")
    items = [Item(package.url, package.sha256, package.size) for package in packages]
    directory.parent.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    _check_space(directory, cache, needed, sum(item.size for item in items if not cached(item, cache)))
    progress.stage(f"downloading {len(items)} packages", sum(item.size for item in items))
    archives = download(items, cache, progress)
    partial = directory.with_name(f"{directory.name}.partial")
    with FileLock(partial.with_name(f"{partial.name}.lock")) as lock:
        _check_request(request, directory)  # another process may have built it while this one waited
        if os.path.lexists(partial):
            if not lock.taken_over:
                raise ChrootError(f"{partial} is in the way and was not left by lbw: remove it")
            delete_tree(partial)
        try:
            partial.mkdir(0o755)
            tree = RootTree(partial)
            _fill(tree, packages, archives, sources, request.arch, progress)
            manifest = _describe(request, directory, partial, packages)
            _publish(tree, partial, directory, manifest)
        except BaseException:
            _discard(partial)
            raise
    try:
        register(directory)
    except OSError as error:  # `lbw chroot list` will not show it; everything else works
        progress.warn(f"cannot register the root: {error}")
    return manifest


def _fill(
    tree: RootTree, packages: list[Package], archives: list[Path], sources: list[Source], arch: str, progress: Progress
) -> None:
    tree.ownership.apply(str(tree.top), 0o040755, 0, 0)
    if tree.ignores_case():
        progress.warn("this file system ignores case: of files whose names differ only in case, one is lost")
    merge_usr(tree)
    unpacker = Unpacker(tree)
    progress.stage(f"unpacking {len(packages)} packages", sum(package.size for package in packages))
    installed = []
    # base-files first: the first package that ships a directory decides its mode.
    order = sorted(range(len(packages)), key=lambda number: packages[number].name != "base-files")
    for number in order:
        package = packages[number]
        unpacked = unpacker.unpack(archives[number])
        configured = is_configured(package.name, unpacked.control.get("postinst", b"").decode("utf-8", "replace"))
        installed.append(Installed(package, unpacked, configured))
        progress.advance(package.size)
    progress.stage("configuring")
    configure(tree, installed, sources, arch)
    unpacker.finish()
    unfinished = sorted(entry.package.name for entry in installed if not entry.configured)
    if unfinished:
        progress.warn(f"only unpacked, `dpkg --configure -a` in the root finishes them: {', '.join(unfinished)}")


def _describe(request: Request, directory: Path, partial: Path, packages: list[Package]) -> Manifest:
    return Manifest(
        path=str(directory),
        variant=request.variant,
        suite=request.suite,
        arch=request.arch,
        size=_disk_usage(partial),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        inode=os.lstat(partial).st_ino,
        packages={package.name: package.version for package in sorted(packages, key=lambda p: p.name)},
    )


def _publish(tree: RootTree, partial: Path, directory: Path, manifest: Manifest) -> None:
    """Make the finished root appear.  The sidecars come first: a root without them would show wrong owners."""
    sidecars = (database_path(directory), manifest_path(directory))
    try:
        tree.ownership.save(sidecars[0])
        save_manifest(manifest)
        if directory.is_dir():
            directory.rmdir()  # it is empty, or this fails; Windows cannot rename over a directory
        os.rename(partial, directory)
    except BaseException:
        for sidecar in sidecars:
            sidecar.unlink(missing_ok=True)
        raise


def _discard(partial: Path) -> None:
    try:
        if os.path.lexists(partial):
            delete_tree(partial)
    except OSError:  # the error that brought us here is the one to report
        pass


def _check_space(directory: Path, cache: Path, needed: int, missing: int) -> None:
    root_place, cache_place = directory.parent, cache
    if os.stat(root_place).st_dev == os.stat(cache_place).st_dev:
        if shutil.disk_usage(root_place).free < needed + missing:
            raise _no_space(directory, needed + missing)
        return
    if shutil.disk_usage(root_place).free < needed:
        raise _no_space(directory, needed)
    if shutil.disk_usage(cache_place).free < missing:
        raise _no_space(cache, missing)


def _no_space(place: object, needed: int) -> NoSpaceError:
    amount = f": needs about {-(-needed // 1_000_000)} MB" if needed else ""
    return NoSpaceError(f"cannot build the root: no space left on device ({place}){amount}")


def _disk_usage(directory: Path) -> int:
    """Return the sum of the sizes of all files below `directory`, each inode once."""
    seen: set[int] = set()
    total = 0
    pending = [str(directory)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_size
    return total


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise Terminated, so that the partial root is deleted; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, terminate) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
