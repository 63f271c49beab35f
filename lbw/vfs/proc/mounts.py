"""The mount table as text: mounts, mountinfo.  man 5 fstab, proc"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.vfs.mount import Mount
    from lbw.vfs.proc.process import TaskEntry


def escape(text: bytes) -> bytes:
    """Return `text` with blanks, tabs, newlines, backslashes and hashes in octal."""
    for byte in b"\\ \t\n#":
        text = text.replace(bytes((byte,)), b"\\%03o" % byte)
    return text


def _visible(entry: TaskEntry) -> Iterator[tuple[Mount, bytes]]:
    """Yield the mounts below the task's root, and where they are as the task sees it."""
    from lbw.vfs.operations import path_of

    ctx = entry.view.fs
    if ctx is None:
        raise LinuxError(EINVAL)  # a zombie sees no mounts
    for mount in ctx.vfs.mounts():
        path = b"/" if mount.root is ctx.root else path_of(ctx, mount.root)
        if not path.startswith(b"(unreachable)"):
            yield mount, path


def mounts(entry: TaskEntry) -> bytes:
    """Return one line per mount, as fstab(5) has them."""
    return b"".join(
        [
            b"%s %s %s %s 0 0\n"
            % (escape(mount.source), escape(path), mount.fs.type_name.encode(), mount.options().encode())
            for mount, path in _visible(entry)
        ]
    )


def mountinfo(entry: TaskEntry) -> bytes:
    """Return one line per mount: number, parent, device, root, place, options, type, source, file system options."""
    lines = []
    for mount, path in _visible(entry):
        device = mount.fs.dev
        number = b"%d:%d" % (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)
        parent = mount.point.mount.id if mount.point is not None else mount.id
        here = b"%d %d %s / %s %s" % (mount.id, parent, number, escape(path), mount.options().encode())
        access = b"ro" if mount.fs.read_only else b"rw"
        lines.append(b"%s - %s %s %s\n" % (here, mount.fs.type_name.encode(), escape(mount.source), access))
    return b"".join(lines)
