"""Random programs about files: descriptors, contents, names and attributes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lbw.abi.fcntl import AT_FDCWD


def text(value: str) -> str:
    """Return a string argument."""
    return "s" + value.encode().hex()


def call(name: str, *arguments: SearchStrategy[str] | str | int) -> SearchStrategy[str]:
    """Return a line for a system call with drawn arguments."""
    parts = [a if isinstance(a, SearchStrategy) else st.just(str(a)) for a in arguments]
    return st.tuples(*parts).map(lambda drawn: " ".join(["N", name, *drawn]))


def any_of(*values: object) -> SearchStrategy[str]:
    """Return one of the values, as a word."""
    return st.sampled_from([str(value) for value in values])


def bits(*flags: int, most: int = 2) -> SearchStrategy[int]:
    """Return an OR of few flags."""
    return st.lists(st.sampled_from(flags), max_size=most).map(lambda chosen: sum(set(chosen)))


NAMES = ["a", "d/b", "d/e/c", "l", "d/u", "loop", "dangling", "p", "d", "d/e", "m", "n", "d/n", "m/n", "n/o"]
ODD = [".", "..", "", "a/", "d/", "l/", "n/", "d/e/", "d/./b", "d/../a", "d/e/..", "loop/a", "a/b", "dangling/",
    "x" * 255,
       "x" * 256, "p/", "/a", "/d/e/c", "//", "m/.", "d//e//c", "./n", "nothing", "u", "c", "b", "e"]  # fmt: skip
path = st.one_of(any_of(*map(text, NAMES)), any_of(*map(text, NAMES)), any_of(*map(text, NAMES + ODD)))
directory = any_of(*map(text, ["d", "d/e", "m", ".", "n", "d/n", "a", "loop", "", ".."]))
fd = st.one_of(any_of(3, 4, 5), any_of(3, 4, 5, 6, 7, 8, 9, -1))
at = any_of(AT_FDCWD, AT_FDCWD, AT_FDCWD, 3, 4, 5, -1)
length = any_of(0, 1, 5, 7, 100, 4095, 4096, 4097, 5000, 65535, 65536, 65537, 70000)
small = any_of(0, 1, 5, 7, 100, 4096)
offset = any_of(0, 1, 3, 5, 4095, 4096, 6000, 65535, 65536, 69999, 70000, 80000, -1, -5)
mode = any_of("0644", "0755", "0", "0600", "0777", "04755", "02770", "01777", "0111")
owner = any_of(-1, 0, 1, 1000)
O_NONBLOCK = 0o4000
open_flags = st.builds(
    lambda access, extra: str(access | sum(set(extra)) | O_NONBLOCK),
    st.sampled_from([0, 1, 2, 2, 0, 2, 3]),
    st.lists(
        st.sampled_from([0o100, 0o100, 0o200, 0o1000, 0o2000, 0o200000, 0o400000, 0o10000000, 0o20200000, 0o2000000]),
        max_size=3,
    ),
)
output = st.one_of(length.map("r{}".format), length.map("e{}".format))


@st.composite
def reading(draw: st.DrawFn, name: str) -> str:
    """A call that fills a buffer: the buffer's size and the count agree, or a page is missing at its end."""
    size = int(draw(length))
    extra = draw(st.sampled_from([0, 0, 0, 0, 1, 5000]))
    word = f"e{size} {size + extra}" if extra else f"r{size} {size}"
    return f"N {name} {draw(fd)} {word}" + (f" {draw(offset)}" if name == "pread64" else "")


@st.composite
def writing(draw: st.DrawFn, name: str) -> str:
    """A call that takes a buffer."""
    size = int(draw(length))
    extra = draw(st.sampled_from([0, 0, 0, 0, 1, 5000]))
    word = f"e{size} {size + extra}" if extra else f"y{size} {size}"
    return f"N {name} {draw(fd)} {word}" + (f" {draw(offset)}" if name == "pwrite64" else "")


@st.composite
def vectored(draw: st.DrawFn, name: str, kind: str) -> str:
    sizes = draw(st.lists(length, max_size=3))
    words = ["N", name, draw(fd), kind + ",".join(sizes), str(len(sizes))]
    if name.startswith("p"):
        words += [draw(offset), "0"]
    if name.endswith("2"):
        words.append(draw(any_of(0, 0, 2, 0x10, 0x20, 0x30, 0x1000)))
    return " ".join(words)


@st.composite
def file_lock(draw: st.DrawFn) -> str:
    """A struct flock through fcntl."""
    kind, whence = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    start, extent = (draw(st.sampled_from([0, 1, 5, 100, -1, 70000])) for _ in range(2))
    data = kind.to_bytes(2, "little") + whence.to_bytes(2, "little") + bytes(4)
    data += start.to_bytes(8, "little", signed=True) + extent.to_bytes(8, "little", signed=True) + bytes(8)
    return f"N fcntl {draw(fd)} {draw(any_of(5, 6, 36, 37))} h{data.hex()}"


opening = st.one_of(
    call("open", path, open_flags, mode),
    call("open", path, str(2 | O_NONBLOCK)),
    call("openat", at, path, open_flags, mode),
)
contents = st.one_of(
    reading("read"), reading("read"), reading("pread64"), writing("write"), writing("write"), writing("pwrite64"),
    vectored("readv", "V"), vectored("writev", "v"), vectored("preadv", "V"), vectored("pwritev", "v"),
    vectored("preadv2", "V"), vectored("pwritev2", "v"),
    call("lseek", fd, offset, any_of(0, 1, 2, 3, 4, 5)),
    call("ftruncate", fd, offset), call("truncate", path, offset),
    call("fallocate", fd, any_of(0, 0, 1, 2, 3, 8, 0x10, 0x11, 0x20, 0x40, 4), offset, offset),
    call("copy_file_range", fd, any_of(0, "q0", "q5", "q4096"), fd, any_of(0, "q0", "q3", "q65536"), length,
        any_of(0, 0, 1)),
    call("sendfile", fd, fd, any_of(0, "q0", "q5", "q4096", "q-1", "x"), length),
    call("splice", fd, any_of(0, 0, "q0", "q5"), fd, any_of(0, 0, "q0", "q5"), length, any_of(2, 3)),
    call("fadvise64", fd, offset, offset, any_of(0, 1, 4, 9)), call("readahead", fd, offset, length),
    call("fsync", fd), call("fdatasync", fd), call("sync_file_range", fd, offset, offset, any_of(0, 2, 7, 8)),
    call("syncfs", fd),
)  # fmt: skip
descriptors = st.one_of(
    call("dup", fd), call("dup2", fd, any_of(3, 4, 5, 9)), call("dup3", fd, any_of(3, 4, 9), any_of(0, 0o2000000, 1)),
    call("close", fd),
    call("fcntl", fd, any_of(3, 1, 4, 1032, 11, 9, 1025, 77), any_of(0)),
    call("fcntl", fd, any_of(2), any_of(0, 1)),
    call("fcntl", fd, any_of(4), any_of(O_NONBLOCK, O_NONBLOCK | 0o2000, O_NONBLOCK | 0o100000, O_NONBLOCK | 1)),
    call("fcntl", fd, any_of(0, 1030), any_of(0, 3, 10, -1)),
    call("pipe2", "o8", any_of(O_NONBLOCK, O_NONBLOCK | 0o2000000, 1)),
    call("memfd_create", any_of(text("m"), text("")), any_of(0, 1, 2, 32)),
    call("ioctl", fd, any_of(0x541B), "o4"), call("ioctl", fd, any_of(0x5421), "G0"),
    call("ioctl", fd, any_of(0x5401), "o36"),
    call("flock", fd, any_of(5, 6, 12, 4, 8, 3)), file_lock(),
    call("close_range", any_of(4, 8, 3), any_of(5, 9, 2), any_of(0, 4, 8)),
)  # fmt: skip
names = st.one_of(
    call("link", path, path), call("linkat", at, path, at, path, any_of(0, 0x400, 0x1000, 1)),
    call("symlink", path, path), call("symlinkat", path, at, path),
    call("unlink", path), call("unlinkat", at, path, any_of(0, 0, 0x200, 1)),
    call("rename", path, path), call("renameat2", at, path, AT_FDCWD, path, any_of(0, 1, 2, 3, 8)),
    call("mkdir", path, mode), call("mkdirat", at, path, mode), call("rmdir", path),
    call("mknod", path, any_of("010644", "0100600", "020666", "0644", "040755", "0140644", "0120777"), any_of(0,
        0x103)),
    call("readlink", path, any_of("r100 100", "r2 2", "r0 0", "r10 -1")),
    call("readlinkat", at, path, any_of("r100 100", "r2 2")),
    call("chdir", directory), call("fchdir", fd), call("getcwd", any_of("r64 64", "r2 2", "x 64")),
    call("getdents64", fd, any_of("d4096 4096", "d4096 4096", "d8 8", "x 4096")),
    call("umask", any_of(0, "022", "077")),
)  # fmt: skip
attributes = st.one_of(
    call("chmod", path, mode), call("fchmod", fd, mode), call("fchmodat", at, path, mode),
    call("fchmodat2", at, path, mode, any_of(0, 0x100, 0x1000)),
    call("chown", path, owner, owner), call("lchown", path, owner, owner), call("fchown", fd, owner, owner),
    call("fchownat", at, path, owner, owner, any_of(0, 0x100, 0x1000, 0x1100, 1)),
    call("access", path, any_of(0, 1, 2, 4, 7, 8)),
    call("faccessat2", at, path, any_of(0, 2, 5), any_of(0, 0x100, 0x200, 0x1000)),
    call("utimensat", at, path, any_of("Q", "Q1073741823", "Q1073741822", "Q-1", "Q1000000000", "0", "x"), any_of(0,
        0x100, 0x1000, 1)),
    call("utimensat", fd, any_of(0), any_of("Q", "0"), any_of(0)),
    call("stat", path, "S"), call("lstat", path, "S"), call("fstat", fd, "S"),
    call("newfstatat", at, path, "S", any_of(0, 0x100, 0x1000, 0x800, 1)),
    call("statx", at, path, any_of(0, 0x100, 0x1000, 0x2000, 0x6000), any_of(0x7ff, 0, 1, 0x200, 0x80000000), "X"),
    call("setxattr", path, any_of(text("user.k"), text("trusted.k"), text("k"), text("other.k"), text("user.")),
        "y5", any_of(5, 0), any_of(0, 1, 2, 3)),
    call("fsetxattr", fd, any_of(text("user.k"), text("user.z")), "y5", any_of(5, 0), any_of(0, 1, 2)),
    call("getxattr", path, any_of(text("user.k"), text("trusted.k"), text("k")), any_of("r10 10", "r2 2", "0 0")),
    call("fgetxattr", fd, any_of(text("user.k")), any_of("r10 10", "r2 2", "0 0")),
    call("lgetxattr", path, any_of(text("user.k"), text("trusted.k")), any_of("r10 10")),
    call("listxattr", path, any_of("r100 100", "r2 2", "0 0")), call("flistxattr", fd, any_of("r100 100")),
    call("removexattr", path, any_of(text("user.k"))), call("fremovexattr", fd, any_of(text("user.k"))),
    call("lsetxattr", path, any_of(text("user.k"), text("trusted.k")), "y3", any_of(3), any_of(0)),
)  # fmt: skip
operation = st.one_of(opening, opening, opening, contents, contents, contents, descriptors, names, attributes)
begin = st.sampled_from([
    ["N open s61 2050 0", "N open s6e 2114 0644", "N openat -100 s64 0 0"],
    ["N open s642f652f63 2 0", "N open s642f62 2050 0", "N pipe2 o8 2048"],
    ["N open s70 2050 0", "N open s2e 4259842 0600", "N memfd_create s6d 0"],
    [],
])  # fmt: skip
programs = st.builds(lambda first, then: first + then, begin, st.lists(operation, min_size=1, max_size=40))
