"""All that reports memory agrees: smaps, pagemap, mincore, statm, status, stat, meminfo, vmstat, sysinfo.

A guest uses memory in many ways, with children, and shows after each step what /proc says. Figures of processes must
agree with each other, and their sums with those of the machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict

import pytest
from lbw_command import FIXTURES, lbw

PAGE = 4  # kB


class Scene:
    """What was shown after one step: the texts by process (0: the machine) and name of the file."""

    def __init__(self) -> None:
        self.texts: dict[int, dict[str, str]] = defaultdict(dict)

    def numbers(self, pid: int, name: str) -> dict[str, int]:
        """Return labels and numbers of a file that has one of each in a line."""
        return {label: int(number) for label, number in re.findall(r"^(\S+?):?\s+(\d+)", self.texts[pid][name], re.M)}

    def mappings(self, pid: int) -> dict[int, dict[str, int]]:
        """Return the fields of each mapping of smaps, in kB, by its address; `kept`: it is a file's or shared."""
        found: dict[int, dict[str, int]] = {}
        for line in self.texts[pid]["smaps"].splitlines():
            if head := re.match(r"([0-9a-f]+)-[0-9a-f]+ ...(.) \S+ \S+ (\d+)", line):
                found[int(head[1], 16)] = fields = {"kept": head[2] == "s" or head[3] != "0"}
            elif field := re.match(r"(\w+): +(\d+)", line):
                fields[field[1]] = int(field[2])
        return found

    @property
    def processes(self) -> list[int]:
        return [pid for pid in self.texts if pid]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> dict[str, Scene]:
    directory = tmp_path_factory.mktemp("figures")
    root = directory / "root"
    for name in ("tmp", "proc", "dev", "etc", "work"):
        (root / name).mkdir(parents=True)
    source = FIXTURES / "guests" / "reports" / "figures.c"
    subprocess.run(["gcc", "-O1", "-static", "-w", "-o", directory / "figures", source], check=True)
    shutil.copy(directory / "figures", root / "figures")
    outcome = lbw("run", "--root", root, "/figures")
    assert outcome.errors == "" and outcome.status == 0
    found: dict[str, Scene] = defaultdict(Scene)
    for part in outcome.output.split("#")[1:]:
        head, text = part.split("\n", 1)
        scene, pid, name = head.rsplit(" ", 2)
        found[scene].texts[int(pid)][name] = text
    del found["warm"]  # the guest's own pages came into memory while it told
    return found


def test_figures_of_processes_agree(scenes: dict[str, Scene]) -> None:
    for name, scene in scenes.items():
        for pid in scene.processes:
            where = name, pid
            mappings, status = scene.mappings(pid), scene.numbers(pid, "status")
            rollup = scene.numbers(pid, "smaps_rollup")
            statm = [int(word) * PAGE for word in scene.texts[pid]["statm"].split()]
            stat = scene.texts[pid]["stat"].rsplit(")", 1)[1].split()

            def total(field: str, mappings=mappings) -> int:
                return sum(fields[field] for fields in mappings.values())

            assert total("Size") == status["VmSize"] == statm[0] == int(stat[20]) // 1024, where
            assert total("Rss") == status["VmRSS"] == statm[1] == int(stat[21]) * PAGE == rollup["Rss"], where
            assert status["VmRSS"] == status["RssAnon"] + status["RssFile"] + status["RssShmem"], where
            assert total("Anonymous") == status["RssAnon"] == rollup["Anonymous"], where
            assert statm[2] == status["RssFile"] + status["RssShmem"], where
            assert statm[5] == status["VmData"] + status["VmStk"], where
            assert status["VmPeak"] >= status["VmSize"] and status["VmHWM"] >= status["VmRSS"], where
            assert rollup["Pss"] <= rollup["Rss"], where
            nodes = scene.texts[pid]["numa_maps"]
            assert sum(map(int, re.findall(r" N0=(\d+)", nodes))) * PAGE == status["VmRSS"], where
            assert sum(map(int, re.findall(r" anon=(\d+)", nodes))) * PAGE == status["RssAnon"], where
            kinds = ("Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty")
            for fields in mappings.values():
                assert sum(fields[kind] for kind in kinds) == fields["Rss"] <= fields["Size"], where
                assert fields["Anonymous"] <= fields["Rss"] and fields["Pss"] <= fields["Rss"], where
            if len(scene.processes) == 1:  # else pages part while they are counted
                for kind in (*kinds, "Locked"):
                    assert abs(total(kind) - rollup[kind]) <= (len(mappings) if kind == "Locked" else 0), where
            assert rollup["Locked"] <= status["VmLck"], where


def test_pages_agree(scenes: dict[str, Scene]) -> None:
    for name, scene in scenes.items():
        for pid in scene.processes:
            mappings = scene.mappings(pid)
            for line in scene.texts[pid]["pages"].splitlines():
                address, size, present, core = (int(word, 16 if not i else 10) for i, word in enumerate(line.split()))
                fields, where = mappings[address], (name, pid, line)
                assert fields["Size"] == size * PAGE, where
                if fields["kept"] or size >= 256:
                    assert present * PAGE == fields["Rss"], where
                else:  # the page of zeroes is present, but resident it is not
                    assert present * PAGE >= fields["Rss"], where
                if pid == min(scene.processes):
                    assert core >= present, where
                    if not fields["kept"]:
                        assert core == present or fields["Size"] <= 2 * PAGE, where


def test_the_machine_is_the_sum_of_its_parts(scenes: dict[str, Scene]) -> None:
    kernel = scenes["start"].numbers(0, "meminfo")["Slab"]
    for name, scene in scenes.items():
        memory, counters = scene.numbers(0, "meminfo"), scene.numbers(0, "vmstat")
        system = scene.numbers(0, "sysinfo")
        parts = ("MemFree", "Cached", "AnonPages", "PageTables", "Slab")
        assert memory["MemTotal"] == sum(memory[part] for part in parts), name
        assert abs(memory["Slab"] - kernel) <= 64, name  # patches of the fault path
        assert memory["Cached"] == counters["nr_file_pages"] * PAGE, name
        assert memory["AnonPages"] == counters["nr_anon_pages"] * PAGE, name
        assert memory["Mlocked"] == counters["nr_mlock"] * PAGE == memory["Unevictable"], name
        assert memory["Active"] + memory["Inactive"] + memory["Unevictable"] == memory["AnonPages"] + memory["Cached"]
        assert (system["total"], system["shared"]) == (memory["MemTotal"], memory["Shmem"]), name
        assert abs(system["free"] - memory["MemFree"]) <= 64, name  # a page of the guest's in between
        rollups = [scene.numbers(pid, "smaps_rollup") for pid in scene.processes]
        if name not in ("the parent wrote", "forgotten"):  # a grandchild is not shown
            shown = sum(rollup["Pss_Anon"] for rollup in rollups)
            assert abs(shown - memory["AnonPages"]) <= (64 if len(rollups) > 1 else 1), name  # pages part meanwhile
            mapped = sum(rollup["Pss_File"] + rollup["Pss_Shmem"] for rollup in rollups)
            assert abs(mapped - memory["Mapped"]) <= 2 * len(rollups) + 2 * PAGE, name
        assert sum(rollup["Pss_Shmem"] for rollup in rollups) <= memory["Shmem"], name


def test_faults_that_read_from_the_host_are_major(scenes: dict[str, Scene]) -> None:
    start, mapped, executed = scenes["start"], scenes["a file"], scenes["executed"]
    first, last = start.numbers(0, "vmstat"), executed.numbers(0, "vmstat")
    assert 0 < first["pgmajfault"] <= last["pgmajfault"] <= last["pgfault"]
    assert first["pgpgin"] < mapped.numbers(0, "vmstat")["pgpgin"]
    assert last["pgpgout"] == 128  # kB, that were stored to by a mapping
    for scene in scenes.values():
        fields = scene.texts[min(scene.processes)]["stat"].rsplit(")", 1)[1].split()
        assert int(fields[7]) > 0 and 0 < int(fields[9]) <= scene.numbers(0, "vmstat")["pgmajfault"]


def test_what_steps_change(scenes: dict[str, Scene]) -> None:
    def of(name: str, field: str) -> int:
        scene = scenes[name]
        memory = scene.numbers(0, "meminfo")
        return memory[field] if field in memory else scene.numbers(min(scene.processes), "status")[field]

    def change(before: str, after: str, field: str) -> int:
        return of(after, field) - of(before, field)

    assert (change("start", "mapped", "VmSize"), change("start", "mapped", "VmRSS")) == (8192, 0)
    assert change("start", "mapped", "Committed_AS") == 8192
    assert change("mapped", "touched", "RssAnon") == change("mapped", "touched", "AnonPages") == 4096
    assert change("touched", "shared", "RssShmem") == change("touched", "shared", "Shmem") == 2048
    assert change("shared", "forked", "RssAnon") == 0
    assert change("shared", "forked", "AnonPages") < 1024  # 4 MB are not copied
    assert 512 <= change("forked", "a child wrote", "AnonPages") < 1536
    assert change("alone", "start", "Shmem") == -2048
    assert change("alone", "moved", "VmSize") == 8192
    assert (of("locked", "VmLck"), of("locked", "Mlocked")) == (512, 512)
    assert change("locked", "a file of tmpfs", "Shmem") == 516
    assert (of("a file", "Dirty"), of("written back", "Dirty")) == (128, 0)
    assert change("a file of tmpfs", "a file", "RssAnon") == 256
    assert change("written back", "unmapped", "Shmem") == -516
    assert (of("executed", "VmLck"), of("executed", "Shmem"), of("executed", "Mlocked")) == (0, 0, 0)
    assert of("executed", "VmSize") == of("start", "VmSize")
