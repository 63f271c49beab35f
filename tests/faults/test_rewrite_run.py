"""Rewritten programs and libraries under lbw: the same output in every mode, fewer faults, no PC in a fragment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lbw import PIPE, Bind, Machine, rewrite_elf
from lbw.faults.rewritten import LAYOUT, VERSION, read_image

GUESTS = Path(__file__).parents[2] / "chroot_fixtures" / "guests" / "rewritten"
MODES = ["patch", "fault", "base"]
BUILDS = {
    "static": ["-static"], "static-pie": ["-static-pie", "-fPIE"], "pie": ["-pie"], "no-pie": ["-no-pie"],
    "32-static": ["-m32", "-static"], "32-static-pie": ["-m32", "-static-pie", "-fPIE"], "32-pie": ["-m32", "-pie"],
}  # fmt: skip
LIBC = {64: "/lib/x86_64-linux-gnu/libc.so.6", 32: "/lib32/libc.so.6"}
LOADERS = {64: "/lib64/ld-linux-x86-64.so.2", 32: "/lib32/ld-linux.so.2"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """Guests as built (NAME-KIND), and rewritten (NAME-KIND.new); libraries in 64/ and 32/."""
    directory = tmp_path_factory.mktemp("guests")
    for name in ("signals", "threads", "headers"):
        for kind, options in BUILDS.items():
            if name == "signals" and not {"-static", "-static-pie"}.intersection(options):
                continue
            program = directory / f"{name}-{kind}"
            source = GUESTS / f"{name}.c"
            subprocess.run(["gcc", "-O1", "-pthread", *options, "-o", program, source], check=True)
            rewrite(program, Path(f"{program}.new"))
    for bits in (64, 32):
        (directory / str(bits)).mkdir()
        rewrite(Path(LIBC[bits]), directory / str(bits) / "libc.so.6")
        rewrite(Path(LOADERS[bits]), directory / str(bits) / "ld.so")
    return directory


def rewrite(source: Path, target: Path) -> None:
    target.write_bytes(rewrite_elf(source.read_bytes()).data)
    target.chmod(0o755)


def make_machine(directory: Path, segments: str = "patch") -> Machine:
    """A machine with this host's own files, and `directory` at /guests."""
    return Machine("/", binds=[Bind(directory, "/guests")], memory=512 << 20, segments=segments)


@pytest.fixture(scope="module", params=MODES)
def machine(request, directory):
    with make_machine(directory, request.param) as machine:
        yield machine


@pytest.fixture(scope="module")
def expected(directory):
    """What guests say natively: name -> (status, output)."""
    outcomes = {}
    for name in ("signals-static", "threads-pie", "signals-32-static", "threads-32-pie"):
        process = subprocess.run([directory / name], capture_output=True)
        outcomes[name.split("-")[0], "32" in name] = process.returncode, process.stdout
    return outcomes


@pytest.mark.parametrize("kind", ["static", "static-pie", "32-static", "32-static-pie"])
def test_signal_handlers_see_the_program_only(kind, machine, directory, expected):
    """Timers that hit fragments, single steps, page faults that are the program's own: sites, registers, addresses."""
    result = machine.run([f"/guests/signals-{kind}.new"], stdout=PIPE, stderr=PIPE)
    assert result.stderr == b""
    assert (result.status, result.stdout) == expected["signals", kind.startswith("32")]


@pytest.mark.parametrize("kind", BUILDS)
def test_threads_have_their_own_memory(kind, machine, directory, expected):
    result = machine.run([f"/guests/threads-{kind}.new"], stdout=PIPE, stderr=PIPE)
    assert result.stderr == b""
    assert (result.status, result.stdout) == expected["threads", kind.startswith("32")]


@pytest.mark.parametrize("kind", BUILDS)
def test_programs_find_their_headers(kind, machine, directory):
    """dl_iterate_phdr, AT_PHDR, AT_ENTRY, unwinding and the heap are as in the program that was rewritten."""
    native = subprocess.run([directory / f"headers-{kind}"], capture_output=True)
    result = machine.run([f"/guests/headers-{kind}.new"], stdout=PIPE, stderr=PIPE)
    assert result.stderr == b""
    assert (result.status, result.stdout) == (native.returncode, native.stdout)
    assert b"headers 1, code 1" in native.stdout


@pytest.mark.parametrize(("bits", "kind"), [(64, "pie"), (32, "32-pie")])
def test_a_rewritten_libc_serves_a_plain_program(bits, kind, machine, directory, expected):
    environment = {"LD_LIBRARY_PATH": f"/guests/{bits}"}
    result = machine.run([f"/guests/threads-{kind}"], env=environment, stdout=PIPE, stderr=PIPE)
    assert result.stderr == b""
    assert (result.status, result.stdout) == expected["threads", bits == 32]


@pytest.mark.parametrize(("bits", "kind"), [(64, "pie"), (32, "32-pie")])
def test_a_rewritten_dynamic_loader_starts_programs(bits, kind, machine, directory, expected):
    command = [f"/guests/{bits}/ld.so", "--library-path", f"/guests/{bits}", f"/guests/threads-{kind}.new"]
    result = machine.run(command, stdout=PIPE, stderr=PIPE)
    assert result.stderr == b""
    assert (result.status, result.stdout) == expected["threads", bits == 32]


@pytest.mark.parametrize("name", ["bash", "python3", "true"])
def test_real_programs_run_rewritten(name, machine, directory):
    program = directory / name
    if not program.exists():
        rewrite(Path(shutil.which(name, path="/usr/bin:/bin") or "").resolve(), program)
    scripts = {
        "bash": "f() { local i; for ((i = 0; i < 50; i++)); do echo $((i * i)); done; }; f | sort | cat; exit 4",
        "python3": "import threading, sys; t = threading.Thread(target=print, args=(1,)); t.start(); t.join(); "
        "print(sum(map(float, range(999)))); sys.exit(4)",
    }
    words = ["-c", scripts[name]] if name in scripts else []
    environment = {"LD_LIBRARY_PATH": "/guests/64"}
    result = machine.run([f"/guests/{name}", *words], env=environment, stdout=PIPE, stderr=PIPE)
    native = subprocess.run(["/usr/bin/" + name, *words], capture_output=True)
    assert result.stderr == b""
    assert (result.status, result.stdout) == (native.returncode, native.stdout)


@pytest.mark.parametrize("kind", ["static", "32-static"])
def test_there_are_fewer_faults(kind, directory):
    counts = []
    for suffix in ("", ".new"):
        with make_machine(directory, "fault") as machine:
            assert machine.run([f"/guests/threads-{kind}{suffix}"], stdout=PIPE).status == 9
            assert machine._board is not None
            counts.append(machine._board.faults.traps)
    assert counts[1] < counts[0] / 10
    assert counts[1] > 0  # it traps where it must


def test_another_version_is_refused(directory, tmp_path):
    """A file for another layout of the cell says that it was made for lbw, and does not run."""
    data = bytearray((directory / "threads-static.new").read_bytes())
    layout = LAYOUT.to_bytes(4, "little")
    assert data.count(layout) >= 2
    program = tmp_path / "program"
    program.write_bytes(data.replace(layout, bytes(4)))
    program.chmod(0o755)
    with make_machine(tmp_path) as machine:
        result = machine.run(["/guests/program"], stdout=PIPE, stderr=PIPE)
    assert result.status == 126
    assert b"rewritten for lbw" in result.stderr
    assert read_image(lambda offset, length: bytes(data.replace(layout, bytes(4)))[offset:][:length]) is None
    assert VERSION == 1


def test_a_damaged_table_does_no_harm(directory, tmp_path):
    """The program may see strange registers, as it could have by itself; lbw goes on."""
    data = bytearray((directory / "signals-static.new").read_bytes())
    image = read_image(lambda offset, length: bytes(data[offset : offset + length]))
    table = data.rindex(b"\x01\0\0\0" + LAYOUT.to_bytes(4, "little"))
    start = int.from_bytes(data[table + 8 : table + 16], "little")
    for offset in range(start + 16, image.start, 3):
        data[offset] = (data[offset] + 77) & 0xFF
    code = (directory / "signals-static.new").read_bytes()
    data[image.start - 4096 : image.start] = code[image.start - 4096 : image.start]  # the stub
    program = tmp_path / "program"
    program.write_bytes(data)
    program.chmod(0o755)
    with make_machine(tmp_path) as machine:
        result = machine.run(["/usr/bin/timeout", "-s", "KILL", "20", "/guests/program"], stdout=PIPE, stderr=PIPE)
        assert b"lbw:" not in result.stderr
        assert machine.run(["/bin/true"]).status == 0
