"""What the fault path costs: the same lbw with the bases of FS and GS withheld, or not (`--segments`).

`lbw` is the default, patch; `lbw-base` has the true bases in the processor, so there is nothing to pay for; `lbw-fault`
traps at every access.  docs/fault-path.md
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from benchmarks.peers import Lbw, Peer
from benchmarks.works import Measure, Places, Work, command, micro, number_of, run

#: Builtins of bash: functions, arithmetic, arrays, strings, patterns; a few subshells.
BASH = r"""
fib() { if (($1 < 2)); then r=$1; else local a; fib $(($1 - 1)); a=$r; fib $(($1 - 2)); r=$((r + a)); fi; }
fib 12
for ((i = 0; i < 2000; i++)); do
    a[i % 100]=$((i * 7)); s="${a[i % 50]}-$i"; s=${s//7/x}
    case $s in *x*) n=$((n + 1));; esac
done
for i in {1..20}; do t=$(echo "$i $n"); done
[[ $r == 144 && $t == "20 $n" ]]
"""
PERL = """my %h;
for my $i (1..20000) { $h{$i % 1000} .= chr(65 + $i % 26); }
my @k = sort { $h{$a} cmp $h{$b} } keys %h; print scalar @k"""
PYTHON = "print(sum(len(str(i ** 3)) for i in range(20000)), max({str(i): i for i in range(10000)}))"
GCC = """
echo 'int puts(const char *); int main(int n, char **v) { while (n--) puts(v[n]); return 0; }' > /tmp/a.c
gcc -O2 -o /tmp/a /tmp/a.c"""


class Mode(Lbw):
    """lbw with another value of --segments."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        if mode != "patch":
            self.name = f"lbw-{mode}"

    def command(self, root: Path, program: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        words = super().command(root, program, *arguments)
        assert words is not None
        at = words.index("run") + 1
        return [*words[:at], f"--segments={self.mode}", *options, *words[at:]]


MODES: tuple[Peer, ...] = (Mode("patch"), Mode("base"), Mode("fault"))


def dynamic(program: str, *arguments: str) -> Measure:
    """Measure a guest that is linked dynamically, with the libraries of the Debian root, by its own clock; in ns."""

    def measure(peer: Peer, places: Places) -> float | None:
        directory = places.guests / "dynamic"
        if not isinstance(peer, Mode) or not (directory / program).exists():
            return None
        bind = ("--overlay", "-b", f"{directory}:/mnt:ro")
        return number_of(run(peer.command(places.debian, f"/mnt/{program}", *arguments, options=bind)))

    return measure


def distinct_sites(warm: bool) -> Measure:
    """Measure what the first trap at a site costs, in us; `warm`: its translation is known from an earlier run."""

    def measure(peer: Peer, places: Places) -> float | None:
        words = peer.command(places.guests, "/sites")
        if words is None or not (places.guests / "sites").exists() or peer.name == "lbw-base":
            return None
        with tempfile.TemporaryDirectory(prefix="lbw-bench-") as cache:
            words = ["env", f"LBW_CACHE_HOME={cache}", *words]
            if warm:
                run(words)
            return number_of(run(words)) * 1e-3

    return measure


def redirected(peer: Peer, places: Places) -> float | None:
    """Return what a trap costs at a site that cannot be patched, us."""
    if peer.name == "lbw-base" or not (places.guests / "tls").exists():
        return None
    return number_of(run(peer.command(places.guests, "/tls", "jit") or [])) * 1e-3


def still_trapping(*words: str, needs: str = "") -> Measure:
    """Measure which share of all executed accesses traps in spite of patches, first traps at a site aside; in %.

    How many accesses are executed tell the traps of a run in which all of them trap. What the Debian root does not
    have is the host's; `needs` names what is looked for, if it is not the program.
    """

    def measure(peer: Peer, places: Places) -> float | None:
        if peer.name != "lbw":
            return None
        program = (needs or words[0]).lstrip("/")
        root = next((root for root in (places.debian, Path("/")) if (root / program).exists()), None)
        if root is None:
            return None
        executed = sum(traps_of("fault", root, *words))
        return 100 * sum(traps - 1 for traps in traps_of("patch", root, *words)) / executed

    return measure


def traps_of(mode: str, root: Path, program: str, *arguments: str) -> list[int]:
    """Return how many traps each site had in a run."""
    with tempfile.TemporaryDirectory(prefix="lbw-bench-") as scratch:
        listing = os.path.join(scratch, "sites")
        words = Mode(mode).command(root, program, *arguments, options=("--overlay", "--json", "-o", listing))
        words[words.index("run")] = "faults"
        run(words)
        with open(listing, encoding="utf-8") as file:
            return [site["traps"] for site in json.load(file)]


SEGMENT_WORKS: tuple[Work, ...] = (
    Work("errno: set and read", "ns", dynamic("tls", "errno")),
    Work("malloc + free", "ns", dynamic("tls", "malloc"), 1.15, relative_to="lbw-base"),
    Work("call with stack protector", "ns", dynamic("tls", "protector")),
    Work("C++ throw + catch", "ns", dynamic("throw")),
    Work("qsort of 2 M ints, by modes", "s", micro("qsort", 1, 1e-9), 1.05, relative_to="lbw-base"),
    Work("bash script, whole command", "ms", command("/bin/bash", "-c", BASH), 1.05, relative_to="lbw-base"),
    Work("first trap: translate, patch", "us", distinct_sites(warm=False), 150),
    Work("first trap, translation known", "us", distinct_sites(warm=True)),
    Work("trap at a redirected site", "us", redirected, 8),
    Work("accesses that still trap: bash", "%", still_trapping("/bin/bash", "-c", BASH), 5),
    Work("accesses that still trap: perl", "%", still_trapping("/usr/bin/perl", "-e", PERL), 5),
    Work("accesses that still trap: python3", "%", still_trapping("/usr/bin/python3", "-c", PYTHON), 5),
    Work("accesses that still trap: gcc", "%", still_trapping("/bin/sh", "-c", GCC, needs="/usr/bin/gcc"), 5),
)
