"""`lbw chroot`: build, list and remove Debian roots."""

from __future__ import annotations

import argparse
import sys


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("chroot", help="build, list and remove Debian roots", description=__doc__)
    commands = parser.add_subparsers(dest="chroot_command", required=True, metavar="COMMAND")

    create = commands.add_parser("create", help="build a root", description=(
        "Build a Debian root at DIR, without administrator rights and without running any maintainer script."
    ))  # fmt: skip
    create.add_argument("directory", metavar="DIR", help="where the root shall be; must not exist or be empty")
    create.add_argument("--variant", default="shell", choices=("shell", "minbase"), help="package set (%(default)s)")
    create.add_argument("--include", action="append", default=[], metavar="PKG,...", help="more packages")
    create.add_argument("--suite", default="bookworm", help="Debian release (%(default)s)")
    create.add_argument("--mirror", metavar="URL", help="take packages from here instead of the host's apt sources")
    create.add_argument("--arch", default="amd64", choices=("amd64", "i386"), help="architecture (%(default)s)")
    create.add_argument("--allow-unsigned", action="store_true", help="trust the archive without a signature")
    create.add_argument("--keyring", metavar="FILE", help="the keys that may sign the archive")
    create.add_argument("--quiet", action="store_true", help="no progress")
    create.set_defaults(func=run, chroot_func=_create)

    listing = commands.add_parser("list", help="show the roots that were built")
    listing.set_defaults(func=run, chroot_func=_list)

    remove = commands.add_parser("remove", help="delete a root that lbw built")
    remove.add_argument("root", metavar="NAME|DIR", help="its name in `lbw chroot list`, or its path")
    remove.set_defaults(func=run, chroot_func=_remove)


def run(args: argparse.Namespace) -> int:
    """Do what `args` says; return the exit status.  Errors are LbwErrors, for the caller to print."""
    status: int = args.chroot_func(args)
    return status


def _create(args: argparse.Namespace) -> int:
    from lbw.chroot import create_root
    from lbw.chroot.build import Terminated
    from lbw.chroot.progress import TerminalProgress, WarningsOnly

    include = [name for group in args.include for name in group.split(",") if name]
    try:
        manifest = create_root(
            args.directory,
            variant=args.variant,
            include=include,
            suite=args.suite,
            mirror=args.mirror,
            arch=args.arch,
            allow_unsigned=args.allow_unsigned,
            keyring=args.keyring,
            progress=WarningsOnly() if args.quiet else TerminalProgress(),
        )
    except KeyboardInterrupt as interrupt:
        print("lbw: interrupted; no root was made, the downloads are kept", file=sys.stderr)
        return 128 + int(interrupt.args[0]) if isinstance(interrupt, Terminated) else 130
    print(f"{manifest.path}: {len(manifest.packages)} packages, {manifest.size / 1e6:.0f} MB")
    return 0


def _list(args: argparse.Namespace) -> int:
    from lbw.chroot import list_roots

    manifests = list_roots()
    if not manifests:
        print("no roots; `lbw chroot create DIR` builds one")
        return 0
    rows = [("NAME", "VARIANT", "SUITE", "ARCH", "SIZE", "CREATED", "PACKAGES", "PATH")]
    for root in manifests:
        created = root.created.replace("T", " ")[:16]
        size = f"{root.size / 1e6:.0f} MB"
        rows.append((root.name, root.variant, root.suite, root.arch, size, created, str(len(root.packages)), root.path))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _remove(args: argparse.Namespace) -> int:
    from lbw.chroot import remove_root

    print(f"removed {remove_root(args.root).path}")
    return 0
