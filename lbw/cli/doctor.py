"""`lbw doctor`: what this host offers and what is missing, in plain words.

Every question is answered by trying it. A finding is fine, a remark (something works less well), or an obstacle (`lbw
run` cannot work). Exit status 0, or 125 with an obstacle.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

FINE, REMARK, OBSTACLE = range(3)
_MARKS = {FINE: "[green]ok[/]", REMARK: "[yellow]note[/]", OBSTACLE: "[red]missing[/]"}
_PLAIN = {FINE: "ok", REMARK: "note", OBSTACLE: "missing"}

OLDEST_PYTHON = (3, 11)
#: How much guest memory is reserved to see whether the host lets us, as `lbw run` does by default.
PROBE_MEMORY = 4 << 30


class Finding:
    """One line of the report."""

    __slots__ = ("level", "subject", "text")

    def __init__(self, level: int, subject: str, text: str) -> None:
        self.level = level
        self.subject = subject
        self.text = text


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "doctor", help="tell what this host offers, and what is missing",
        description="Look at this host and tell in plain words what lbw can use and what is missing. "
        "Exit status 0 if `lbw run` can work, else 125.",
    )  # fmt: skip
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 0 when `lbw run` can work, else 125."""
    findings = examine()
    show(findings)
    return 125 if any(finding.level == OBSTACLE for finding in findings) else 0


def examine() -> list[Finding]:
    """Ask every question; a check that fails in an unforeseen way is an obstacle itself."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings.append(check())
        except Exception as error:
            subject = check.__name__.strip("_").replace("_", " ")
            findings.append(Finding(OBSTACLE, subject, f"the check itself failed: {type(error).__name__}: {error}"))
    return findings


def show(findings: list[Finding]) -> None:
    """Print the findings as a table, and the conclusion."""
    failed = [finding for finding in findings if finding.level == OBSTACLE]
    conclusion = "lbw run cannot work here: see what is missing above." if failed else "lbw run can work here."
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        for finding in findings:
            print(f"{_PLAIN[finding.level]:8}{finding.subject:14}{finding.text}")
        print(conclusion)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(_MARKS[finding.level], finding.subject, escape(finding.text))
    console = Console()
    console.print(table)
    console.print(conclusion, style="bold")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding(OBSTACLE, "python", f"{version}; lbw needs 3.11 or later")
    if sys.maxsize < 1 << 32:
        return Finding(OBSTACLE, "python", f"{version}, 32 bits; lbw needs a 64-bit one for the guest's memory")
    return Finding(FINE, "python", f"{version} on {sys.platform}")


def _unicorn() -> Finding:
    version = _version("unicorn")
    if version is None:
        return Finding(OBSTACLE, "unicorn", "the processor is not installed: pip install unicorn==2.1.4")
    wanted = _required("unicorn")
    if wanted is not None and version != wanted:
        return Finding(REMARK, "unicorn", f"{version}; lbw is made for {wanted} and may not know this one's state")
    return Finding(FINE, "unicorn", version)


def _memory() -> Finding:
    from lbw.errors import LbwError
    from lbw.host.memory import GRANULE, Ram

    try:
        ram = Ram(PROBE_MEMORY)
        ram.commit(0, GRANULE)
        ram.view[0] = 1
        ram.close()
    except (LbwError, MemoryError) as error:
        return Finding(OBSTACLE, "memory", f"{error}; check ulimit -v and -f, or try `lbw run --memory 512M`")
    return Finding(FINE, "memory", f"{PROBE_MEMORY >> 30} GB of sparse guest memory can be reserved")


def _processor() -> Finding:
    """Boot the processor, which calibrates it."""
    from lbw.errors import LbwError

    if _version("unicorn") is None:
        return Finding(OBSTACLE, "processor", "cannot be tried without unicorn")
    try:
        boot_processor()
    except LbwError as error:
        return Finding(OBSTACLE, "processor", str(error))
    except ImportError as error:
        return Finding(OBSTACLE, "processor", f"cannot be loaded: {error}")
    return Finding(FINE, "processor", "boots and calibrates")


def boot_processor() -> None:
    """Boot a small machine and stop it.  LbwError: it does not start or calibrate"""
    from lbw.machine.hardware import Board

    Board(64 << 20).close()


def _packages() -> Finding:
    missing = [name for name in ("capstone", "pyelftools", "python-debian", "rich") if _version(name) is None]
    if missing:
        level = OBSTACLE if "pyelftools" in missing else REMARK
        return Finding(level, "packages", f"not installed: {', '.join(missing)}; pip install {' '.join(missing)}")
    return Finding(FINE, "packages", "capstone, pyelftools, python-debian, rich")


def _user() -> Finding:
    from lbw.host import identity

    if identity.is_root():
        return Finding(FINE, "user", "root: file owners are set on the host itself")
    return Finding(
        FINE, "user", f"{identity.username()}, not root: owners, modes and devices that the host refuses are kept in a "
        "database beside the root",
    )  # fmt: skip


def _terminal() -> Finding:
    if not os.isatty(0) or not os.isatty(1):
        return Finding(REMARK, "terminal", "input or output is no terminal: programs run, but not interactively")
    from lbw.host.terminal import HostTerminal

    rows, columns, _, _ = HostTerminal(0, 1).window_size()
    return Finding(FINE, "terminal", f"{os.environ.get('TERM', 'unknown type')}, {columns} x {rows}")


def _directories() -> Finding:
    from lbw.host.dirs import data_dir

    directory = existing = data_dir()
    while not os.path.isdir(existing) and os.path.dirname(existing) != existing:
        existing = os.path.dirname(existing)
    if not os.access(existing, os.W_OK):
        return Finding(REMARK, "data", f"{directory} cannot be written: set LBW_DATA_HOME")
    import shutil

    free = shutil.disk_usage(existing).free
    level = FINE if free > 1 << 30 else REMARK
    return Finding(level, "data", f"{directory}, {free / (1 << 30):.1f} GB free")


def _root() -> Finding:
    root = find_default_root()
    if root is not None:
        return Finding(FINE, "default root", root)
    return Finding(REMARK, "default root", "not built yet: the first `lbw run` or `lbw chroot create` does it")


def find_default_root() -> str | None:
    """Return the default root if it has been built."""
    from lbw.chroot.default import default_root_path

    path = default_root_path()
    return path if os.path.isdir(os.path.join(path, "usr")) else None


def _signatures() -> Finding:
    """What building roots needs to check a Release file."""
    import shutil

    if shutil.which("gpgv") is None:
        return Finding(REMARK, "signatures", "gpgv is not installed: Debian roots cannot be verified, so not be built")
    from lbw.chroot.signature import ARCHIVE_KEYRINGS

    keyrings = [path for path in ARCHIVE_KEYRINGS if path.is_file() or (path.is_dir() and any(path.iterdir()))]
    if not keyrings:
        return Finding(REMARK, "signatures", "gpgv, but no Debian archive keyring: install debian-archive-keyring")
    return Finding(FINE, "signatures", f"gpgv and {keyrings[0]}")


CHECKS: tuple[Callable[[], Finding], ...] = (
    _python, _unicorn, _packages, _memory, _processor, _user, _terminal, _directories, _root, _signatures,
)  # fmt: skip


def _version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _required(distribution: str) -> str | None:
    """Return the version that lbw pins, when lbw is installed and pins one."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("lbw") or []
    except PackageNotFoundError:
        return None
    for line in lines:
        name, equals, wanted = line.partition(";")[0].replace(" ", "").partition("==")
        if name == distribution and equals:
            return wanted
    return None
