"""Who is measured: lbw, the bare machine, and other ways to run a Linux program without being its kernel.

A peer says how to start a program of a root.  `command` returns None for what the peer cannot do at all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent


class Peer:
    """A way to run programs of a root."""

    name = ""
    children = True  # can a guest start other programs?

    def available(self) -> str | None:
        """Return its version, or None when it is not installed here."""
        raise NotImplementedError

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        """Return the host command that runs `program`, a path inside `root`."""
        raise NotImplementedError


class Lbw(Peer):
    name = "lbw"

    def available(self) -> str | None:
        from lbw.version import VERSION

        return VERSION

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        return [sys.executable, "-m", "lbw", "run", "--root", str(root), program, *arguments]


class Native(Peer):
    """The host's own kernel; what is linked dynamically runs under chroot, which takes root."""

    name = "native"

    def available(self) -> str | None:
        if sys.platform != "linux" or os.uname().machine != "x86_64":
            return None
        return ".".join(os.uname().release.split(".")[:2])

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        if os.geteuid() == 0 and shutil.which("chroot"):
            return ["chroot", str(root), program, *arguments]
        if shutil.which("unshare"):
            return ["unshare", "--user", "--map-root-user", f"--root={root}", "--wd=/", program, *arguments]
        return None


class QemuUser(Peer):
    """QEMU's user mode.  With `-L` it looks for the dynamic linker and files in the root, not for programs to exec."""

    name = "qemu-user"
    children = False

    def available(self) -> str | None:
        return printed_version(["qemu-x86_64", "--version"])

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        return ["qemu-x86_64", "-L", str(root), str(root) + program, *arguments]


class Proot(Peer):
    """ptrace, without emulating the processor."""

    name = "proot"

    def available(self) -> str | None:
        return printed_version(["proot", "--version"])

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        return ["proot", "-r", str(root), "-w", "/", program, *arguments]


class Qiling(Peer):
    """Unicorn as a flat memory, with hooks in Python."""

    name = "qiling"
    children = False  # its fork is the host's, and its execve does not start dynamic programs

    def available(self) -> str | None:
        try:
            return version("qiling") if find_spec("qiling") else None
        except PackageNotFoundError:
            return None

    def command(self, root: Path, program: str, *arguments: str) -> list[str] | None:
        return [sys.executable, str(HERE / "qiling_peer.py"), str(root), str(root) + program, *arguments]


def printed_version(command: list[str]) -> str | None:
    """Return the first version number in what the command prints; None when it cannot be run."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+)+", output)
    return found.group() if found else "of unknown version"


PEERS: tuple[Peer, ...] = (Lbw(), Native(), QemuUser(), Proot(), Qiling())
