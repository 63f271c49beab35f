"""The command line as a user has it: `lbw run ...` in a process of its own, and the same program in a native chroot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "chroot_fixtures"

#: What a login of the guest's root sets; both sides get exactly this.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash", "TERM": "dumb",
}  # fmt: skip

#: Mounts on the root `$1` what lbw mounts, in a mount namespace of its own, and runs `$2...` in it.
NATIVE = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 none "$root/dev"
node() { mknod -m 666 "$root/dev/$1" c "$2" "$3"; }
node null 1 3; node zero 1 5; node full 1 7; node random 1 8; node urandom 1 9; node tty 5 0
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"; ln -s fd/1 "$root/dev/stdout"; ln -s fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev,mode=1777 none "$root/tmp"
mount -t tmpfs -o nosuid,nodev,mode=755 none "$root/run"
ulimit -n 1024; ulimit -c 0; umask 022
cd "$root"
exec chroot "$root" /bin/sh -c 'cd; exec "$@"' sh "$@"
"""


class Outcome:
    """Status and output of a program."""

    def __init__(self, process: subprocess.CompletedProcess[bytes]) -> None:
        code = process.returncode
        self.status = 128 - code if code < 0 else code  # as a shell reports signals
        self.output = process.stdout.decode(errors="replace")
        self.errors = process.stderr.decode(errors="replace")

    def __repr__(self) -> str:
        return f"status {self.status}\n--- output\n{self.output}\n--- errors\n{self.errors}"


def command(*words: str | Path) -> list[str]:
    """Return the host's command for `lbw WORDS`."""
    return [sys.executable, "-m", "lbw", *map(str, words)]


def host_environment(**more: str) -> dict[str, str]:
    """Return the environment of lbw itself."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE" and not k.startswith("LBW_")}
    environment.update(TERM="dumb", PYTHONPATH=str(REPOSITORY), **more)
    return environment


def lbw(*words: str | Path, stdin: bytes = b"", timeout: float = 100, env: dict[str, str] | None = None) -> Outcome:
    """Run `lbw WORDS`."""
    return Outcome(
        subprocess.run(
            command(*words), input=stdin, capture_output=True, timeout=timeout,
            env=host_environment(**(env or {})), start_new_session=True,
        )
    )  # fmt: skip


def in_root(root: Path, *words: str, stdin: bytes = b"", options: tuple[str, ...] = ()) -> Outcome:
    """Run a program of `root`, which stays as it is."""
    return lbw("run", "--root", root, "--overlay", "-e", "SHELL=/bin/bash", *options, *words, stdin=stdin)


def natively(root: Path, *words: str, stdin: bytes = b"") -> Outcome:
    """Run a program of `root` by chroot(1). Only for root, and with a root that may be written to."""
    namespace = ["unshare", "--mount", "--propagation", "private"]
    return Outcome(
        subprocess.run(
            [*namespace, "sh", "-c", NATIVE, "sh", str(root), *words],
            input=stdin, capture_output=True, timeout=100, env=ENVIRONMENT, start_new_session=True,
        )
    )  # fmt: skip


def can_chroot() -> bool:
    """Whether `natively` works on this machine."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    probe = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True).returncode == 0
