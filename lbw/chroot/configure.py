"""The effects of the maintainer scripts, reproduced without running any.

Done by hand, package by package, as their postinst scripts of bookworm do it on a fresh installation:

    base-files       /root/.profile .bashrc, /etc/profile motd, /mnt /srv /opt /media ..., /var/mail, /var/run -> /run,
                     /var/lock -> /run/lock, /usr/local/*, wtmp btmp lastlog, the dpkg origin, the info directory
    base-passwd, passwd, login   accounts and shadow files (`accounts`), faillog
    dash             the diversions of /bin/sh (`dpkg_database`); the link itself is in the package
    debianutils      /etc/shells and its state file
    libc-bin         /etc/nsswitch.conf.  No ld.so.cache: the loader searches the standard directories itself
    libpam-*         /etc/pam.d/common-* (`pam`), /etc/security/opasswd, /etc/environment
    tzdata           /etc/localtime and /etc/timezone: UTC
    bash, debianutils, less, mawk, tar, util-linux, ...   their alternatives (`alternatives`), whoever installs some
    apt              sources.list, the user _apt

Left out, as nothing in a root without init needs it: enabling systemd units, debconf questions, restarting services.
And what debootstrap does itself: hostname, hosts, resolv.conf, fstab, mtab, dpkg's database.
"""

from __future__ import annotations

from pathlib import Path

from lbw.chroot.accounts import group_id, write_accounts
from lbw.chroot.alternatives import Alternative, install_alternatives, read_alternatives
from lbw.chroot.dpkg_database import Installed, write_database
from lbw.chroot.pam import write_pam
from lbw.chroot.rootfs import RootTree
from lbw.chroot.sources import Source

HOSTNAME = "lbw"
HOST_RESOLV_CONF = Path("/etc/resolv.conf")

REPRODUCED = frozenset({
    "adduser", "apt", "base-files", "base-passwd", "bash", "coreutils", "dash", "debconf", "debian-archive-keyring",
    "debianutils", "dpkg", "e2fsprogs", "gawk", "gzip", "init-system-helpers", "less", "libc-bin", "libc6",
    "libgcrypt20", "libpam-modules", "libpam-runtime", "libpam0g", "libselinux1", "login", "mawk", "nano", "passwd",
    "perl-base", "psmisc", "tar", "tzdata", "usr-is-merged", "util-linux", "util-linux-extra", "xz-utils",
})  # fmt: skip
"""Packages whose postinst has no effect that is missing afterwards; all others with a postinst stay `unpacked`."""

MERGED_DIRECTORIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Top-level directories that are links into /usr."""


def merge_usr(tree: RootTree) -> None:
    """Make /bin -> usr/bin and its like, before anything is unpacked, so that /bin/x lands in /usr/bin/x."""
    for name in MERGED_DIRECTORIES:
        tree.make_directory(f"usr/{name}")
        tree.make_symlink(name, f"usr/{name}")


def configure(tree: RootTree, packages: list[Installed], sources: list[Source], arch: str) -> None:
    """Bring the unpacked root into the state that the packages' scripts and debootstrap would have left."""
    names = {installed.package.name for installed in packages}
    write_accounts(tree, with_apt="apt" in names)
    _base_files(tree)
    _shells(tree)
    _login_files(tree, names)
    write_pam(tree)
    _network_files(tree)
    _copy_default(tree, "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf")
    if "tzdata" in names:
        tree.make_symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        _write_default(tree, "etc/timezone", "Etc/UTC\n")
    _write_default(tree, "etc/apt/sources.list", format_sources(sources))
    alternatives: dict[str, Alternative] = {}
    for installed in packages:
        read_alternatives(installed.postinst, alternatives)
    install_alternatives(tree, alternatives)
    write_database(tree, packages, arch)


def is_configured(name: str, postinst: str) -> bool:
    """Tell whether a package with this postinst may count as installed."""
    return not postinst or name in REPRODUCED


def format_sources(sources: list[Source]) -> str:
    """Return the text of sources.list for `sources`."""
    return "".join(f"deb {source.uri} {source.suite} {' '.join(source.components)}\n" for source in sources)


def _base_files(tree: RootTree) -> None:
    if tree.exists("etc/dpkg/origins/debian") and not tree.exists("etc/dpkg/origins/default"):
        tree.make_symlink("etc/dpkg/origins/default", "debian")
    for default, place in (("dot.profile", "root/.profile"), ("dot.bashrc", "root/.bashrc"),
                           ("profile", "etc/profile"), ("motd", "etc/motd")):  # fmt: skip
        _copy_default(tree, f"usr/share/base-files/{default}", place)
    for name in ("dev", "proc", "sys", "run", "home", "mnt", "srv", "opt", "etc/opt", "var/opt", "media"):
        tree.make_directory(name)
    tree.make_directory("root", 0o700)
    for name in ("tmp", "var/tmp", "run/lock"):
        tree.make_directory(name, 0o1777)
    tree.make_directory("var/mail", 0o2775, 0, group_id(tree, "mail"))
    if not tree.is_link("var/spool/mail"):
        tree.make_symlink("var/spool/mail", "../mail")
    for name, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
        if not tree.is_link(name):
            if tree.is_directory(name):
                tree.remove_empty_directory(name)
            tree.make_symlink(name, target)
    for name in ("", "/share", "/share/man", "/bin", "/games", "/lib", "/include", "/sbin", "/src", "/etc"):
        tree.make_directory(f"usr/local{name}")
    tree.make_symlink("usr/local/man", "share/man")
    utmp = group_id(tree, "utmp")
    for name, mode in (("wtmp", 0o664), ("btmp", 0o660), ("lastlog", 0o664)):
        tree.write(f"var/log/{name}", "", mode, 0, utmp)
    if tree.is_directory("usr/share/info"):
        _copy_default(tree, "usr/share/base-files/info.dir", "usr/share/info/dir")


def _shells(tree: RootTree) -> None:
    """What debianutils' update-shells does: each shell under its name and under its /usr name."""
    try:
        header = tree.read("usr/share/debianutils/shells").splitlines()
    except FileNotFoundError:
        return
    fragments = [tree.read(f"usr/share/debianutils/shells.d/{name}").splitlines()
                 for name in tree.names("usr/share/debianutils/shells.d")]  # fmt: skip
    shells: dict[str, None] = {}
    for line in [*header, *(line for fragment in fragments for line in fragment)]:
        if line.startswith("/"):
            shells[line] = None
            if line.startswith(("/bin/", "/sbin/")):
                shells[f"/usr{line}"] = None
    comments = [line for line in header if not line.startswith("/")]
    _write_default(tree, "etc/shells", "".join(f"{line}\n" for line in (*comments, *shells)))
    tree.write("var/lib/shells.state", "".join(f"{shell}\n" for shell in shells))


def _login_files(tree: RootTree, names: set[str]) -> None:
    if "libpam-modules" in names:
        _write_default(tree, "etc/security/opasswd", "", 0o600)
    _write_default(tree, "etc/environment", "")
    if "login" in names:
        _write_default(tree, "var/log/faillog", "")


def _network_files(tree: RootTree) -> None:
    _write_default(tree, "etc/hostname", f"{HOSTNAME}\n")
    _write_default(tree, "etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{HOSTNAME}\n::1\tlocalhost ip6-localhost\n")
    _write_default(tree, "etc/fstab", "# lbw mounts what a root needs by itself.\n")
    if not tree.is_link("etc/mtab"):
        tree.make_symlink("etc/mtab", "/proc/mounts")
    try:
        resolver = HOST_RESOLV_CONF.read_bytes()
    except OSError:  # not a Unix host, or none there: the guest's resolver then asks localhost
        resolver = b""
    if not tree.is_link("etc/resolv.conf"):
        tree.write("etc/resolv.conf", resolver)


def _copy_default(tree: RootTree, source: str, destination: str) -> None:
    if tree.exists(source) and not tree.exists(destination):
        tree.write(destination, tree.read(source))


def _write_default(tree: RootTree, name: str, content: str, mode: int = 0o644) -> None:
    if not tree.exists(name):
        tree.write(name, content, mode)
