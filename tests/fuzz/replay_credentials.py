"""Random programs about users and groups: identities change, and files are tried."""

from __future__ import annotations

from hypothesis import strategies as st
from replay_files import O_NONBLOCK, any_of, call, mode, path, text

uid = any_of(-1, 0, 1, 1000, 1001)
groups = st.lists(st.sampled_from(["0", "1", "1000", "1001"]), max_size=3)
who = st.one_of(
    call("setresuid", uid, uid, uid), call("setresgid", uid, uid, uid), call("setuid", uid), call("setgid", uid),
    call("setreuid", uid, uid), call("setregid", uid, uid), call("setfsuid", uid), call("setfsgid", uid),
    groups.map(lambda chosen: f"N setgroups {len(chosen)} g{','.join(chosen)}"),
    call("prctl", 8, any_of(0, 1), 0, 0, 0), call("prctl", any_of(3, 7, 27, 30), 0, 0, 0, 0),
    call("prctl", 23, any_of(0, 7, 21, 63, 40), 0, 0, 0), call("prctl", 24, any_of(1, 7, 6), 0, 0, 0),
    call("prctl", 28, any_of(0, 1, 4, 0x10, 0x2f), 0, 0, 0), call("prctl", 47, any_of(1, 2, 3), any_of(0, 1, 7), 0, 0),
    call("prctl", 47, 4, 0, 0, 0), call("prctl", any_of(38, 39), any_of(0, 1), 0, 0, 0),
)  # fmt: skip
HEADER = "h2005082000000000"  # _LINUX_CAPABILITY_VERSION_3, this process


@st.composite
def capset(draw: st.DrawFn) -> str:
    masks = [draw(st.sampled_from([0, 1, 2, 0xC0, 0xFF, 0xFFFFFFFF])) for _ in range(3)]
    data = b"".join(mask.to_bytes(4, "little") for mask in masks) + bytes(12)
    return f"N capset {HEADER} h{data.hex()}"


tell = st.sampled_from([
    "N getresuid o4 o4 o4", "N getresgid o4 o4 o4", "N getuid", "N geteuid", "N getgid", "N getegid",
    "N getgroups 0 0", "N getgroups 10 r40", "N getgroups 1 o4", f"N capget {HEADER} o24", "N setfsuid -1",
    "N setfsgid -1",
])  # fmt: skip
use = st.one_of(
    call("open", path, any_of(*(flag | O_NONBLOCK for flag in (0, 1, 2, 0o102, 0o1002, 0o200000, 0o10000000))), mode),
    call("access", path, any_of(0, 1, 2, 4, 7)), call("faccessat2", -100, path, any_of(1, 2, 4, 7), any_of(0, 0x200)),
    call("chmod", path, mode), call("chown", path, uid, uid), call("lchown", path, uid, uid), call("mkdir", path, mode),
    call("unlink", path), call("rmdir", path), call("rename", path, path), call("link", path, path),
    call("symlink", path, path), call("mknod", path, any_of("010666", "020666", "0600"), 0), call("chdir", path),
    call("stat", path, "S"), call("lstat", path, "S"), call("truncate", path, any_of(0, 100)),
    call("readlink", path, "r50", 50),
    call("utimensat", -100, path, any_of("Q", 0, "Q1073741823"), 0), call("write", any_of(3, 4, 5), "y5", 5),
    call("ftruncate", any_of(3, 4), 3), call("fchmod", any_of(3, 4), mode), call("fchown", any_of(3, 4), uid, uid),
    call("setxattr", path, text("user.k"), "y5", 5, 0), call("getxattr", path, text("user.k"), "r10", 10),
    call("setxattr", path, text("trusted.k"), "y5", 5, 0), call("listxattr", path, "r90", 90),
    call("umask", any_of(0, "077")),
    call("kill", 1, 0), call("chroot", any_of(text("d"), text("m"))),
    call("sethostname", "x", any_of(1, 100)), call("close", any_of(3, 4)),
)  # fmt: skip
operation = st.one_of(who, who, tell, use, use, use)
begin = st.sampled_from([
    [], ["N setgroups 0 0", "N setresgid 1000 1000 1000", "N setresuid 1000 1000 1000"],
    ["N chown s642f62 1000 1000", "N chown s6d 1000 0", "N chmod s64 0777", "N setresuid -1 1000 -1"],
    ["N chmod s 01777", "N chown s64 1000 1000", "N chown s61 1001 1000", "N setgroups 1 g1000",
        "N setresuid 1000 1000 0"],
])  # fmt: skip
programs = st.builds(
    lambda first, then: ["N setgroups 0 0", *first, *then], begin, st.lists(operation, min_size=1, max_size=40)
)
