"""Who is told of what happens to files: the watched inodes of a machine, and the events of the VFS.

Events come from what guests of this machine do: what happens to a host directory from outside is not seen. The path
operations (`lbw.vfs.opening`, `naming`, `operations`) call the methods below; reading, writing and closing is told by
the open descriptions themselves (`lbw.vfs.inotify.told`). All of it hangs on one attribute, `Vfs.notifier`, which is
None until the first inotify_init; so what nobody watches costs a test of that at every open and every change of names,
and nothing at reads and writes.

An inode has one object as long as somebody has it, in every file system here, and a watch has it: so watches are found
by the inode itself, whatever its names are. A directory hears of its entries through the location, the place where the
file was found: a second name elsewhere is not told, as on Linux.
"""

from __future__ import annotations

from lbw.abi.errno import EMFILE, ENOSPC, LinuxError
from lbw.abi.fcntl import O_PATH
from lbw.abi.inotify import (
    IN_ATTRIB,
    IN_CLOSE_NOWRITE,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_OPEN,
    IN_UNMOUNT,
)
from lbw.abi.stat import S_IFDIR
from lbw.vfs.inotify.told import told_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lbw.vfs.file import File
    from lbw.vfs.inode import FileSystem, Inode
    from lbw.vfs.inotify.instance import Inotify, Watch
    from lbw.vfs.inotify.limits import InotifyLimits
    from lbw.vfs.location import Location


class Notifier:
    """The watches of a machine."""

    __slots__ = ("_classes", "_cookie", "_doomed", "_instances", "_open", "_used", "limits", "quiet", "watches")

    def __init__(self, limits: InotifyLimits) -> None:
        self.limits = limits
        self.watches: dict[Inode, dict[Inotify, Watch]] = {}
        self.quiet = False  # a description is inside of an operation that it will tell of itself
        self._instances: dict[int, int] = {}  # by user
        self._used: dict[int, int] = {}  # watches by user
        self._classes: dict[type[File], type[File]] = {}
        self._open: dict[Inode, int] = {}  # how many descriptions
        self._doomed: set[Inode] = set()  # watched, open, without a name
        self._cookie = 0

    # Accounts

    def instance_opened(self, instance: Inotify) -> None:
        """Charge an instance to its user.  EMFILE"""
        used = self._instances.get(instance.uid, 0)
        if used >= self.limits.instances:
            raise LinuxError(EMFILE)
        self._instances[instance.uid] = used + 1

    def instance_closed(self, instance: Inotify) -> None:
        """Take an instance off its user's account."""
        self._instances[instance.uid] -= 1

    def enter(self, watch: Watch) -> None:
        """Begin to tell a watch.  ENOSPC: the user has too many"""
        uid = watch.instance.uid
        used = self._used.get(uid, 0)
        if used >= self.limits.watches:
            raise LinuxError(ENOSPC)
        self._used[uid] = used + 1
        self.watches.setdefault(watch.inode, {})[watch.instance] = watch

    def drop(self, watch: Watch) -> None:
        """Tell a watch no more."""
        self._used[watch.instance.uid] -= 1
        known = self.watches[watch.inode]
        del known[watch.instance]
        if not known:
            del self.watches[watch.inode]
            self._doomed.discard(watch.inode)

    # What happens, in terms of inodes and places

    def inode_event(self, inode: Inode, mask: int) -> None:
        """Tell those who watch the inode itself."""
        for watch in list(self.watches.get(inode, {}).values()):
            watch.tell(mask)

    def entry_event(self, directory: Location, name: bytes, mask: int, cookie: int = 0) -> None:
        """Tell those who watch a directory of its entry `name`."""
        for watch in list(self.watches.get(directory.inode, {}).values()):
            watch.tell(mask, cookie, name)

    def changed(self, location: Location, mask: int, opened: bool = False) -> None:
        """Tell the watchers of the directory and of the file; `opened`: it happened through an open description."""
        watches = self.watches
        if not watches:
            return
        if location.kind == S_IFDIR:
            mask |= IN_ISDIR
        unlinked = opened and location.deleted
        parent = location.parent
        if parent is not None and parent.inode in watches:
            for watch in list(watches[parent.inode].values()):
                watch.tell(mask, 0, location.name, unlinked)
        if location.inode in watches:
            for watch in list(watches[location.inode].values()):
                watch.tell(mask, 0, b"", unlinked)

    # Open descriptions

    def follow(self, files: Iterable[File]) -> None:
        """Have descriptions that were opened before tell of themselves too."""
        for file in files:
            self._follow(file)

    def _follow(self, file: File) -> bool:
        if file.location is None or file.flags & O_PATH or type(file) in self._classes.values():
            return False
        self._open[file.inode] = self._open.get(file.inode, 0) + 1
        kind = type(file)
        told = self._classes.get(kind)
        if told is None:
            told = self._classes[kind] = told_class(kind, self)
        file.__class__ = told
        return True

    def opened(self, file: File) -> None:
        """A description was opened."""
        if self._follow(file):
            self.happened(file, IN_OPEN)

    def happened(self, file: File, mask: int) -> None:
        """Something was done through a description."""
        assert file.location is not None
        self.changed(file.location, mask, True)

    def closing(self, file: File) -> None:
        """A description is about to be closed."""
        self.happened(file, IN_CLOSE_WRITE if file.writable else IN_CLOSE_NOWRITE)

    def closed(self, file: File) -> None:
        """A description is closed; it may have been the last of an inode without names."""
        inode = file.inode
        left = self._open[inode] - 1
        if left:
            self._open[inode] = left
            return
        del self._open[inode]
        if inode in self._doomed:
            self._gone(inode)

    # Names

    def created(self, directory: Location, name: bytes, is_directory: bool = False) -> None:
        """An entry was made."""
        self.entry_event(directory, name, IN_CREATE | (IN_ISDIR if is_directory else 0))

    def linked(self, source: Inode, directory: Location, name: bytes) -> None:
        """A file got another name."""
        self.inode_event(source, IN_ATTRIB)
        self.created(directory, name)

    def removing(self, victim: Location) -> bool:
        """Return whether a name that is about to be removed is the last of a watched inode; ask before it is done."""
        return victim.inode in self.watches and (victim.kind == S_IFDIR or victim.inode.stat().nlink <= 1)

    def removed(self, directory: Location, name: bytes, victim: Location, last: bool) -> None:
        """A name was removed; `last`: what `removing` said."""
        is_directory = victim.kind == S_IFDIR
        if not is_directory:
            self.inode_event(victim.inode, IN_ATTRIB)
        if last:
            self._lost_last_name(victim.inode)
        self.entry_event(directory, name, IN_DELETE | (IN_ISDIR if is_directory else 0))

    def moved(
        self, source: Location, old: tuple[Location, bytes], new: tuple[Location, bytes],
        target: Location | None = None, last: bool = False,
    ) -> None:  # fmt: skip
        """A name was changed; `target` is what it replaced, and `last` what `removing` said of that."""
        self._cookie = self._cookie + 1 & 0xFFFF_FFFF
        flag = IN_ISDIR if source.kind == S_IFDIR else 0
        self.entry_event(*old, IN_MOVED_FROM | flag, self._cookie)
        self.entry_event(*new, IN_MOVED_TO | flag, self._cookie)
        if target is not None:
            self.inode_event(target.inode, IN_ATTRIB)
        self.inode_event(source.inode, IN_MOVE_SELF)
        if target is not None and last:
            self._lost_last_name(target.inode)

    def _lost_last_name(self, inode: Inode) -> None:
        if inode not in self.watches:
            return
        if inode in self._open:
            self._doomed.add(inode)
        else:
            self._gone(inode)

    def _gone(self, inode: Inode) -> None:
        self._end(inode, IN_DELETE_SELF)

    def _end(self, inode: Inode, mask: int) -> None:
        for watch in list(self.watches.get(inode, {}).values()):
            watch.tell(mask)
            watch.instance.remove(watch)

    def unmounted(self, fs: FileSystem) -> None:
        """A file system has gone with all its inodes."""
        for inode in [inode for inode in self.watches if inode.fs is fs]:
            for watch in self.watches[inode].values():
                watch.instance.post(watch.wd, IN_UNMOUNT, 0, b"")
            self._end(inode, 0)
