"""/etc/pam.d/common-*, as `pam-auth-update --package` makes them on a fresh system.

Each profile in /usr/share/pam-configs offers modules for four stacks; the default ones go, by falling priority, into
the templates of /usr/share/pam.  In the Primary block `end` in a control stands for the number of modules to skip,
which is how the first success jumps over the denying fallback.

What was put in is also saved in /var/lib/pam, by which a later pam-auth-update recognises the files as its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from debian.deb822 import Deb822

from lbw.chroot.rootfs import RootTree

PROFILES = "usr/share/pam-configs"
TEMPLATES = "usr/share/pam"
STATE = "var/lib/pam"
_STACKS = ("account", "auth", "password", "session", "session-noninteractive")


@dataclass(frozen=True, slots=True)
class Module:
    """A line of a stack, and the profile that it comes from."""

    profile: str
    line: str


_NULL = Module("null", "[default=1]\t\t\tpam_permit.so")
"""Stands in for an empty Primary block: skips the denying fallback."""


def write_pam(tree: RootTree) -> None:
    """Write the files that do not exist yet; do nothing in a root without PAM."""
    profiles = {name: Deb822(tree.read(f"{PROFILES}/{name}").splitlines()) for name in tree.names(PROFILES)}
    ordered = dict(sorted(profiles.items(), key=lambda item: -int(item[1].get("Priority", "0"))))
    enabled = {name: profile for name, profile in ordered.items() if profile.get("Default", "").strip() == "yes"}
    for stack in _STACKS:
        template, place = f"{TEMPLATES}/common-{stack}", f"etc/pam.d/common-{stack}"
        if not tree.exists(template) or tree.exists(place):
            continue
        kind, _, noninteractive = stack.partition("-")
        used = {name: profile for name, profile in enabled.items()
                if not (noninteractive and profile.get("Session-Interactive-Only", "").strip() == "yes")}  # fmt: skip
        primary = _modules(used, kind, "Primary") or [_NULL]
        additional = _modules(used, kind, "Additional")
        tree.write(place, fill(tree.read(template), kind, primary, additional))
        tree.write(f"{STATE}/{stack}", _state([*primary, *additional]))
    if profiles:
        tree.write(f"{STATE}/seen", "".join(f"{name}\n" for name in ordered))


def fill(template: str, kind: str, primary: list[Module], additional: list[Module]) -> str:
    """Return `template` with the blocks of the stack `kind` (auth, account, ...) put in."""
    numbered = [module.line.replace("=end", f"={len(primary) - index}") for index, module in enumerate(primary)]
    blocks = {"primary": numbered, "additional": [module.line for module in additional]}
    lines = []
    for line in template.splitlines():
        place = re.fullmatch(r"\$\w+_(primary|additional)", line.strip())  # $auth_primary, $session_nonint_primary
        lines += [f"{kind}\t{module}" for module in blocks[place[1]]] if place else [line]
    return "".join(f"{line}\n" for line in lines)


def _modules(profiles: dict[str, Deb822], kind: str, block: str) -> list[Module]:
    """Return the lines for one block; the first module of a stack may have a form of its own, `-Initial`."""
    field = kind.capitalize()
    modules: list[Module] = []
    for name, profile in profiles.items():
        if profile.get(f"{field}-Type", "").strip() == block:
            text = (not modules and profile.get(f"{field}-Initial")) or profile.get(field, "")
            modules += [Module(name, line.strip()) for line in text.splitlines() if line.strip()]
    return modules


def _state(modules: list[Module]) -> str:
    lines: list[str] = []
    last = ""
    for module in modules:
        if module.profile != last:
            lines.append(f"Module: {module.profile}")
            last = module.profile
        lines.append(module.line)
    return "".join(f"{line}\n" for line in lines)
