from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from chroot_archive import Archive, member

from lbw.chroot import create_root
from lbw.chroot.accounts import write_accounts
from lbw.chroot.alternatives import Alternative, install_alternatives, read_alternatives
from lbw.chroot.configure import configure
from lbw.chroot.pam import Module, fill, write_pam
from lbw.chroot.rootfs import RootTree
from lbw.chroot.sources import Source


@pytest.fixture
def tree(tmp_path: Path) -> RootTree:
    top = tmp_path / "root"
    top.mkdir()
    return RootTree(top)


MAWK = r"""#!/bin/sh
if [ "$1" = "configure" ]; then
        update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \
            --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \
            --slave /usr/bin/nawk nawk /usr/bin/mawk || true
fi
"""


def test_alternatives(tree: RootTree) -> None:
    known: dict[str, Alternative] = {}
    read_alternatives(MAWK, known)
    read_alternatives("update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/gawk 10 # best\n", known)
    read_alternatives("update-alternatives --install /usr/bin/awk awk /usr/bin/absent 99\n", known)
    read_alternatives('update-alternatives --install /usr/bin/$x x "/usr/bin/$x" 1\n', known)
    read_alternatives("update-alternatives --remove awk /usr/bin/mawk; echo --install a b c 1\n", known)
    for name in ("mawk", "gawk"):
        tree.write(f"usr/bin/{name}", "")
    install_alternatives(tree, known)
    assert (tree.top / "usr/bin/awk").readlink() == Path("/etc/alternatives/awk")
    assert (tree.top / "etc/alternatives/awk").readlink() == Path("/usr/bin/gawk")
    assert not (tree.top / "usr/bin/nawk").is_symlink()  # gawk has no such slave
    assert tree.read("var/lib/dpkg/alternatives/awk") == (
        "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n"
        "/usr/bin/gawk\n10\n\n\n"
        "/usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n/usr/bin/mawk\n\n"
    )
    assert tree.names("var/lib/dpkg/alternatives") == ["awk"]


@pytest.mark.skipif(shutil.which("update-alternatives") is None, reason="needs update-alternatives")
def test_update_alternatives_reads_what_we_write(tree: RootTree) -> None:
    known: dict[str, Alternative] = {}
    read_alternatives(MAWK, known)
    tree.write("usr/bin/mawk", "")
    install_alternatives(tree, known)
    admin = tree.top / "var/lib/dpkg/alternatives"
    before = (admin / "awk").read_bytes()
    command = ["update-alternatives", "--root", str(tree.top), "--query", "awk"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Status: auto" in answer and "Value: /usr/bin/mawk" in answer and "nawk /usr/bin/mawk" in answer
    assert (admin / "awk").read_bytes() == before


def test_a_real_file_is_not_replaced_by_an_alternative(tree: RootTree) -> None:
    known: dict[str, Alternative] = {}
    read_alternatives(MAWK, known)
    tree.write("usr/bin/mawk", "")
    tree.write("usr/bin/awk", "real")
    install_alternatives(tree, known)
    assert (tree.top / "usr/bin/awk").read_text() == "real"


def test_accounts(tree: RootTree) -> None:
    tree.write("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\nbin:*:2:2:bin:/bin:/x\n")
    tree.write("usr/share/base-passwd/group.master", "root:*:0:\nshadow:*:42:\n")
    write_accounts(tree, with_apt=True)
    assert tree.read("etc/passwd").splitlines() == [
        "root:x:0:0:root:/root:/bin/bash", "bin:x:2:2:bin:/bin:/x", "_apt:x:100:65534::/nonexistent:/usr/sbin/nologin",
    ]  # fmt: skip
    assert tree.read("etc/group") == "root:x:0:\nshadow:x:42:\n"
    assert [line.split(":")[:2] for line in tree.read("etc/shadow").splitlines()] == [
        ["root", "*"],
        ["bin", "*"],
        ["_apt", "*"],
    ]
    assert tree.read("etc/gshadow") == "root:*::\nshadow:*::\n"
    assert stat.S_IMODE((tree.top / "etc/shadow").stat().st_mode) == 0o640


def test_files_of_a_root(tree: RootTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    monkeypatch.setattr("lbw.chroot.configure.HOST_RESOLV_CONF", tmp_path / "resolv.conf")
    tree.write("usr/share/base-files/dot.bashrc", "rc")
    tree.write("usr/share/debianutils/shells", "# shells\n/bin/sh\n")
    tree.write("usr/share/debianutils/shells.d/bash", "/bin/bash\n/usr/bin/tmux\n")
    tree.make_directory("var/run")
    configure(tree, [], [Source("http://d/debian", "bookworm", ("main",))], "amd64")
    assert tree.read("etc/resolv.conf") == "nameserver 192.0.2.1\n"
    assert tree.read("root/.bashrc") == "rc"
    assert tree.read("etc/apt/sources.list") == "deb http://d/debian bookworm main\n"
    assert tree.read("etc/shells") == "# shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/usr/bin/tmux\n"
    assert (tree.top / "var/run").readlink() == Path("/run")
    assert stat.S_IMODE((tree.top / "tmp").stat().st_mode) == 0o1777
    assert "localhost" in tree.read("etc/hosts")


def test_pam(tree: RootTree) -> None:
    tree.write("usr/share/pam-configs/unix", "Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n"
               "\t[success=end default=ignore]\tpam_unix.so try_first_pass\nAuth-Initial:\n"
               "\t[success=end default=ignore]\tpam_unix.so\n")  # fmt: skip
    tree.write("usr/share/pam-configs/krb", "Name: K\nDefault: yes\nPriority: 700\nAuth-Type: Primary\nAuth:\n"
               "\t[success=end default=ignore]\tpam_krb5.so\n")  # fmt: skip
    tree.write(
        "usr/share/pam-configs/off", "Name: O\nDefault: no\nPriority: 900\nAuth-Type: Primary\nAuth:\n\tx y.so\n"
    )
    tree.write(
        "usr/share/pam/common-auth", "# top\n$auth_primary\nauth\trequisite\tpam_deny.so\n$auth_additional\n# end\n"
    )
    tree.write("usr/share/pam/common-session-noninteractive", "$session_nonint_primary\n$session_nonint_additional\n")
    write_pam(tree)
    assert tree.read("etc/pam.d/common-auth") == (
        "# top\nauth\t[success=2 default=ignore]\tpam_krb5.so\n"
        "auth\t[success=1 default=ignore]\tpam_unix.so try_first_pass\nauth\trequisite\tpam_deny.so\n# end\n"
    )
    assert tree.read("etc/pam.d/common-session-noninteractive") == "session\t[default=1]\t\t\tpam_permit.so\n"
    assert tree.read("var/lib/pam/seen") == "off\nkrb\nunix\n"
    assert fill("$auth_additional\n", "auth", [], [Module("p", "optional x.so")]) == "auth\toptional x.so\n"


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs dpkg")
def test_dpkg_understands_the_database(archive: Archive, tmp_path: Path, small_variant: None) -> None:
    archive.add("base", "1:2-3", members=[member("./etc/base.conf", b"x", mode=0o644), member("./bin/tool", b"")],
                extra={"conffiles": "/etc/base.conf\n", "md5sums": "d41d8cd98f00b204e9800998ecf8427e  bin/tool\n",
                       "triggers": "interest-noawait /usr/share/x\ninterest y\n"}, Depends="lib, odd")  # fmt: skip
    archive.add("lib", Multi_Arch="same", files={"usr/lib/lib.so": b""})
    archive.add("odd", extra={"postinst": "#!/bin/sh\necho unknown effect\n"})
    archive.publish()
    create_root(tmp_path / "root", mirror=archive.url, allow_unsigned=True)
    admin = tmp_path / "root/var/lib/dpkg"

    def query(*arguments: str, program: str = "dpkg-query") -> str:
        command = [program, "--admindir", str(admin), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    listed = query("-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}|")
    assert listed == "base 1:2-3 ii |lib 1 ii |odd 1 iU |"
    assert "/etc/base.conf 9dd4e461268c8034f5c8564e155c67a6" in query("-W", "-f", "${Conffiles}", "base")
    assert "/usr/lib/lib.so" in query("-L", "lib:amd64")
    assert query("-S", "/bin/tool").startswith("base:")
    assert (admin / "info/lib:amd64.list").exists() and (admin / "info/base.md5sums").exists()
    assert (admin / "triggers/File").read_text() == "/usr/share/x base/noawait\n"
    assert (admin / "triggers/y").read_text() == "base\n"
