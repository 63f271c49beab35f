"""`lbw run`: run a program of a root."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from lbw.machine import Bind

#: Options that take the next word as their value.
VALUED = {
    "--root", "-w", "--workdir", "-e", "--env", "-u", "--user", "-b", "--bind", "--memory", "--hostname", "--segments",
    "-o", "--output",
}  # fmt: skip
#: Options that may have a value, behind "=" only.
OPTIONAL = ("--strace=", "--faults=", "--deterministic=")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    import argparse

    parser = subparsers.add_parser(
        "run", help="run a program of a Debian root", usage="lbw run [OPTIONS] PROGRAM [ARGS...]",
        description="Run PROGRAM of a Linux root; without --root, of the default Debian root, made on the first run.",
        epilog="Exit status: the program's; 128+N when signal N ended it; 125 for errors of lbw, 126 when PROGRAM "
        "cannot be executed, 127 when it is not found.",
    )  # fmt: skip
    add_options(parser)
    add = parser.add_argument
    add("--faults", action="store_const", const="-",
        help="list at the end which accesses to thread-local memory trapped, on stderr; --faults=FILE: in FILE",
    )  # fmt: skip
    add("--faults-to", dest="faults", help=argparse.SUPPRESS)
    parser.set_defaults(func=run, json=False)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lbw run` that tell what to run, and how."""
    import argparse

    add = parser.add_argument
    add("--root", metavar="DIR", help="the root; / is this Linux host's own and implies --overlay")
    add("-w", "--workdir", metavar="DIR", help="working directory of the program (default: the user's home)")
    add("-e", "--env", metavar="K=V", action="append", default=[],
        help="set a variable; K alone passes the host's value on")  # fmt: skip
    add("-u", "--user", metavar="USER[:GROUP]", help="run as this user of the root, name or number (default: root)")
    add("-b", "--bind", metavar="HOST[:GUEST[:ro]]", action="append", default=[], help="show a host directory")
    add("--overlay", action="store_true", help="throw all changes to the root away at the end")
    add("--memory", metavar="SIZE", help="memory of the guest, like 512M or 4G (default: 4G)")
    add("--strace", action="store_const", const="-", help="trace system calls on stderr; --strace=FILE: in FILE")
    add("--strace-to", dest="strace", help=argparse.SUPPRESS)
    add("--stats", action="store_true", help="tell at the end what happened")
    add("--strict", action="store_true", help="stop at the first unknown system call or instruction, with a dump")
    add("--segments", metavar="MODE", default="patch",
        help="thread-local memory: patch (default), fault (trap each time), base (no fault path)")  # fmt: skip
    add("--deterministic", action="store_const", const="0",
        help="a run repeats exactly: virtual time, turns counted in traps; --deterministic=SEED: another interleaving",
    )  # fmt: skip
    add("--deterministic-to", dest="deterministic", help=argparse.SUPPRESS)
    add("--hostname", metavar="NAME", help="host name of the guest (default: lbw)")
    add("program", metavar="PROGRAM", nargs="?")
    add("arguments", metavar="ARGS", nargs="...", help="arguments of the program")


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what argparse is to look at, PROGRAM included, and PROGRAM's arguments, which only look like options.

    `--strace=FILE` is spelled so that argparse can tell it from `--strace PROGRAM`.
    """
    own = []
    index = 0
    while index < len(words) and words[index].startswith("-") and words[index] != "--":
        word = words[index]
        if word.startswith(OPTIONAL):
            name, _, value = word.partition("=")
            own += [f"{name}-to", value]
        else:
            own.append(word)
            if word in VALUED or (word[2:] and any(option.startswith(word) for option in VALUED)):  # abbreviated
                own += words[index + 1 : index + 2]
                index += 1
        index += 1
    end = index + (2 if words[index : index + 1] == ["--"] else 1)
    return own + words[index:end], words[end:]


def run(args: argparse.Namespace) -> int:
    """Run the program; return the exit status."""
    from lbw.errors import UsageError
    from lbw.machine import Machine

    if args.program is None:
        raise UsageError("which program? Try: lbw run /bin/sh")
    binds = [parse_bind(text) for text in args.bind]
    memory = parse_size(args.memory) if args.memory is not None else None
    root = args.root
    if root is None:
        from lbw.chroot.default import default_root

        root = default_root()
    machine = Machine(
        root, binds=binds, overlay=args.overlay, memory=memory, strace=args.strace, strict=args.strict,
        hostname=args.hostname, segments=args.segments, deterministic=parse_seed(args.deterministic),
    )  # fmt: skip
    listing = None
    try:
        if args.faults is not None:
            from lbw.cli.faults import open_listing

            listing = open_listing(args.faults)
        result = machine.run(
            [args.program, *args.arguments], env=parse_environment(args.env), cwd=args.workdir, user=args.user
        )
        if args.stats:
            import sys

            print(machine.stats(), file=sys.stderr)
        if listing is not None:
            from lbw.cli.faults import write_listing

            write_listing(machine.sites(), listing, args.faults, args.json)
    finally:
        machine.close()
        if listing is not None and args.faults != "-":
            from contextlib import suppress

            with suppress(OSError):  # it was told already
                listing.close()
    return result.status


def parse_seed(text: str | None) -> int | None:
    """Return the number that `--deterministic` has, if it was given.  UsageError"""
    from lbw.errors import UsageError

    try:
        return int(text, 0) if text is not None else None
    except ValueError:
        raise UsageError(f"--deterministic takes a number, not {text!r}") from None


def parse_size(text: str) -> int:
    """Return a size in bytes: a number with K, M, G or T.  UsageError"""
    from lbw.errors import UsageError

    number = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = number[-1:] if number[-1:].isalpha() else ""
    try:
        size = float(number.removesuffix(unit)) * _UNITS[unit]
        if not 0 < size < 1 << 46:
            raise ValueError
    except (KeyError, ValueError, OverflowError):
        raise UsageError(f"not a size: {text!r}; try something like 512M or 4G") from None
    return int(size)


def parse_environment(words: list[str]) -> dict[str, str]:
    """Return the variables of `-e K=V`, and of `-e K` those that the host has.  UsageError"""
    import os

    from lbw.errors import UsageError

    result = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name:
            raise UsageError(f"not a variable: {word!r}")
        if equals:
            result[name] = value
        elif name in os.environ:
            result[name] = os.environ[name]
    return result


def parse_bind(text: str) -> Bind:
    """Return the bind mount HOST[:GUEST[:ro]].  UsageError"""
    import os

    from lbw.errors import UsageError
    from lbw.machine import Bind

    drive, rest = os.path.splitdrive(text)  # C:\dir:/guest
    parts = rest.split(":")
    parts[0] = drive + parts[0]
    read_only = False
    if len(parts) == 3:
        if parts[2] not in ("ro", "rw"):
            raise UsageError(f"not a bind mount: {text!r} (HOST[:GUEST[:ro]])")
        read_only = parts.pop() == "ro"
    if len(parts) > 2 or not parts[0]:
        raise UsageError(f"not a bind mount: {text!r} (HOST[:GUEST[:ro]])")
    guest = parts[1] if len(parts) == 2 else os.path.abspath(parts[0])
    if not guest.startswith("/"):
        raise UsageError(f"the guest path of a bind mount must be absolute: {guest!r}")
    return Bind(parts[0], guest, read_only)
