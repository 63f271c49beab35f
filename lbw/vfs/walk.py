"""The path walk: from a path to a location, component by component.  man 7 path_resolution

Each component is looked up in the directory before it, without following; a symbolic link is followed here, in guest
terms: an absolute target starts at the context's root, and `..` stops there. So no link, however it changes
meanwhile, names anything outside. Every directory on the way must permit searching.

Known locations are reused (`Location`), after the file system has confirmed them (one lstat for a host directory).
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, LinuxError
from lbw.abi.fs import NAME_MAX, PATH_MAX
from lbw.abi.stat import S_IFDIR, S_IFLNK
from lbw.vfs.location import Location
from lbw.vfs.permissions import SEARCH, permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext

#: Symbolic links followed in one walk before ELOOP.
MOST_LINKS = 40

#: What `walk` is to find: the location; the location or at least its directory; only the directory.
EXISTING, PERHAPS, PARENT = range(3)

#: (location, directory, name, slash): `location` is None when it does not exist (PERHAPS) or was not asked for
#: (PARENT); then `directory` and `name` say where it would be, and `slash` whether the path ended in one. A path that
#: ends in `.`, `..` or at the root has these as `name` (b"" for the root); it exists.
Found = tuple["Location | None", Location, bytes, bool]


def walk(ctx: FsContext, path: bytes, at: Location | None, want: int, follow: bool) -> Found:
    """Resolve `path` from `at` (None: the working directory). `follow`: a final symbolic link.

    ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG
    """
    if not path:
        raise LinuxError(ENOENT)
    if len(path) >= PATH_MAX:
        raise LinuxError(ENAMETOOLONG)
    root = ctx.root
    credentials = ctx.credentials
    searches_all = credentials.searches_all
    here = root if path[0] == 47 else ctx.cwd if at is None else at
    parts = path.split(b"/")
    slash = not parts[-1]
    while parts and not parts[-1]:
        parts.pop()
    index = 0
    count = len(parts)
    links = 0
    directory = here
    name = b""
    fresh = False
    location: Location | None
    while index < count:
        name = parts[index]
        index += 1
        if not name:
            continue
        if here.kind != S_IFDIR:
            raise LinuxError(ENOTDIR)
        if not searches_all:
            if not fresh:
                here.inode.refresh()
            if not permits(credentials, here.inode, SEARCH):
                raise LinuxError(EACCES)
        directory = here
        if index == count and want == PARENT:
            return None, here, name, slash
        if name == b"." or name == b"..":
            if name == b"..":
                here = parent_of(here, root)
            fresh = False
            continue
        # A name: the cached location, confirmed, or a new one.
        reference = here.children.get(name)
        child = None if reference is None else reference()
        try:
            if child is None or (child.over is None and child.inode is not here.inode.revalidate(name, child.inode)):
                child = find_child(ctx, here, name)
        except LinuxError as error:
            if error.errno == ENOENT:
                here.detach(name)
                if want == PERHAPS and index == count:
                    return None, here, name, slash
            raise
        over = child.over
        fresh = over is None
        if over is not None:
            child = child.topmost()
        if child.kind == S_IFLNK and (index < count or follow or slash):
            links += 1
            if links > MOST_LINKS:
                raise LinuxError(ELOOP)
            magic = child.inode.magic_link()
            if magic is not None:
                assert isinstance(magic, Location)
                here = magic
                fresh = False
                continue
            target = child.inode.readlink()
            if not target:
                raise LinuxError(ENOENT)
            if target[0] == 47:
                here = root
                fresh = False
            parts = target.split(b"/") + parts[index:]
            while parts and not parts[-1]:
                parts.pop()
                slash = True
            index = 0
            count = len(parts)
            name = b""
            directory = here
            continue
        here = child
    if slash and here.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    if not fresh:
        here.inode.refresh()
    location = None if want == PARENT else here
    return location, directory, name, slash


def find_child(ctx: FsContext, here: Location, name: bytes) -> Location:
    """Look `name` up in the directory `here`, without regard to mounts on it.  ENOENT"""
    if len(name) > NAME_MAX:
        raise LinuxError(ENAMETOOLONG)
    if here.virtual is not None and name in here.virtual:
        return here.virtual[name]
    child = here.child(name)
    inode = here.inode.lookup(name) if child is None else here.inode.revalidate(name, child.inode)
    if child is None or child.inode is not inode:
        child = here.attach(name, inode)
        ctx.vfs.remember(child)
    return child


def parent_of(here: Location, root: Location) -> Location:
    """Return where `..` leads: up through mounts, but not above `root`."""
    while here is not root:
        if here.parent is not None:
            return here.parent.topmost()
        point = here.mount.point
        if point is None:
            break
        here = point
    return here.topmost()
