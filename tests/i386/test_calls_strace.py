"""strace of a 32-bit program: names and structures of i386."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GUEST = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "i386" / "strace.c"

LINES = [
    'open("/work/f", O_RDWR|O_CREAT|O_LARGEFILE, 0600) = 3',
    "ftruncate64(3, 5368709120) = 0",
    'pwrite64(3, "far", 3, 4294967296) = 3',
    'pread64(3, "far", 3, 4294967296) = 3',
    "fallocate(3, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4294967296, 4096) = 0",
    'stat64("/work/f", {st_mode=S_IFREG|0600, st_size=5368709120, ...}) = 0',
    'stat("/work/f", ADDRESS) = -1 EOVERFLOW (Value too large for defined data type)',
    'utimensat_time64(AT_FDCWD, "/work/f", [{tv_sec=5000000000, tv_nsec=1}, {tv_sec=1, tv_nsec=2}], 0) = 0',
    'utimensat(AT_FDCWD, "/work/f", [{tv_sec=-1, tv_nsec=1}, {tv_sec=1, tv_nsec=2}], 0) = 0',
    "mmap({addr=ADDRESS, len=4096, prot=PROT_READ, flags=MAP_PRIVATE|MAP_ANONYMOUS, fd=-1, offset=ADDRESS}) = ADDRESS",
    "mmap2(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, ADDRESS) = ADDRESS",
    "socketcall(SYS_SOCKET, [1, 2, 0]) = 4",
    "getrlimit(RLIMIT_CORE, {rlim_cur=0, rlim_max=2147483647}) = 0",
    "sigprocmask(SIG_BLOCK, [USR1], []) = 0",
    "sigaction(SIGUSR1, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}) = 0",
    'chown32("/work/f", -1, 70000) = 0',
    'chown("/work/f", -1, 7) = 0',
    "timer_delete(-1) = -1 EINVAL (Invalid argument)",
]


def test_lines(tmp_path):
    root = tmp_path / "root"
    for directory in ("work", "tmp", "proc", "dev"):
        (root / directory).mkdir(parents=True)
    subprocess.run(["gcc", "-m32", "-O1", "-static", "-o", str(root / "guest"), str(GUEST)], check=True)
    command = [sys.executable, "-m", "lbw", "run", "--root", str(root), f"--strace={tmp_path / 'trace'}", "/guest"]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0
    reports = process.stderr.splitlines()
    assert [re.sub(r".*unknown system call (\w+ \w+).*", r"\1", line) for line in reports] == [
        "9999 syscall_0x270f", "22 umount",
    ]  # fmt: skip
    trace = [line.partition(" ")[2] for line in (tmp_path / "trace").read_text().splitlines()]
    begin = next(index for index, line in enumerate(trace) if line.startswith('open("/work/f"'))
    shown = [re.sub(r"0x[0-9a-f]+", "ADDRESS", line) for line in trace[begin : begin + len(LINES)]]
    assert shown == LINES
