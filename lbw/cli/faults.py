"""`lbw faults`: run a program, then list its segment accesses and what became of them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import TextIO

    from lbw.machine.sites import SegmentSite


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    from lbw.cli.run import add_options, run

    parser = subparsers.add_parser(
        "faults", help="run a program, then list its accesses to thread-local memory that trapped",
        usage="lbw faults [-o FILE] [--json] [OPTIONS of lbw run] PROGRAM [ARGS...]",
        description="Run PROGRAM as `lbw run` does. At its end list every instruction that reached memory through FS "
        "or GS: where it is, whether it is patched, and its bytes and disassembly beside those of its fragment.",
        epilog="Exit status: as of lbw run.  docs/fault-path.md explains the list.",
    )  # fmt: skip
    add = parser.add_argument
    add("-o", "--output", metavar="FILE", dest="faults", default="-", help="write the list there, not to stderr")
    add("--json", action="store_true", help="write it for programs to read")
    add_options(parser)
    parser.set_defaults(func=run)


def open_listing(path: str) -> TextIO:
    """Return the stream for a list: the host file `path`, or "-": standard error.  UsageError"""
    if path == "-":
        return sys.stderr
    from lbw.errors import UsageError

    try:
        return open(path, "w", encoding="utf-8", errors="replace", newline="\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write the list of faults to {path}: {reason}") from None


def write_listing(sites: list[SegmentSite], stream: TextIO, path: str, as_json: bool) -> None:
    """Write the list.  UsageError: the file cannot take it"""
    from lbw.errors import UsageError
    from lbw.trace.sites import write_json, write_text

    try:
        (write_json if as_json else write_text)(sites, stream)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write the list of faults to {path}: {error.strerror}") from None
