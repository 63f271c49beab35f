"""A host without openat, preadv or owners (Windows, imitated by taking them away) still runs the file system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
for name in ("preadv", "pwritev", "O_PATH", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_NONBLOCK", "O_NOCTTY",
             "O_SYNC", "O_DSYNC", "O_TMPFILE", "RWF_APPEND", "geteuid", "getegid", "fchmod", "fchown", "mknod",
             "getxattr", "setxattr", "listxattr", "removexattr", "SEEK_DATA", "SEEK_HOLE", "statvfs", "fdatasync"):
    if hasattr(os, name):
        delattr(os, name)
os.supports_dir_fd = set()
sys.modules["resource"] = sys.modules["fcntl"] = None
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.vfs import Vfs
from lbw.vfs import operations as op
from lbw.abi.errno import LinuxError
root = sys.argv[1]
os.symlink("/etc", root + "/out")
c = Vfs(HostFileSystem(root, ids="fake")).context()
op.mkdir(c, b"/d", 0o755)
f = op.open_file(c, b"/d/f", 0o102, 0o600).acquire()
assert f.write([memoryview(b"ab"), memoryview(b"cd")]) == 4
b = bytearray(9)
assert f.pread([memoryview(b)[:3], memoryview(b)[3:]], 1) == 3 and b[:3] == b"bcd"
f.release()
op.rename(c, b"/d", b"/e")
op.chown(c, op.resolve(c, b"/e/f"), 3, 4)
s = op.stat(c, b"/e/f")
assert (s.uid, s.gid, s.size) == (3, 4, 4)
op.symlink(c, b"/e", b"/l")
assert op.stat(c, b"/l/f").ino == s.ino
try:
    op.stat(c, b"/out/passwd")
except LinuxError as error:
    assert str(error) == "ENOENT"
else:
    raise AssertionError("escaped")
op.unlink(c, b"/l/f")
op.rmdir(c, b"/e")
print("fine")
"""


def test_without_the_calls_of_posix(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout == "fine\n", result.stderr
