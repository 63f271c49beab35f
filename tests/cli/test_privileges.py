"""Roots that belong to somebody: host users who are not root, read-only roots, the host's own root, bind mounts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lbw_command import Outcome, command, host_environment, lbw

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


class User:
    """A host user without rights, who owns a copy of the Debian root."""

    def __init__(self, directory: Path, debian_root: Path) -> None:
        self.root = directory / "root"
        self.home = directory / "home"
        self.prefix: list[str] = []
        self.home.mkdir()
        subprocess.run(["cp", "-a", debian_root, self.root], check=True)
        if os.geteuid() == 0:
            self.prefix = NOBODY
            subprocess.run(["chown", "-Rh", "65534:65534", self.root, self.home], check=True)
            readable(directory)
            os.chown(directory, 65534, 65534)

    def run(self, *words: str | Path, stdin: bytes = b"") -> Outcome:
        environment = host_environment(HOME=str(self.home), LBW_DATA_HOME=str(self.home), LBW_CACHE_HOME=str(self.home))
        done = subprocess.run(
            [*self.prefix, *command("run", *words)],
            input=stdin,
            capture_output=True,
            timeout=60,
            env=environment,
            cwd="/",
        )
        return Outcome(done)

    def shell(self, script: str, *options: str | Path) -> Outcome:
        return self.run("--root", self.root, *options, "/bin/bash", "-c", script)


@pytest.fixture(scope="module")
def user(tmp_path_factory, debian_root) -> User:
    return User(tmp_path_factory.mktemp("user"), debian_root)


def test_a_user_is_root_in_the_guest(user):
    outcome = user.shell(
        "id; stat -c '%u:%g' / /etc/passwd /bin/bash; test -w /etc/passwd && echo writable; chown 0 /etc/passwd"
    )
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output == "uid=0(root) gid=0(root) groups=0(root)\n0:0\n0:0\n0:0\nwritable\n"


def test_what_a_user_may_not_do_is_remembered(user):
    script = """
        mkdir /srv/w; cd /srv/w; umask 022; echo x > f; chown 12:34 f; chmod 4751 f
        mknod n c 1 3; mknod b b 7 1; mkfifo p; mkdir -m 1777 d
        ln -s f s; chown -h 5:6 s; ln f h; touch secret
        chmod 0 secret; cat secret; chown 1000 d; echo "$(< n)"; echo gone > n; mv f f2
    """
    outcome = user.shell(script)
    assert (outcome.status, outcome.errors) == (0, "")
    outcome = user.shell("cd /srv/w; stat -c '%n %F %a %u:%g %t,%T %h' *; cat h; cat n; rm -rf /srv/w; ls /srv")
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.splitlines() == [
        "b block special file 644 0:0 7,1 1",
        "d directory 1777 1000:0 0,0 2",
        "f2 regular file 4751 12:34 0,0 2",
        "h regular file 4751 12:34 0,0 2",
        "n character special file 644 0:0 1,3 1",
        "p fifo 644 0:0 0,0 1",
        "s symbolic link 777 5:6 0,0 1",
        "secret regular empty file 0 0:0 0,0 1",
        "x",
    ]


def test_users_of_the_guest_are_kept_apart(user):
    user.shell(
        "mkdir -m 700 /srv/private; echo secret > /srv/private/f; chown -R 1000 /srv/private; chmod 640 /srv/private/f"
    )
    outcome = user.shell(
        "id -u; cat /srv/private/f; cat /etc/shadow; touch /etc/x; chown 1 /tmp; kill 1", "-u", "nobody"
    )
    assert outcome.output == "65534\n"
    assert outcome.errors.count("Permission denied") == 3
    assert outcome.errors.count("Operation not permitted") == 2
    outcome = user.shell("cat /srv/private/f; setpriv --help > /dev/null 2>&1; rm -r /srv/private", "-u", "1000")
    assert outcome.output == "secret\n"
    user.shell("rm -r /srv/private")


def make_package(directory: Path) -> Path:
    """Build a .deb with a set-user-id program, a file of another owner, and maintainer scripts."""
    tree = directory / "package"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/lib/tiny").mkdir(parents=True)
    (tree / "etc/tiny").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: tiny\n"
    )
    (tree / "DEBIAN/conffiles").write_text("/etc/tiny/conf\n")
    (tree / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\necho configured $1\nchown 42:43 /usr/lib/tiny/file\n")
    (tree / "DEBIAN/postinst").chmod(0o755)
    (tree / "etc/tiny/conf").write_text("a\n")
    (tree / "usr/lib/tiny/file").write_text("content\n")
    (tree / "usr/lib/tiny/program").write_text("#!/bin/sh\necho runs\n")
    (tree / "usr/lib/tiny/program").chmod(0o4755)
    (tree / "usr/lib/tiny/link").symlink_to("file")
    return tree


INSTALL = """
    set -e; cp -r /package /tmp/package; chown -R 0:0 /tmp/package
    chmod 4755 /tmp/package/usr/lib/tiny/program; cd /tmp; dpkg-deb -b package tiny.deb > /dev/null
    dpkg -i tiny.deb | grep -v Reading; dpkg -s tiny | grep Status; dpkg -V tiny; /usr/lib/tiny/program
    stat -c '%n %a %u:%g' /usr/lib/tiny/*; dpkg -r tiny > /dev/null
    ls -d /usr/lib/tiny /etc/tiny; dpkg -P tiny > /dev/null; ls -d /etc/tiny
"""


def check_installed(outcome: Outcome) -> None:
    assert "configured configure" in outcome.output, outcome
    assert outcome.output.splitlines()[-5:] == [
        "runs",
        "/usr/lib/tiny/file 644 42:43",
        "/usr/lib/tiny/link 777 0:0",
        "/usr/lib/tiny/program 4755 0:0",
        "/etc/tiny",
    ], outcome
    assert "install ok installed" in outcome.output


def test_dpkg_installs_for_a_user(user, tmp_path):
    outcome = user.shell(INSTALL, "-b", f"{readable(make_package(tmp_path))}:/package:ro")
    check_installed(outcome)


def test_dpkg_installs_for_root(debian_root, tmp_path):
    package = make_package(tmp_path)
    check_installed(
        lbw("run", "--root", debian_root, "--overlay", "-b", f"{package}:/package:ro", "/bin/bash", "-c", INSTALL)
    )


def readable(path: Path) -> Path:
    """Let others reach `path`, which pytest keeps to the user who runs it."""
    if os.geteuid() == 0:
        for part in (path, *path.parents):
            if part.stat().st_mode & 0o055 != 0o055:
                part.chmod(part.stat().st_mode | 0o055)
    return path


def test_a_root_that_may_not_be_written_to(user):
    """The guest's root gets what the host's user gets: an error for each write, and everything else works."""
    user.shell("rm -rf /srv; mkdir /srv")
    (user.root / "srv").chmod(0o555)
    outcome = user.shell("echo x > /srv/x; mkdir /srv/d; ls -A /srv; echo works > /tmp/x; cat /tmp/x")
    (user.root / "srv").chmod(0o755)
    assert outcome.output == "works\n"
    assert outcome.errors.count("Permission denied") == 2


@pytest.fixture
def read_only_root(debian_root, tmp_path):
    """The Debian root, bind-mounted read-only where that is allowed; else a copy without write permission."""
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(["mount", "--bind", debian_root, mount], capture_output=True).returncode == 0:
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", mount], check=True)
            yield mount
        finally:
            subprocess.run(["umount", mount], check=True)
    else:
        subprocess.run(["cp", "-a", debian_root, mount / "root"], check=True)
        subprocess.run(["chmod", "-R", "a-w", mount / "root"], check=True)
        yield mount / "root"
        subprocess.run(["chmod", "-R", "u+w", mount / "root"], check=True)


def test_a_read_only_root_runs_and_refuses_writes(read_only_root):
    script = (
        "echo x > /etc/new; mkdir /etc/d; rm /etc/passwd; touch /tmp/ok && echo tmp; [ -e /etc/passwd ] && echo there"
    )
    outcome = lbw("run", "--root", read_only_root, "/bin/bash", "-c", script)
    assert outcome.output == "tmp\nthere\n"
    assert "Traceback" not in outcome.errors
    assert not (read_only_root / "etc/new").exists()
    outcome = lbw("run", "--root", read_only_root, "--overlay", "/bin/bash", "-c", "echo x > /etc/new && cat /etc/new")
    assert (outcome.output, outcome.errors) == ("x\n", "")


@pytest.mark.parametrize("as_root", [True, False])
def test_the_hosts_own_root_stays_untouched(as_root, user, tmp_path):
    probe = Path("/var/tmp") / f"lbw-test-{os.getpid()}"
    script = (
        f"echo x > {probe}; cat {probe}; rm -f /etc/passwd; [ -e /etc/passwd ] || echo removed; ls /proc/self/status"
    )
    words = ["--root", "/", "/bin/sh", "-c", script]
    outcome = lbw("run", *words) if as_root else user.run(*words)
    assert "Traceback" not in outcome.errors
    assert outcome.output.startswith("x\n"), outcome
    assert outcome.output.endswith("/proc/self/status\n")
    assert not probe.exists()
    assert Path("/etc/passwd").exists()


def test_bind_mounts(debian_root, tmp_path):
    host = tmp_path / "host"
    host.mkdir()
    (host / "file").write_text("from the host\n")
    script = """
        cat /mnt/rw/file /mnt/deep/er/ro/file /etc/hostname; echo new > /mnt/rw/new; echo no > /mnt/deep/er/ro/no
        grep -c /mnt /proc/mounts
    """
    outcome = lbw(
        "run", "--root", debian_root, "--overlay", "-b", f"{host}:/mnt/rw", "-b", f"{host}:/mnt/deep/er/ro:ro",
        "-b", f"{host}/file:/etc/hostname:ro", "/bin/bash", "-c", script,
    )  # fmt: skip
    assert outcome.output == "from the host\n" * 3 + "2\n"
    assert "Read-only file system" in outcome.errors
    assert (host / "new").read_text() == "new\n"
    assert not (host / "no").exists()


def test_two_runs_share_a_root(user):
    words = [*user.prefix, *command("run", "--root", user.root, "/bin/bash", "-c")]
    environment = host_environment(HOME=str(user.home), LBW_DATA_HOME=str(user.home), LBW_CACHE_HOME=str(user.home))
    script = """
        cd /srv; for i in {{1..40}}; do echo {0} > {0}$i; chown {0} {0}$i; chmod 4711 {0}$i; done
        stat -c %u:%a {0}* | sort | uniq -c
    """
    runs = [
        subprocess.Popen(
            [*words, script.format(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd="/"
        )
        for number in (3, 5)
    ]
    for number, run in zip((3, 5), runs, strict=True):
        output, errors = run.communicate(timeout=60)
        assert (output.split(), errors) == ([b"40", b"%d:4711" % number], b"")
    outcome = user.shell("stat -c %u:%a /srv/* | sort | uniq -c; rm -f /srv/*")
    assert outcome.output.split() == ["40", "3:4711", "40", "5:4711"]
