"""Which roots there are.

Beside each root DIR stands its manifest, `DIR.lbw.json`.  The registry is one JSON file in the data directory that
lists the paths of roots; it is a convenience and may be wrong: roots that vanished are skipped, and a damaged registry
counts as empty.  `remove` believes only the manifest, and only when it describes the very directory it stands beside.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lbw.chroot.errors import ChrootError
from lbw.chroot.lock import FileLock
from lbw.chroot.ownership import database_path, delete_database
from lbw.host.dirs import data_dir

MANIFEST_SUFFIX = ".lbw.json"
MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known about a root.  `size` is in bytes, `created` an ISO 8601 time in UTC, `inode` the directory's."""

    path: str
    variant: str
    suite: str
    arch: str
    size: int
    created: str
    inode: int
    packages: dict[str, str]
    """Name -> version."""

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def manifest_path(root: Path) -> Path:
    """Return where the manifest of `root` is kept."""
    return root.with_name(root.name + MANIFEST_SUFFIX)


def save_manifest(manifest: Manifest) -> None:
    """Write the manifest beside its root."""
    _write_json(manifest_path(Path(manifest.path)), {"format": 1, **asdict(manifest)})


def read_manifest(root: Path) -> Manifest | None:
    """Return the manifest of `root`, None when there is none or it makes no sense."""
    try:
        content = json.loads(manifest_path(root).read_text(encoding="utf-8"))
        known = {field.name: content[field.name] for field in fields(Manifest)}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Manifest(**{**known, "path": str(root)})


def register(root: Path) -> None:
    """Add `root` to the registry."""
    _change(lambda paths: [*(path for path in paths if path != str(root)), str(root)])


def load() -> list[Manifest]:
    """Return the manifests of the registered roots that still exist, in order of registration."""
    manifests = (read_manifest(Path(path)) for path in _read() if os.path.isdir(path))
    return [manifest for manifest in manifests if manifest is not None]


def remove(name: str) -> Manifest:
    """Delete a root with its database and manifest.  `name` is a registered root's name or a path.

    Raises ChrootError when it is not a root made by lbw, when the name is ambiguous, when something is mounted inside.
    """
    root = _find(name)
    manifest = read_manifest(root)
    if manifest is None:
        raise ChrootError(f"{root} is not a root made by lbw: not removed")
    if os.path.lexists(root):
        status = os.lstat(root)
        if not stat.S_ISDIR(status.st_mode) or status.st_ino != manifest.inode:
            raise ChrootError(f"{root} is not the directory that lbw made: not removed")
        mounted = _mounts_below(root)
        if mounted:
            raise ChrootError(f"cannot remove {root}: something is mounted on {mounted[0]}; unmount it first")
        try:
            delete_tree(root)
        except OSError as error:
            raise ChrootError(f"cannot remove {error.filename or root}: {error.strerror}") from error
    delete_database(database_path(root))
    manifest_path(root).unlink(missing_ok=True)
    _change(lambda paths: [path for path in paths if path != str(root)])
    return manifest


def delete_tree(directory: Path) -> None:
    """Delete a directory and all in it, never following a symlink, whatever the modes inside.  Raises OSError."""

    def unlock(function: Callable[..., Any], path: str, _: object) -> None:
        # A guest may have taken permissions from a directory of its own; the host user still owns it.
        if path != str(directory):  # what is above `directory` is not ours to change
            os.chmod(os.path.dirname(path), 0o700)
        if function in (os.unlink, os.rmdir):
            function(path)
        else:
            os.chmod(path, 0o700)
            shutil.rmtree(path)

    if sys.version_info >= (3, 12):
        shutil.rmtree(str(directory), onexc=unlock)
    else:
        shutil.rmtree(str(directory), onerror=unlock)


def _find(name: str) -> Path:
    path = Path(os.path.abspath(name))
    if os.sep in name or (os.altsep and os.altsep in name) or manifest_path(path).exists():
        return path
    matches = [path for path in _read() if os.path.basename(path) == name]
    if len(matches) > 1:
        raise ChrootError(f"several roots are called {name}: give the path ({', '.join(matches)})")
    if not matches:
        raise ChrootError(f"there is no root called {name}; `lbw chroot list` shows all")
    return Path(matches[0])


def _mounts_below(root: Path) -> list[str]:
    """Return the mount points inside `root`; only Linux can tell, other hosts are asked about the device numbers."""
    prefix = f"{os.path.realpath(root)}{os.sep}"
    try:
        lines = MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return [entry.path for entry in os.scandir(root) if os.path.ismount(entry.path)]
    points = (line.split(" ")[4].replace("\\040", " ") for line in lines)
    return [point for point in points if point.startswith(prefix)]


def _registry() -> Path:
    return Path(data_dir(), "roots.json")


def _read() -> list[str]:
    try:
        content = json.loads(_registry().read_text(encoding="utf-8"))
        return [path for path in content["roots"] if isinstance(path, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _change(edit: Callable[[list[str]], list[str]]) -> None:
    with FileLock(_registry().with_name("roots.json.lock"), poll=0.02):
        _write_json(_registry(), {"format": 1, "roots": edit(_read())})


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
