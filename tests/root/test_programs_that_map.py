"""Programs of the host that live by mapped files and large mappings: output and files are those of a native run.

git maps its index and packs, LMDB its database and the table of its readers, gold and apt what they write; programs
with AddressSanitizer reserve terabytes.
"""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from lbw_command import lbw

GIT = r"""
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE=2020-01-01T00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00Z
git config --global user.name n; git config --global user.email e@x; git config --global gc.auto 0
git config --global init.defaultBranch main
mkdir r; cd r; git init -q .
for d in 0 1 2 3 4 5 6 7 8 9; do
    mkdir $d
    for f in 0 1 2 3 4 5 6 7 8 9; do for g in 0 1 2 3 4; do echo "$d $f $g" > $d/$f$g; seq $f$g >> $d/$f$g; done; done
done
git add . && git commit -q -m one; git status --short | wc -l
for d in 0 1 2 3 4 5 6 7 8 9; do echo more >> $d/11; done
git commit -q -a -m two; git gc -q; git fsck --strict 2>&1
git clone -q . ../c; cd ../c; git grep -c more | wc -l; git log --format='%H %s'; git diff --stat HEAD~1 | tail -1
"""

LMDB = r"""
list() { echo VERSION=3; echo format=print; echo type=btree; echo mapsize=1048576; echo HEADER=END
    for i in $(seq "$1" "$2"); do echo " $i"; echo " value of $i"; done; echo DATA=END; }
mkdir a b; list 1000 1499 > low; list 1400 1999 > high
mdb_load -f low a & mdb_load -f high a & wait
mdb_stat -e a | grep -E 'Entries|Map size'; mdb_dump -p a | sha256sum; mdb_copy -c a b; mdb_dump -p b | sha256sum
mdb_stat -r a | tail -1
"""

GOLD = r"""
i=0; while [ $i -lt 200 ]; do echo "int f$i(int a) { return a * $i ^ a >> 3; }"; i=$((i + 1)); done > a.c
{ cat a.c; echo 'int printf(const char *, ...); int main(void) { printf("%d", f7(f199(5))); return 0; }'; } > b.c
gcc -c b.c; gcc -fuse-ld=gold -o b b.o; ./b; gcc -fuse-ld=bfd -o c b.o; ./c
"""

SANITIZER = r"""
cat > a.c << 'END'
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
    int sum = 0;
    for (int i = 1; i < 2000; i++) { char *p = malloc(i); p[i - 1] = i; sum += p[i - 1]; free(p); }
    printf("%d\n", sum);
    char *block = malloc(10);
    return block[count + 8];
}
END
gcc -g -fsanitize=address a.c -o a; export ASAN_OPTIONS=detect_leaks=0
./a 2>&1 > out | grep -oE 'heap-buffer-overflow|READ of size 1|0 bytes after 10-byte region|a.c:[0-9]+' | head -4
cat out
"""

DPKG = r"""
mkdir -p p/DEBIAN p/opt root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers lists cache
seq 2000 > p/opt/numbers; : > root/var/lib/dpkg/status
printf '%s: %s\n' Package small Version 1.0 Architecture all Maintainer 'm <m@x>' Description small > p/DEBIAN/control
dpkg-deb --root-owner-group -b p small.deb; dpkg-deb -c small.deb | wc -l
dpkg --root="$PWD/root" --log=/dev/null -i small.deb 2>&1 | grep -v Reading; dpkg --root="$PWD/root" -V small
dpkg --root="$PWD/root" -l | tail -1; md5sum root/opt/numbers
apt="-o Dir::State::Lists=$PWD/lists -o Dir::State::Status=$PWD/root/var/lib/dpkg/status -o Dir::Cache=$PWD/cache"
apt-cache $apt gencaches > log; apt-cache $apt policy small | grep -v /; apt-cache $apt search small; ls cache
dpkg --root="$PWD/root" --log=/dev/null -P small 2>&1 | grep -v Reading; ls root
"""

SCRIPTS = {"git": GIT, "lmdb": LMDB, "gold": GOLD, "sanitizer": SANITIZER, "dpkg": DPKG}

#: What is the same in two runs, byte by byte.
FILES = {"git": ("r/.git/packed-refs", "r/9/94"), "lmdb": (), "gold": ("b", "c"), "sanitizer": (), "dpkg": ()}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_program_that_maps_files_behaves_as_natively(name: str, tmp_path: Path) -> None:
    native, guest = tmp_path / "native", tmp_path / "guest"
    native.mkdir()
    guest.mkdir()
    script = SCRIPTS[name].encode()
    expected = subprocess.run(["sh", "-s"], cwd=native, input=script, capture_output=True, timeout=100)
    outcome = lbw("run", "--root", "/", "--bind", f"{guest}:/srv", "-w", "/srv", "/bin/sh", "-s", stdin=script)
    assert outcome.output == expected.stdout.decode()
    assert outcome.status == expected.returncode == 0
    assert outcome.errors == expected.stderr.decode()
    for file in FILES[name]:
        assert sha256((guest / file).read_bytes()).digest() == sha256((native / file).read_bytes()).digest()
