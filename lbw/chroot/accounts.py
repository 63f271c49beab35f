"""The account files that base-passwd's and passwd's postinst scripts make.

base-passwd ships master files with every static account of Debian; its postinst copies them, and passwd's moves the
passwords into shadow files (`shadowconfig on`).  All passwords are `*`: nobody can log in with one, while lbw starts
programs as root anyway.
"""

from __future__ import annotations

import time

from lbw.chroot.rootfs import RootTree

_MASTER = "usr/share/base-passwd"


def write_accounts(tree: RootTree, with_apt: bool) -> None:
    """Write /etc/passwd, group, shadow, gshadow, subuid and subgid; do not touch what is there."""
    users = _read(tree, f"{_MASTER}/passwd.master", ["root:*:0:0:root:/root:/bin/sh"])
    groups = _read(tree, f"{_MASTER}/group.master", ["root:*:0:", "nogroup:*:65534:"])
    if with_apt and not any(line.startswith("_apt:") for line in users):
        users.append("_apt:*:100:65534::/nonexistent:/usr/sbin/nologin")  # static (42) only since bookworm
    day = int(time.time()) // 86400
    gid = find_gid(groups, "shadow")
    _write(tree, "etc/passwd", [_shadowed(line) for line in users])
    _write(tree, "etc/group", [_shadowed(line) for line in groups])
    _write(tree, "etc/shadow", [f"{line.partition(':')[0]}:*:{day}:0:99999:7:::" for line in users], 0o640, gid)
    _write(tree, "etc/gshadow", [f"{line.partition(':')[0]}:*::" for line in groups], 0o640, gid)
    _write(tree, "etc/subuid", [])
    _write(tree, "etc/subgid", [])


def group_id(tree: RootTree, name: str) -> int:
    """Return the number of the group `name` in the root, 0 when it has none."""
    return find_gid(_read(tree, "etc/group", []), name)


def find_gid(groups: list[str], name: str) -> int:
    """Return the number of the group `name` in the lines of a group file, 0 when it is not there."""
    for line in groups:
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdecimal():
            return int(fields[2])
    return 0


def _read(tree: RootTree, name: str, default: list[str]) -> list[str]:
    try:
        return [line for line in tree.read(name).splitlines() if ":" in line]
    except FileNotFoundError:
        return default


def _shadowed(line: str) -> str:
    name, _, rest = line.partition(":")
    return f"{name}:x:{rest.partition(':')[2]}"


def _write(tree: RootTree, name: str, lines: list[str], mode: int = 0o644, gid: int = 0) -> None:
    if not tree.exists(name):
        tree.write(name, "".join(f"{line}\n" for line in lines), mode, 0, gid)
