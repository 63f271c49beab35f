"""`lbw faults` and `lbw run --faults`: the list of segment accesses, against a guest whose accesses are known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from lbw_command import FIXTURES, lbw

import lbw as library

SOURCE = FIXTURES / "guests/segments/sites.c"
#: Function of the guest -> what becomes of its access.
KINDS = {"long_site": "patched", "short_site": "punned", "call_site": "punned", "stepped_site": "stepped"}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A root with the guest."""
    root = tmp_path_factory.mktemp("sites")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/sites\n")
    subprocess.run(["gcc", "-O1", "-static", "-o", root / "sites", SOURCE], check=True)
    return root


def listed(root: Path, directory: Path, *options: str) -> list[dict]:
    path = directory / "sites.json"
    outcome = lbw("faults", "--json", "-o", path, *options, "--root", root, "/sites")
    assert (outcome.status, outcome.output, outcome.errors) == (0, "560\n", "")
    return json.loads(path.read_text())


def of_guest(sites: list[dict]) -> dict[str, dict]:
    """Return the sites of the functions in KINDS, and the one outside of files."""
    named = {site["symbol"].partition("+")[0]: site for site in sites}
    return {name: named[name] for name in KINDS} | {"jit": next(site for site in sites if not site["path"])}


def test_the_list_names_file_symbol_kind_and_traps(root, tmp_path):
    found = of_guest(listed(root, tmp_path))
    assert {name: site["kind"] for name, site in found.items()} == KINDS | {"jit": "redirected"}
    assert {name: site["traps"] for name, site in found.items()} == {
        "long_site": 1, "short_site": 1, "call_site": 1, "stepped_site": 10, "jit": 10,
    }  # fmt: skip
    image = (root / "sites").read_bytes()
    for name in KINDS:
        site = found[name]
        code = bytes.fromhex(site["code"])
        assert site["path"] == "/sites"
        assert image[site["offset"] : site["offset"] + len(code)] == code
        assert bool(site["reason"]) == (site["kind"] in ("redirected", "stepped"))
    assert found["long_site"]["code"] == "64488b042510000000"
    assert (found["jit"]["code"], found["jit"]["offset"]) == ("64488b07", 0)
    assert found["stepped_site"]["mnemonic"] == "lodsq"
    assert found["stepped_site"]["fragment_code"] == ""


def test_patches_jump_to_fragments_and_these_stand_for_what_is_there(root, tmp_path):
    sites = [site for site in listed(root, tmp_path) if site["patch"]]
    assert {site["kind"] for site in sites} == {"patched", "punned"}
    image = (root / "sites").read_bytes()
    for site in sites:
        patch, overlap, address = bytes.fromhex(site["patch"]), bytes.fromhex(site["overlap"]), site["address"]
        assert bool(overlap) == (site["kind"] == "punned")
        assert len(patch) <= len(site["code"]) // 2
        behind = site["offset"] + len(site["code"]) // 2
        assert image[behind : behind + len(overlap)] == overlap
        jump = (patch + overlap).lstrip(b"\x2e")
        assert jump[0] == 0xE9
        target = address + len(patch + overlap) + int.from_bytes(jump[1:], "little", signed=True)
        assert target == site["fragment"]
        at, original, code = site["steps"][0]
        assert (at, original, code) == (0, address, site["code"])
        for at, original, code in site["steps"]:
            start = site["offset"] + original - address
            assert at < len(site["fragment_code"]) // 2
            assert image[start : start + len(code) // 2].hex() == code


def test_nothing_is_patched_in_fault_mode_and_nothing_traps_in_base_mode(root, tmp_path):
    found = of_guest(listed(root, tmp_path, "--segments=fault"))
    assert {name: site["kind"] for name, site in found.items()} == {
        "long_site": "redirected", "short_site": "redirected", "call_site": "redirected", "stepped_site": "stepped",
        "jit": "redirected",
    }  # fmt: skip
    assert not any(site["patch"] for site in found.values())
    assert found["long_site"]["traps"] == 11
    assert listed(root, tmp_path, "--segments=base") == []


def test_the_list_for_people_leaves_the_output_of_the_program_alone(root):
    outcome = lbw("faults", "--root", root, "/sites", "3")
    assert (outcome.status, outcome.output) == (3, "560\n")
    lines = outcome.errors.splitlines()
    first = next(index for index, line in enumerate(lines) if "long_site+0x0 at 0x" in line)
    assert lines[first].endswith(": patched, 1 trap")
    assert "64 48 8b 04 25 10 00 00 00" in lines[first + 1] and "mov rax, qword ptr fs:[0x10]" in lines[first + 1]
    assert lines[first + 2].lstrip().startswith("e9 ") and "[cell FS_BASE]" in lines[first + 2]
    assert any(line.endswith("redirected (not the unchanged code of a file), 10 traps") for line in lines)
    assert any(line.endswith("stepped (no translation), 10 traps") for line in lines)
    assert "[c3 " in outcome.errors  # the byte of the following ret that the jump over the call uses
    assert lines[first + 1].index("mov qword ptr [cell SAVE_0]") == lines[first + 2].index("mov ")
    assert " sites, " in lines[-1]


def test_run_lists_too(root, tmp_path):
    listing = tmp_path / "listing"
    outcome = lbw("run", f"--faults={listing}", "--root", root, "/sites", "4")
    assert (outcome.status, outcome.output, outcome.errors) == (4, "560\n", "")
    assert "long_site+0x0" in listing.read_text()
    outcome = lbw("run", "--faults", "--root", root, "/sites", "4")
    assert (outcome.status, outcome.output) == (4, "560\n")
    assert outcome.errors == listing.read_text()


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["faults", "/bin/nosuch"], 127, "no such program"),
        (["faults", "/etc"], 126, "is a directory"),
        (["faults"], 125, "which program?"),
        (["faults", "--segments", "all", "/sites"], 125, "--segments is one of patch, fault, base"),
        (["faults", "--faults", "/sites"], 125, "--faults"),
        (["faults", "-o"], 125, "-o"),
        (["faults", "-o", "/nonexistent/list", "/sites"], 125, "cannot write the list of faults to /nonexistent/list"),
        (["run", "--faults=/nonexistent/list", "/sites"], 125, "/nonexistent/list"),
        (["run", "--faults=", "/sites"], 125, "cannot write"),
        (["run", "--json", "/sites"], 125, "--json"),
    ],
)
def test_a_mistake_is_named(words, status, part, root):
    outcome = lbw(words[0], "--root", root, *words[1:])
    assert (outcome.status, outcome.output) == (status, "")
    lines = [line for line in outcome.errors.splitlines() if line.startswith("lbw: ")]
    assert len(lines) == 1 and part in lines[0], outcome
    assert "Traceback" not in outcome.errors


def test_a_full_disk_is_told_after_the_program_has_run(root):
    outcome = lbw("faults", "-o", "/dev/full", "--root", root, "/sites")
    assert (outcome.status, outcome.output) == (125, "560\n")
    assert outcome.errors == "lbw: cannot write the list of faults to /dev/full: No space left on device\n"


def test_sites_of_a_machine(root):
    with library.Machine(root) as machine:
        assert machine.sites() == []
        for _ in range(2):
            assert machine.run(["/sites"], stdout=library.PIPE).stdout == b"560\n"
        sites = machine.sites()
        assert all(isinstance(site, library.SegmentSite) for site in sites)
        found = {site.symbol: site for site in sites}
        assert found["long_site+0x0"].traps == 1  # the second run found it patched
        assert found["stepped_site+0x2"].traps == 20
        places = [(site.path, site.offset) for site in sites]
        assert places == sorted(places)
    assert machine.sites() == []


def test_a_file_that_is_gone_is_listed_without_symbols(debian_root, tmp_path):
    listing = tmp_path / "listing"
    for options in ((), ("-b", f"{tmp_path}:/mnt")):
        script = "cp /bin/ls /mnt/program; /mnt/program / > /dev/null; rm /mnt/program"
        outcome = lbw("faults", "-o", listing, "--overlay", "--root", debian_root, *options, "/bin/sh", "-c", script)
        assert (outcome.status, outcome.errors) == (0, "")
        lines = listing.read_text().splitlines()
        first = lines.index("/mnt/program (deleted)") + 1
        assert ": patched, 1 trap" in lines[first]
        assert "fs:[0x28]" in lines[first + 1]
