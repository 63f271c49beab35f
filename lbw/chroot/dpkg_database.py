"""dpkg's database, written as dpkg itself would have left it after installing the packages.

Below /var/lib/dpkg: `status`; `info/` with each package's file list and control members (called PACKAGE:ARCH.* for
`Multi-Arch: same` packages, which is what `info/format` 1 means); `triggers/`, so that a later dpkg knows who is
interested in what; `diversions`, `statoverride`, `arch` and `available`.

A package is `installed` when lbw reproduced the effect of its postinst or when it has none.  Any other one stays
`unpacked`: `dpkg --configure -a` inside the root finishes it with the real script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lbw.chroot.packages import Package
from lbw.chroot.rootfs import RootTree
from lbw.chroot.unpack import Unpacked

ADMINISTRATION = "var/lib/dpkg"
SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})


@dataclass(frozen=True, slots=True)
class Installed:
    """A package together with what unpacking it told, and whether it counts as configured."""

    package: Package
    unpacked: Unpacked
    configured: bool

    @property
    def control(self) -> str:
        return self.unpacked.control["control"].decode("utf-8", "surrogateescape").strip("\n")

    @property
    def postinst(self) -> str:
        return self.unpacked.control.get("postinst", b"").decode("utf-8", "surrogateescape")

    @property
    def info_name(self) -> str:
        same = re.search(r"^Multi-Arch:\s*same\s*$", self.control, re.M)
        return f"{self.package.name}:{self.package.architecture}" if same else self.package.name


def write_database(tree: RootTree, packages: list[Installed], arch: str) -> None:
    """Write the whole database for `packages`."""
    for directory in ("alternatives", "info", "parts", "triggers", "updates"):
        tree.make_directory(f"{ADMINISTRATION}/{directory}")
    ordered = sorted(packages, key=lambda installed: installed.package.name)
    tree.write(f"{ADMINISTRATION}/status", "".join(f"{format_status(installed)}\n\n" for installed in ordered))
    tree.write(f"{ADMINISTRATION}/available", "")
    tree.write(f"{ADMINISTRATION}/arch", f"{arch}\n")
    tree.write(f"{ADMINISTRATION}/statoverride", "")
    tree.write(f"{ADMINISTRATION}/diversions", "".join(map(_diversions, ordered)))
    tree.write(f"{ADMINISTRATION}/lock", "", 0o640)
    tree.write(f"{ADMINISTRATION}/lock-frontend", "", 0o640)
    tree.write(f"{ADMINISTRATION}/info/format", "1\n")
    for installed in ordered:
        _write_info(tree, installed)
    _write_triggers(tree, ordered)


def format_status(installed: Installed) -> str:
    """Return the status record of a package: its control record, Status and Conffiles."""
    head, separator, rest = installed.control.partition("\n")
    state = "installed" if installed.configured else "unpacked"
    record = f"{head}\nStatus: install ok {state}{separator}{rest}"
    conffiles = "".join(f"\n {path} {digest}" for path, digest in installed.unpacked.md5.items())
    if conffiles:
        before, description, after = record.partition("\nDescription:")
        record = f"{before}\nConffiles:{conffiles}{description}{after}"
    return record


def _write_info(tree: RootTree, installed: Installed) -> None:
    stem = f"{ADMINISTRATION}/info/{installed.info_name}"
    tree.write(f"{stem}.list", "".join(f"{path}\n" for path in installed.unpacked.paths))
    for name, content in installed.unpacked.control.items():
        if name != "control" and re.fullmatch(r"[a-z0-9_-]+", name):
            tree.write(f"{stem}.{name}", content, 0o755 if name in SCRIPTS else 0o644)


def _write_triggers(tree: RootTree, packages: list[Installed]) -> None:
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for installed in packages:
        text = installed.unpacked.control.get("triggers", b"").decode("utf-8", "replace")
        for directive, trigger in re.findall(r"^\s*(interest(?:-await|-noawait)?)\s+(\S+)", text, re.M):
            interested = installed.info_name + ("/noawait" if directive == "interest-noawait" else "")
            if trigger.startswith("/"):
                files.append(f"{trigger} {interested}\n")
            elif "/" not in trigger:
                named.setdefault(trigger, []).append(f"{interested}\n")
    tree.write(f"{ADMINISTRATION}/triggers/File", "".join(files))
    tree.write(f"{ADMINISTRATION}/triggers/Lock", "", 0o600)
    tree.write(f"{ADMINISTRATION}/triggers/Unincorp", "")
    for trigger, lines in named.items():
        tree.write(f"{ADMINISTRATION}/triggers/{trigger}", "".join(lines))


def _diversions(installed: Installed) -> str:
    """Return the diversions that dash's postinst makes until bookworm: /bin/sh belongs to dash, whoever ships one."""
    text = re.sub(r"\\\n\s*", " ", installed.postinst)
    if installed.package.name != "dash":
        return ""
    return "".join(
        f"{path}\n{distrib or f'{path}.distrib'}\ndash\n"
        for path, distrib in re.findall(r"^\s*claim_binsh (/\S+) \S+(?: (/\S+))?", text, re.M)
    )
