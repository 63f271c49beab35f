"""/etc/pam.d/common-*, as `pam-auth-update --package` makes them on a fresh system.

Each profile in /usr/share/pam-configs offers modules for four stacks; the default ones go, by falling priority, into
the templates of /usr/share/pam.  In the Primary block `end` in a control stands for the number of modules to skip,
which is how the first success jumps over the denying fallback.
"""

from __future__ import annotations

from debian.deb822 import Deb822

from lbw.chroot.rootfs import RootTree

PROFILES = "usr/share/pam-configs"
TEMPLATES = "usr/share/pam"
_STACKS = {
    "common-account": "Account",
    "common-auth": "Auth",
    "common-password": "Password",
    "common-session": "Session",
    "common-session-noninteractive": "Session",
}


def write_pam(tree: RootTree) -> None:
    """Write the files that do not exist yet; do nothing in a root without PAM."""
    profiles = [Deb822(tree.read(f"{PROFILES}/{name}").splitlines()) for name in tree.names(PROFILES)]
    enabled = [profile for profile in profiles if profile.get("Default", "").strip() == "yes"]
    enabled.sort(key=lambda profile: -int(profile.get("Priority", "0")))
    for name, stack in _STACKS.items():
        if tree.exists(f"{TEMPLATES}/{name}") and not tree.exists(f"etc/pam.d/{name}"):
            used = [p for p in enabled if not ("noninteractive" in name and "Session-Interactive-Only" in p)]
            tree.write(f"etc/pam.d/{name}", fill(tree.read(f"{TEMPLATES}/{name}"), stack, used))


def fill(template: str, stack: str, profiles: list[Deb822]) -> str:
    """Return `template` with the blocks of `stack` (Auth, Account, ...) put in."""
    kind = stack.lower()
    primary = _modules(profiles, stack, "Primary") or ["[default=1]\t\t\tpam_permit.so"]
    additional = _modules(profiles, stack, "Additional")
    blocks = {f"${kind}_primary": _numbered(primary), f"${kind}_additional": additional}
    lines = []
    for line in template.splitlines():
        lines += [f"{kind}\t{module}" for module in blocks[line.strip()]] if line.strip() in blocks else [line]
    return "".join(f"{line}\n" for line in lines)


def _modules(profiles: list[Deb822], stack: str, block: str) -> list[str]:
    modules: list[str] = []
    for profile in profiles:
        if profile.get(f"{stack}-Type", "").strip() == block:
            text = (not modules and profile.get(f"{stack}-Initial")) or profile.get(stack, "")
            modules += [line.strip() for line in text.splitlines() if line.strip()]
    return modules


def _numbered(modules: list[str]) -> list[str]:
    return [module.replace("=end", f"={len(modules) - index}") for index, module in enumerate(modules)]
