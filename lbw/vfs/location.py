"""Locations: places in the tree of names, what Linux calls a struct path (a dentry seen through a mount).

A location is a name in a directory location of a mount. There is at most one live location per place, so whoever
holds one (a working directory, an open file, a mount point) sees it move when the directory is renamed, and can tell
when it was removed.

Parents hold their children weakly: a location lives as long as someone needs it, plus a while in the memory of recent
ones (`Vfs.recent`), so that `find /` over a million files does not keep a million locations. A cached location is a
hint: the walk asks the file system again (`Inode.revalidate`) before it believes it.
"""

from __future__ import annotations

from _weakref import ref

from lbw.abi.stat import S_IFMT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.inode import Inode
    from lbw.vfs.mount import Mount

    LocationReference = ref["Location"]
else:
    LocationReference = ref


class ChildReference(LocationReference):
    """A weak entry of `Location.children` that removes itself when its location dies."""

    __slots__ = ("children", "name")

    children: dict[bytes, ChildReference]
    name: bytes


def _forget(reference: ChildReference) -> None:
    if reference.children.get(reference.name) is reference:
        del reference.children[reference.name]


class Location:
    """A place: `name` in `parent`, leading to `inode`, seen through `mount`."""

    __slots__ = ("__weakref__", "children", "deleted", "inode", "kind", "mount", "name", "over", "parent", "virtual")

    def __init__(self, mount: Mount, inode: Inode, parent: Location | None, name: bytes) -> None:
        self.mount = mount
        self.inode = inode
        self.parent = parent  # None: the root of the mount
        self.name = name
        self.kind = inode.mode & S_IFMT  # never changes
        self.children: dict[bytes, ChildReference] = {}
        #: Where the walk goes on: None: here; another: the root of what is mounted here; itself: here, without asking
        #: the file system, which does not know this place (a virtual directory, made to mount on).
        self.over: Location | None = None
        #: Places below that only exist here; they hold mount points that the file system lacks.
        self.virtual: dict[bytes, Location] | None = None
        self.deleted = False

    def __repr__(self) -> str:
        return (
            f"Location({self.name!r} in {self.parent!r})"
            if self.parent
            else f"Location(root of {self.mount.fs.type_name})"
        )

    def child(self, name: bytes) -> Location | None:
        """Return the cached location of `name`, whether or not it is still true."""
        reference = self.children.get(name)
        return None if reference is None else reference()

    def attach(self, name: bytes, inode: Inode) -> Location:
        """Make the location of `name`, replacing what was known of it."""
        location = Location(self.mount, inode, self, name)
        self._refer(name, location)
        return location

    def detach(self, name: bytes, deleted: bool = True) -> None:
        """Forget `name`, which was removed."""
        location = self.child(name)
        if location is not None:
            location.deleted = deleted
            del self.children[name]

    def move(self, name: bytes, directory: Location, new_name: bytes) -> None:
        """Note that `name` was renamed: the location moves, what was there before is deleted."""
        location = self.child(name)
        if self.children.get(name) is not None:
            del self.children[name]
        directory.detach(new_name)
        if location is not None:
            location.parent = directory
            location.name = new_name
            directory._refer(new_name, location)

    def exchange(self, name: bytes, directory: Location, other_name: bytes) -> None:
        """Note that two names changed places."""
        one, other = self.child(name), directory.child(other_name)
        self.children.pop(name, None)
        directory.children.pop(other_name, None)
        if one is not None:
            one.parent, one.name = directory, other_name
            directory._refer(other_name, one)
        if other is not None:
            other.parent, other.name = self, name
            self._refer(name, other)

    def topmost(self) -> Location:
        """Return the root of what is mounted here, or this."""
        here = self
        while here.over is not None and here.over is not here:
            here = here.over
        return here

    def is_within(self, ancestor: Location) -> bool:
        """Whether this is `ancestor` or below it, in the same mount."""
        here: Location | None = self
        while here is not None:
            if here is ancestor:
                return True
            here = here.parent
        return False

    def _refer(self, name: bytes, location: Location) -> None:
        reference = ChildReference(location, _forget)
        reference.children = self.children
        reference.name = name
        self.children[name] = reference
