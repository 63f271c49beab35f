"""A Debian root for i386, built once and kept in the cache; and a copy of it for chroot(1)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lbw_command import can_chroot

from lbw.chroot.build import Request, build
from lbw.chroot.default import MIRROR
from lbw.chroot.errors import ChrootError
from lbw.chroot.lock import FileLock
from lbw.host.dirs import data_dir


@pytest.fixture(scope="session")
def i386_root() -> Path:
    """The root that tests run programs of, and never write to: LBW_TEST_ROOT_I386, else one of our own."""
    named = os.environ.get("LBW_TEST_ROOT_I386")
    root = Path(named) if named else Path(data_dir(), "roots", "i386")
    if not named:
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(Path(f"{root}.lock")):
            if not (root / "usr").is_dir():
                mirror = os.environ.get("LBW_MIRROR")
                try:
                    build(Request(root, arch="i386", include=("perl-base",), mirror=mirror))
                except ChrootError:  # the sources of this host have nothing, or nothing consistent, for i386
                    build(Request(root, arch="i386", include=("perl-base",), mirror=MIRROR))
    return root


@pytest.fixture(scope="session")
def native_i386(i386_root, tmp_path_factory) -> Path | None:
    """A root to run programs natively in; None: this machine does not let us, or runs no 32-bit programs."""
    if not can_chroot():
        return None
    copy = tmp_path_factory.mktemp("native") / "root"
    subprocess.run(["cp", "-a", i386_root, copy], check=True)
    if subprocess.run(["chroot", copy, "/bin/true"], capture_output=True).returncode:
        return None
    return copy
