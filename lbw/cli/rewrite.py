"""`lbw rewrite`: do ahead of time, in the file, what the fault path would do."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lbw.faults.rewrite import RewriteResult


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "rewrite", help="rewrite a program or library for fewer faults",
        description="Rewrite the program or shared library IN (ELF, x86-64 or i386), so that accesses to thread-local "
        "memory do not fault when they are met for the first time. The result runs under lbw only.",
    )  # fmt: skip
    parser.add_argument("input", metavar="IN.elf")
    parser.add_argument("-o", "--output", metavar="OUT.elf", required=True, help="the file to write")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every place that was left, and why")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Rewrite a file; return 0."""
    from lbw.errors import RewriteError
    from lbw.faults.rewrite import rewrite_elf

    try:
        with open(args.input, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            data = file.read()
    except OSError as error:
        raise RewriteError(f"{args.input}: {error.strerror or error}") from None
    try:
        result = rewrite_elf(data)
    except RewriteError as error:
        raise RewriteError(f"{args.input}: {error}") from None
    _write(args.output, result.data, mode)
    show(args.input, result, args.verbose)
    return 0


def show(name: str, result: RewriteResult, verbose: bool) -> None:
    """Print what was done and what was left."""
    done, left = len(result.patched), len(result.left)
    print(f"{name}: {result.bits}-bit, {done + left} segment accesses, {done} rewritten, {left} left")
    for reason, count in sorted(result.reasons.items(), key=lambda item: -item[1]):
        print(f"{count:8}  {reason}")
    if result.syscalls:
        print(f"{name}: {len(result.syscalls)} system calls, left: they trap by themselves")
    if not done:
        print(f"{name}: nothing to rewrite, the output is the same file")
    if verbose:
        for address, mnemonic, reason in result.left:
            print(f"{address:#x}  {mnemonic}  {reason}")
        for address in result.syscalls:
            print(f"{address:#x}  system call  traps by itself")


def _write(path: str, data: bytes, mode: int) -> None:
    """Write a file as a whole or not at all.  RewriteError"""
    from lbw.errors import RewriteError

    temporary = f"{path}.{os.getpid()}"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:  # /dev/null and the like
                file.write(data)
            return
        with open(temporary, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as error:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise RewriteError(f"{path}: {error.strerror or error}") from None
