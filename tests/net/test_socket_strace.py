"""strace of socket calls: addresses, flags, messages and what travels with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GUEST = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "unix" / "calls.c"

LINES = [
    "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3",
    'bind(3, {sa_family=AF_UNIX, sun_path="named"}, 8) = 0',
    "listen(3, 5) = 0",
    "socket(AF_UNIX, SOCK_STREAM, 0) = 4",
    'connect(4, {sa_family=AF_UNIX, sun_path="named"}, 110) = 0',
    "accept4(3, {sa_family=AF_UNIX}, [2], SOCK_NONBLOCK) = 5",
    'getpeername(4, {sa_family=AF_UNIX, sun_path="named"}, [8]) = 0',
    'bind(4, {sa_family=AF_UNIX, sun_path=@"abstract"}, 11) = 0',
    "socketpair(AF_UNIX, SOCK_DGRAM, 0, [6, 7]) = 0",
    "setsockopt(6, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0",
    "getsockopt(6, SOL_SOCKET, SO_TYPE, [2], [4]) = 0",
    'sendto(6, "text", 4, MSG_DONTWAIT|MSG_NOSIGNAL, NULL, 0) = 4',
    'recvfrom(7, "text", 16, MSG_PEEK|MSG_TRUNC, NULL, NULL) = 4',
    'recvfrom(7, "text", 16, 0, NULL, NULL) = 4',
    'sendmsg(6, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="vec", iov_len=3}], msg_iovlen=1, '
    "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[0]}], msg_controllen=24, "
    "msg_flags=0}, 0) = 3",
    'recvmsg(7, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="vec", iov_len=16}], msg_iovlen=1, '
    "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[8]}], msg_controllen=24, "
    "msg_flags=MSG_CMSG_CLOEXEC}, MSG_CMSG_CLOEXEC) = 3",
    'sendmmsg(6, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="vec", iov_len=3}], msg_iovlen=1, '
    "msg_controllen=0, msg_flags=0}}], 1, 0) = 1",
    'recvmmsg(7, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="vec", iov_len=3}], msg_iovlen=1, '
    "msg_controllen=0, msg_flags=0}, msg_len=3}], 1, MSG_WAITFORONE, NULL) = 1",
    "shutdown(5, SHUT_RDWR) = 0",
]


def test_lines(tmp_path):
    root = tmp_path / "root"
    for directory in ("tmp", "proc", "dev"):
        (root / directory).mkdir(parents=True)
    subprocess.run(["gcc", "-w", "-O1", "-static", "-o", str(root / "guest"), str(GUEST)], check=True)
    command = [sys.executable, "-m", "lbw", "run", "--root", str(root), f"--strace={tmp_path / 'trace'}", "/guest"]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    trace = [line.partition(" ")[2] for line in (tmp_path / "trace").read_text().splitlines()]
    begin = next(index for index, line in enumerate(trace) if line.startswith("socket("))
    assert trace[begin : begin + len(LINES)] == LINES
