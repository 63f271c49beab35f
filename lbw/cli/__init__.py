"""The command line. One file per subcommand; only the one that is called is imported.

Exit status: the program's own; 128+N when signal N ended it; 125 when lbw itself failed, 126 when the program cannot be
executed, 127 when there is none, as env(1) has it.
"""

from __future__ import annotations

import sys

from lbw.errors import LbwError
from lbw.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

COMMANDS = {
    "run": "run a program of a Debian root",
    "faults": "run a program, then list its accesses to thread-local memory that trapped",
    "chroot": "build, list and remove Debian roots",
    "rewrite": "rewrite a program or library for fewer faults",
    "doctor": "tell what this host offers, and what is missing",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from lbw.host.stdio import occupy_standard

    occupy_standard()  # before anything opens a file, which would get the number of a closed stream
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _main(words)
    except LbwError as error:
        print(f"lbw: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_stdout()
        return 141


def _main(words: list[str]) -> int:
    import argparse
    from importlib import import_module

    class Parser(argparse.ArgumentParser):
        """Usage errors leave with 125: 1 and 2 may be the guest program's own."""

        def error(self, message: str) -> None:  # type: ignore[override]
            self.print_usage(sys.stderr)
            print(f"lbw: {message}", file=sys.stderr)
            sys.exit(125)

    parser = Parser(prog="lbw", description="Run unmodified Linux programs anywhere Python runs.")
    parser.add_argument("--version", action="version", version=f"lbw {VERSION}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    wanted = words[0] if words and words[0] in COMMANDS else None
    for name, description in COMMANDS.items():
        if wanted in (None, name):
            import_module(f"lbw.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=description)
    if wanted in ("run", "faults"):
        from lbw.cli.run import split

        own, rest = split(words[1:])
        args: argparse.Namespace = parser.parse_args([wanted, *own])
        args.arguments = rest
    else:
        args = parser.parse_args(words)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 125
    status: int = args.func(args)
    return status


def _forget_stdout() -> None:
    """Let Python's own flush at exit go nowhere: the reader of our output has gone."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
