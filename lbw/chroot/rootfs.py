"""Write into a root that is under construction, and never outside of it.

Every name is taken from the root's `/`, as a process inside would take it: an absolute symlink starts at the root, and
`..` stops there.  The directories on the way are resolved component by component with lstat, never by the host, so no
symlink, however a package arranges it, leads out.  The last component is never followed when something is created: what
stands there is removed first, and files are opened exclusively.

Directories that were resolved once are remembered; nothing else ever replaces a directory, which keeps that true.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from lbw.chroot.errors import UnsafeArchiveError
from lbw.chroot.ownership import Ownership, linux_device
from lbw.host import nodes

MAX_SYMLINKS = 40
"""As many as Linux follows in one path, path_resolution(7)."""

_EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class RootTree:
    """The root directory `top` as seen from inside; names are relative to it, with `/` between components."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.ownership = Ownership(top)
        self._directories: dict[str, str] = {"": str(top)}
        self._implicit: set[str] = set()

    def locate(self, name: str, create: bool = False) -> str:
        """Return the host path of `name`: its directory resolved inside the root, its last component as it is.

        With `create`, missing directories on the way are made (0755).  Raises FileNotFoundError, UnsafeArchiveError.
        """
        directory, _, base = name.strip("/").rpartition("/")
        if not base:
            return str(self.top)
        check_component(base, name)
        return os.path.join(self._directory(directory, create), base)

    def _directory(self, name: str, create: bool) -> str:
        known = self._directories.get(name)
        if known is None:
            known = self._walk(name, create)
            self._directories[name] = known
        return known

    def _walk(self, name: str, create: bool) -> str:
        """Resolve the directory `name` as path_resolution(7) does, with the root as `/`."""
        trail = [str(self.top)]
        pending = list(reversed(name.split("/")))
        links = 0
        while pending:
            component = pending.pop()
            if component in ("", "."):
                continue
            if component == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            check_component(component, name)
            path = os.path.join(trail[-1], component)
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(path, 0o755)
                self._implicit.add(path)
                self.ownership.apply(path, stat.S_IFDIR | 0o755, 0, 0)
                mode = stat.S_IFDIR
            if stat.S_ISLNK(mode):
                links += 1
                if links > MAX_SYMLINKS:
                    raise UnsafeArchiveError(f"too many symbolic links in /{name}")
                target = os.readlink(path).replace(os.sep, "/")
                if target.startswith("/"):
                    del trail[1:]
                pending.extend(reversed(target.split("/")))
            elif stat.S_ISDIR(mode):
                trail.append(path)
            else:
                raise UnsafeArchiveError(f"/{name} passes through {component!r}, which is not a directory")
        return trail[-1]

    def ignores_case(self) -> bool:
        """Tell whether the host takes names that differ only in case for the same; `top` must be empty."""
        probe = self.top / "lbw-Case"
        probe.touch()
        try:
            return (self.top / "LBW-cASE").exists()
        finally:
            probe.unlink()

    # What packages and configuration create.

    def make_directory(self, name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> str | None:
        """Make a directory; return its host path, or None when there is one already.

        Like dpkg, leaves alone what exists, be it a directory or a symlink to one.
        """
        path = self.locate(name, create=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if path not in self._implicit and path != str(self.top):
                if not self.is_directory(name):
                    raise UnsafeArchiveError(f"/{name} is both a directory and something else") from None
                return None
            self._implicit.discard(path)
        self.ownership.apply(path, stat.S_IFDIR | mode, uid, gid)
        return path

    def create_file(self, name: str) -> tuple[int, str]:
        """Create an empty file, replacing another one; return its descriptor for writing and its host path."""
        path = self.locate(name, create=True)
        self._clear(path, name)
        return os.open(path, _EXCLUSIVE, 0o600), path

    def write(self, name: str, content: str | bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Create or replace a regular file."""
        descriptor, path = self.create_file(name)
        with open(descriptor, "wb") as file:
            file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
        self.ownership.apply(path, stat.S_IFREG | mode, uid, gid)

    def make_symlink(self, name: str, target: str, uid: int = 0, gid: int = 0) -> str | None:
        """Create or replace a symlink; return its host path.  None when a directory is there: as in dpkg, it stays."""
        path = self.locate(name, create=True)
        try:
            self._clear(path, name)
        except IsADirectoryError:
            return None
        os.symlink(target, path)
        self.ownership.apply(path, stat.S_IFLNK | 0o777, uid, gid)
        return path

    def make_hard_link(self, name: str, target: str) -> None:
        """Give the existing file `target` the name `name` as well; neither name is followed."""
        path, existing = self.locate(name, create=True), self.locate(target)
        if path == existing:
            return
        if stat.S_ISDIR(os.lstat(existing).st_mode):
            raise UnsafeArchiveError(f"/{name} is a hard link to a directory")
        self._clear(path, name)
        os.link(existing, path, follow_symlinks=False)

    def make_special(self, name: str, mode: int, device: tuple[int, int], uid: int = 0, gid: int = 0) -> None:
        """Make a device node or FIFO; where the host refuses, an empty file and a record stand for it."""
        path = self.locate(name, create=True)
        self._clear(path, name)
        placeholder: int | None = None
        try:
            if not self.ownership.privileged:
                raise PermissionError
            nodes.make_node(path, mode, *device)
        except PermissionError:
            os.close(os.open(path, _EXCLUSIVE, 0o600))
            placeholder = linux_device(*device)
        self.ownership.apply(path, mode, uid, gid, placeholder)

    # What configuration asks.

    def read(self, name: str) -> str:
        """Return the text of a regular file, following symlinks inside the root.  Raises FileNotFoundError."""
        with open(self._final(name), encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()

    def exists(self, name: str) -> bool:
        """Tell whether `name` exists; a dangling symlink does not."""
        try:
            return os.path.lexists(self._final(name))
        except (FileNotFoundError, UnsafeArchiveError):
            return False

    def is_directory(self, name: str) -> bool:
        """Tell whether `name` is a directory or a symlink to one."""
        try:
            return stat.S_ISDIR(os.lstat(self._final(name)).st_mode)
        except (FileNotFoundError, UnsafeArchiveError):
            return False

    def is_link(self, name: str) -> bool:
        """Tell whether `name` itself is a symlink, dangling or not."""
        try:
            return os.path.islink(self.locate(name))
        except (FileNotFoundError, UnsafeArchiveError):
            return False

    def remove_empty_directory(self, name: str) -> None:
        """Remove a directory if it is empty; do nothing otherwise."""
        path = self.locate(name)
        try:
            self.ownership.forget(path)
            os.rmdir(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        self._directories = {"": str(self.top)}

    def names(self, directory: str) -> list[str]:
        """Return the sorted names in a directory, none when it does not exist."""
        try:
            return sorted(os.listdir(self._directory(directory.strip("/"), create=False)))
        except FileNotFoundError:
            return []

    def _final(self, name: str) -> str:
        """Return the host path of `name` with symlinks in the last component followed inside the root."""
        for _ in range(MAX_SYMLINKS):
            path = self.locate(name)
            if not os.path.islink(path):
                return path
            target = os.readlink(path).replace(os.sep, "/")
            inside = os.path.relpath(os.path.dirname(path), self.top).replace(os.sep, "/")
            name = target.lstrip("/") if target.startswith("/") else f"{inside}/{target}"
        raise UnsafeArchiveError(f"too many symbolic links in /{name}")

    def _clear(self, path: str, name: str) -> None:
        """Remove the file or symlink at `path`.  Raises IsADirectoryError for a directory."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, f"/{name} is a directory, and a package has something else there")
        self.ownership.forget(path)
        os.unlink(path)


def check_component(component: str, name: str) -> None:
    """Raise UnsafeArchiveError unless `component` is one plain file name on this host."""
    if component in ("", ".", "..") or "\0" in component or (os.sep != "/" and os.sep in component):
        raise UnsafeArchiveError(f"the name {name!r} is not acceptable")
