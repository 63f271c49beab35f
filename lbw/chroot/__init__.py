"""Build, list and remove Debian roots, without administrator rights and without running a maintainer script.

A root is made in this order, one file per step:

    sources     where to take packages from: the host's apt sources or a mirror
    release     fetch and verify InRelease; only what is signed is believed
    packages    index the Packages files, parse only the records that are used
    resolve     the closure of the wanted packages under Depends and Pre-Depends
    download    fetch the .debs into the cache, in parallel, resumable, every checksum verified
    unpack      lay the files out under the root (`rootfs` keeps them inside, `ownership` owns them)
    configure   the effects of the postinst scripts, done by hand
    build       all of this, atomically
    registry    which roots there are

This file imports nothing heavy: `lbw run` asks `lbw.chroot.default` for the default root at every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from lbw.chroot.progress import Progress
    from lbw.chroot.registry import Manifest

__all__ = ["create_root", "default_root", "list_roots", "remove_root"]


def create_root(
    directory: str | os.PathLike[str],
    *,
    variant: str = "shell",
    include: Sequence[str] = (),
    suite: str = "bookworm",
    mirror: str | None = None,
    arch: str = "amd64",
    allow_unsigned: bool = False,
    keyring: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Build a Debian root at `directory`, which must not exist or be empty; return its manifest.

    Either the whole root appears at `directory` or nothing does; downloads stay in the cache, so that the next try
    resumes.  `variant` is a key of `lbw.chroot.variants.VARIANTS`; `include` names more packages.  Without `mirror` the
    host's apt sources are read.  `keyring` overrides the host's archive keyrings; `allow_unsigned` trusts the archive
    without any signature.

    Raises the errors of `lbw.chroot.errors`, all of them ChrootError; KeyboardInterrupt passes after cleaning up.
    """
    from pathlib import Path

    from lbw.chroot.build import Request, build

    request = Request(
        directory=Path(directory),
        variant=variant,
        include=tuple(include),
        suite=suite,
        mirror=mirror,
        arch=arch,
        allow_unsigned=allow_unsigned,
        keyring=None if keyring is None else Path(keyring),
    )
    return build(request, progress)


def list_roots() -> list[Manifest]:
    """Return the manifests of all registered roots that still exist, oldest first."""
    from lbw.chroot.registry import load

    return load()


def remove_root(name: str) -> Manifest:
    """Delete the root called `name` (a registered name or a path), its database and its manifest.

    Raises ChrootError when it is not a root made by lbw, or when something is mounted inside.
    """
    from lbw.chroot.registry import remove

    return remove(name)


def default_root(progress: Progress | None = None) -> str:
    """Return the default root, building it on first use.  See `lbw.chroot.default`."""
    from lbw.chroot.default import default_root as implementation

    return implementation(progress)
