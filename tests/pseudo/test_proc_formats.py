"""The formats of /proc, against what the host's kernel prints."""

from __future__ import annotations

import os
import sys

import pytest
from pseudo_world import World, make_memory, read_all

from lbw.abi.cpuid import Identity
from lbw.abi.fcntl import O_LARGEFILE, O_RDONLY
from lbw.abi.mman import MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.resource import RLIM_INFINITY
from lbw.mm.kernel_pages import KernelPages
from lbw.mm.vma import Vma
from lbw.vfs.location import Location
from lbw.vfs.mount import Mount
from lbw.vfs.operations import open_file
from lbw.vfs.proc.cpuinfo import cpuinfo
from lbw.vfs.proc.maps import mappings
from lbw.vfs.proc.status import limits as limits_text
from lbw.vfs.pseudo import PseudoFileSystem, PseudoInode

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="compares with the host's /proc")


@pytest.fixture
def world() -> World:
    return World()


def proc(world: World, path: str) -> str:
    return read_all(open_file(world.ctx, b"/proc/" + path.encode(), O_RDONLY, 0)).decode()


def host(path: str) -> str:
    with open("/proc/" + path) as file:
        return file.read()


def labels(text: str, separator: str = ":") -> list[str]:
    return [line.split(separator)[0] for line in text.splitlines() if line]


def in_order(ours: list[str], theirs: list[str]) -> bool:
    """Whether those of `ours` that are in `theirs` have the same order there, and most are."""
    common = [label for label in ours if label in theirs]
    return common == [label for label in theirs if label in ours] and len(common) >= 0.9 * len(ours)


@on_linux
@pytest.mark.parametrize("path", ["self/status", "meminfo", "self/fdinfo/0", "self/smaps_rollup"])
def test_labels_are_the_hosts(world: World, path: str) -> None:
    world.me.files.install(open_file(world.ctx, b"/dev/null", O_RDONLY, 0))
    ours, theirs = proc(world, path), host(path)
    assert in_order(labels(ours), labels(theirs))
    blanks = {line.split(":")[0]: line.split(":")[1][:1] for line in theirs.splitlines() if ":" in line}
    for line in ours.splitlines():
        if ":" in line and line.split(":")[0] in blanks:
            assert line.split(":")[1][:1] == blanks[line.split(":")[0]], line


@on_linux
def test_keys_of_stat_and_vmstat_are_the_hosts(world: World) -> None:
    for path in ("stat", "vmstat"):
        theirs = labels(host(path), " ")
        ours = labels(proc(world, path), " ")
        assert set(ours) <= set(theirs)
        assert in_order(ours, [label for label in theirs if not (label.startswith("cpu") and label > "cpu0")])


@on_linux
def test_one_line_files_have_the_fields_of_the_host(world: World) -> None:
    for path in ("uptime", "loadavg", "self/statm"):
        ours, theirs = proc(world, path), host(path)
        assert len(ours.split()) == len(theirs.split())
        assert [word.count(".") for word in ours.split()] == [word.count(".") for word in theirs.split()]
    assert proc(world, "swaps").split() == host("swaps").split()[:5]
    assert proc(world, "self/uid_map") == host("self/uid_map")


def test_stat_of_a_process(world: World) -> None:
    now = world.me.figures
    now.parent, now.group, now.session, now.state = 3, 4, 5, "S"
    now.user_time, now.system_time, now.nice, now.start_time = 1_230_000_000, 50_000_000, -5, 2_000_000_000
    now.blocked = 1 << 40 | 6
    text = proc(world, "10/stat")
    head, tail = text.rsplit(")", 1)
    assert head == "10 (fake (1)"
    fields = [*head.split(" ", 1), *tail.split()]
    assert len(fields) == 52
    numbered = dict(enumerate(fields, 1))
    assert (numbered[3], numbered[4], numbered[5], numbered[6]) == ("S", "3", "4", "5")
    assert (numbered[14], numbered[15], numbered[18], numbered[19]) == ("123", "5", "15", "-5")
    assert (numbered[22], numbered[23], numbered[24], numbered[25]) == ("200", "8192", "0", str(RLIM_INFINITY))
    assert numbered[32] == "6"  # blocked: only the low 31 bits
    if sys.platform == "linux":
        assert len(fields) == len(host("self/stat").split())


@on_linux
def test_limits_are_printed_as_on_the_host() -> None:
    import resource

    rows = host("self/limits").splitlines()[1:]
    names = ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS")

    class View:
        def limits(self):
            for line, name in zip(rows, names, strict=False):
                pair = [
                    RLIM_INFINITY if value == resource.RLIM_INFINITY else value
                    for value in resource.getrlimit(getattr(resource, "RLIMIT_" + name))
                ]
                yield line[:25].rstrip(), *pair, line[68:].strip()

    class Entry:
        view = View()

    ours = limits_text(Entry()).decode().splitlines()
    assert ours == host("self/limits").splitlines()[: len(ours)]


@on_linux
def test_maps_are_printed_as_on_the_host() -> None:
    memory, theirs = make_memory(), host("self/maps").splitlines()
    memory.munmap(0, 1 << 40)
    for line in theirs:
        span, access, offset, device, ino, *name = line.split(None, 5)
        start, end = (int(address, 16) for address in span.split("-"))
        prot = sum(bit for bit, letter in ((PROT_READ, "r"), (PROT_WRITE, "w"), (PROT_EXEC, "x")) if letter in access)
        location, backing, label = None, None, name[0].encode() if name else b""
        if int(ino):
            major, minor = (int(part, 16) for part in device.split(":"))
            fs = PseudoFileSystem(os.makedev(major, minor))
            mount = Mount(1, fs, None, 0, b"")
            location = Location(mount, PseudoInode(fs, int(ino), 0o755), None, label)
            backing, label = KernelPages(label.decode(), []), b""
        elif label == b"[heap]":
            memory.start_brk, memory.brk_end = start, end
        elif label == b"[stack]":
            memory.start_stack = end - 100
        elif label:
            backing = KernelPages(label.decode(), [])
        kept = label if backing is not None else b""
        shared = MAP_SHARED if "s" in access else MAP_PRIVATE
        vma = Vma(start, end, prot, shared, backing, int(offset, 16), kept, location)
        memory.vmas.insert(vma, joining=False)  # what the host keeps apart for reasons that maps does not show
    assert mappings(memory, lambda location: location.name).decode().splitlines() == theirs


@on_linux
def test_cpuinfo_has_the_hosts_labels_and_the_processors_flags() -> None:
    identity = Identity(fsgsbase=True)
    text = cpuinfo(identity).decode()
    ours, theirs = labels(text, ":"), labels(host("cpuinfo"), ":")
    assert [label for label in ours if label in theirs] == [
        label for label in dict.fromkeys(theirs) if label in ours
    ]  # fmt: skip
    assert text.endswith("power management:\n\n")
    known = {"sse", "sse2", "pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "cx16", "lahf_lm"}  # x86-64-v2
    assert known <= set(identity.flags())
    assert not {"avx", "avx2", "fma", "f16c"} & set(identity.flags())


@on_linux
def test_fdinfo_is_the_hosts(world: World) -> None:
    file = open_file(world.ctx, b"/dev/zero", os.O_RDWR | os.O_NONBLOCK | O_LARGEFILE, 0)
    fd = world.me.files.install(file, close_on_exec=True)
    native = os.open("/dev/zero", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        theirs = host(f"self/fdinfo/{native}").splitlines()
    finally:
        os.close(native)
    ours = proc(world, f"self/fdinfo/{fd}").splitlines()
    assert ours[:2] == theirs[:2]


def test_mounts(world: World) -> None:
    rows = [line.split(" ") for line in proc(world, "mounts").splitlines()]
    assert [(row[0], row[1], row[2]) for row in rows[1:]] == [
        ("devtmpfs", "/dev", "devtmpfs"),
        ("proc", "/proc", "proc"),
    ]
    assert all(len(row) == 6 and row[4:] == ["0", "0"] for row in rows)
    info = [line.split(" ") for line in proc(world, "self/mountinfo").splitlines()]
    assert [row[4] for row in info] == ["/", "/dev", "/proc"]
    assert info[1][1] == info[0][0] and info[2][1] == info[0][0]
    assert all(row[6] == "-" for row in info)
