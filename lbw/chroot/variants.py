"""The package sets that a root can be made of.

`minbase` is what debootstrap calls so: everything Essential or of priority required, and apt.  `shell` is a small but
comfortable shell with dpkg: about half the size.  Packages named here are only the roots of the dependency graph;
libraries come by themselves.  Essential packages that `shell` leaves out (util-linux, login, sysvinit-utils,
init-system-helpers and what they bring: PAM, udev's libraries) are of use only on a machine that boots or lets people
log in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variant:
    """A named set: the packages `names`, plus all Essential and `required` ones when `required` is set."""

    names: tuple[str, ...]
    required: bool
    summary: str


VARIANTS: dict[str, Variant] = {
    "shell": Variant(
        names=(
            # the file system, accounts, and what every binary needs
            "base-files", "base-passwd", "libc6", "libc-bin", "debianutils",
            # named because base-files needs some `awk`: the smallest one
            "mawk",
            # shells and terminals
            "dash", "bash", "ncurses-base", "ncurses-bin", "less",
            # the tools that scripts take for granted
            "coreutils", "diffutils", "findutils", "grep", "gzip", "hostname", "perl-base", "sed", "tar",
            # more packages later
            "dpkg",
        ),
        required=False,
        summary="sh, bash, the usual tools, perl-base, dpkg",
    ),
    "minbase": Variant(names=("mawk", "apt"), required=True, summary="Essential and required packages, apt"),
}  # fmt: skip
