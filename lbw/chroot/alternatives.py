"""Alternatives (`awk`, `pager`, `which`, ...) as update-alternatives would have made them.

The postinst scripts are not run, but most state their alternatives in a literal command line, which is read from the
script's text: `update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]...`.  A command line with
shell variables in it is not understood and left out.

For each name there are then: the administrative file /var/lib/dpkg/alternatives/NAME, in automatic mode; the link
/etc/alternatives/NAME to the choice of highest priority; and the generic link to that.  The same for its slaves.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from lbw.chroot.rootfs import RootTree

DIRECTORY = "etc/alternatives"
ADMINISTRATION = "var/lib/dpkg/alternatives"

_COMMAND = re.compile(r"update-alternatives\s[^;&|\n]*--install\s[^;&|\n]*")


@dataclass
class Choice:
    """One candidate of an alternative; `slaves` maps a slave's name to its path."""

    path: str
    priority: int
    slaves: dict[str, str] = field(default_factory=dict)


@dataclass
class Alternative:
    """A generic name; `slaves` maps a slave's name to its generic link."""

    name: str
    link: str
    slaves: dict[str, str] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)


def read_alternatives(script: str, known: dict[str, Alternative]) -> None:
    """Add to `known`, by name, what the maintainer script `script` installs in literal commands."""
    for match in _COMMAND.finditer(re.sub(r"\\\n", " ", script)):
        try:
            words = shlex.split(match[0], comments=True)
        except ValueError:
            continue
        if any("$" in word or "`" in word for word in words):
            continue
        place = words.index("--install")
        install = words[place + 1 : place + 5]
        if len(install) < 4 or not re.fullmatch(r"-?\d+", install[3]):
            continue
        link, name, path, priority = install
        alternative = known.setdefault(name, Alternative(name, link))
        choice = Choice(path, int(priority))
        for start in (index for index, word in enumerate(words) if word == "--slave"):
            if len(slave := words[start + 1 : start + 4]) == 3:
                alternative.slaves[slave[1]] = slave[0]
                choice.slaves[slave[1]] = slave[2]
        alternative.choices = [other for other in alternative.choices if other.path != path] + [choice]


def install_alternatives(tree: RootTree, alternatives: dict[str, Alternative]) -> None:
    """Make links and administrative files for those choices that exist in the root."""
    for alternative in alternatives.values():
        choices = sorted((c for c in alternative.choices if tree.exists(c.path)), key=lambda choice: choice.path)
        if not choices:
            continue
        best = max(choices, key=lambda choice: choice.priority)
        _link(tree, alternative.name, alternative.link, best.path)
        for name, link in alternative.slaves.items():
            path = best.slaves.get(name)
            if path is not None and tree.exists(path):
                _link(tree, name, link, path)
        tree.write(f"{ADMINISTRATION}/{alternative.name}", format_administration(alternative, choices))


def format_administration(alternative: Alternative, choices: list[Choice]) -> str:
    """Return the text of an administrative file, in the layout of update-alternatives(1), section FILES."""
    slaves = sorted(alternative.slaves)
    lines = ["auto", alternative.link]
    for name in slaves:
        lines += [name, alternative.slaves[name]]
    lines.append("")
    for choice in choices:
        lines += [choice.path, str(choice.priority), *(choice.slaves.get(name, "") for name in slaves)]
    return "\n".join([*lines, "", ""])


def _link(tree: RootTree, name: str, link: str, path: str) -> None:
    if tree.exists(link) and not tree.is_link(link):
        return  # like update-alternatives, never replace a real file by a link
    tree.make_symlink(f"{DIRECTORY}/{name}", path)
    tree.make_symlink(link, f"/{DIRECTORY}/{name}")
