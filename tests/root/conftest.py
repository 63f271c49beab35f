"""A copy of the Debian root for chroot(1), where the machine allows it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lbw_command import can_chroot


@pytest.fixture(scope="session")
def native_root(debian_root, tmp_path_factory) -> Path | None:
    """A root to run programs natively in; None: this machine does not let us."""
    if not can_chroot():
        return None
    copy = tmp_path_factory.mktemp("native") / "root"
    subprocess.run(["cp", "-a", debian_root, copy], check=True)
    return copy
