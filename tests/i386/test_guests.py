"""32-bit guests natively and under lbw, in all ways to treat segments.

Frames, thread areas, modes, personality, threads, exec from ABI to ABI.

Some are compiled for both ABIs: what a 64-bit program does with 32-bit means is as much part of it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from lbw_command import FIXTURES, lbw

GUESTS = FIXTURES / "guests" / "i386"
SEGMENTS = ("base", "fault", "patch")

#: Name: (source, flags of gcc)
PROGRAMS = {
    "frames": ("frames.c", "-m32", "-static"),
    "personality": ("personality.c", "-m32", "-static"),
    "personality, stack executable": ("personality.c", "-m32", "-static", "-z", "execstack"),
    "personality 64": ("personality.c", "-m64", "-static"),
    "segments": ("segments.c", "-m32", "-static"),
    "segments 64": ("segments.c", "-m64", "-static"),
    "modes": ("modes.c", "-m32", "-static"),
    "modes 64": ("modes.c", "-m64", "-static"),
    "threads": ("threads.c", "-m32", "-static"),
    "threads, dynamic": ("threads.c", "-m32"),
    "threads, static-pie": ("threads.c", "-m32", "-static-pie"),
    "threads, no-pie": ("threads.c", "-m32", "-no-pie"),
    "stepping": ("stepping.c", "-m32", "-static", "-no-pie", "-O0"),
    "restorer": ("restorer.c", "-m32", "-static"),
    "socketcall": ("socketcall.c", "-m32", "-static"),
    "ipc": ("ipc.c", "-m32", "-static"),
    "exceptions": ("exceptions.cc", "-m32"),
    "exceptions, static": ("exceptions.cc", "-m32", "-static"),
}

#: Guests of the other areas that say much about 32-bit programs too.
SHARED: tuple[str, ...] = (
    "unix/datagram.c",
    "unix/names.c",
    "unix/options.c",
    "unix/rights.c",
    "unix/signals.c",
    "unix/stream.c",
    "unix/waiting.c",
    "memory/crossings.c",
    "memory/fault_table.c",
    "memory/file_ends.c",
    "memory/madvise.c",
    "memory/many_vmas.c",
    "memory/merging.c",
    "memory/mlock.c",
    "memory/mmap_flags.c",
    "memory/mprotect.c",
    "memory/mremap.c",
    "memory/stack_growth.c",
    "memory/breakpoints.c",
    "memory/process_vm.c",
    "memory/reporting.c",
    "memory/fork_memory.c",
    "memory/shared_code.c",
    "memory/shared_files.c",
    "ipc/mqueue.c",
    "ipc/shared.c",
    "ipc/sysv.c",
    "memory/memfd_seals.c",
    "memory/shm_files.c",
    "memory/tmpfs_map.c",
    "memory/writable_code.c",
    "signals/faults.c",
    "signals/queues.c",
    "signals/restarts.c",
    "signals/sigreturn.c",
    "signals/stops.c",
    "signals/targets.c",
    "signals/unwinding.cc",
    "threads/clone.c",
    "threads/identity.c",
    "threads/life.c",
    "threads/pidfd.c",
    "threads/rseq.c",
    "threads/spawn.c",
    "threads/futex_errors.c",
    "threads/futex_wait.c",
    "threads/futex_locks.c",
    "threads/robust.c",
    "time/clocks.c",
    "time/sleeps.c",
    "time/timerfds.c",
    "time/timers.c",
    "time/vdso.c",
    "tty/flow.c",
    "tty/pty.c",
    "waiting/epoll.c",
    "waiting/descriptors.c",
    "waiting/polling.c",
)
PROGRAMS |= {name: (f"../{name}", "-m32", "-static") for name in SHARED}


@pytest.fixture(scope="session")
def binaries(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("i386")


def build(binaries: Path, source: str, *flags: str) -> Path:
    """Compile a guest, once."""
    program = binaries / "".join(c for c in source + "".join(flags) if c.isalnum())
    if not program.exists():
        compiler = "g++" if source.endswith(".cc") else "gcc"
        subprocess.run([compiler, "-O1", "-w", "-pthread", *flags, "-o", program, GUESTS / source, "-lm"], check=True)
    return program


def natively(program: Path, *arguments: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, cwd=directory,
            env={"PATH": "/usr/bin:/bin", "HOME": "/root"}, start_new_session=True, preexec_fn=lambda: os.umask(0o22),
        )  # fmt: skip
    status = process.returncode
    return (128 - status if status < 0 else status), process.stdout.decode(errors="replace")


def under_lbw(program: Path, *arguments: str, segments: str = "patch") -> tuple[int, str]:
    """Run in the host's root, whose libraries the dynamic ones need; the guest finds its programs in /mnt."""
    options = ("--root", "/", "--bind", f"{program.parent}:/mnt", "--segments", segments)
    outcome = lbw("run", *options, f"/mnt/{program.name}", *arguments)
    errors = [line for line in outcome.errors.splitlines() if "unknown system call 9999" not in line]
    assert not errors
    return outcome.status, outcome.output


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_guest_behaves_as_it_does_natively(name, segments, binaries):
    program = build(binaries, *PROGRAMS[name])
    assert under_lbw(program, segments=segments) == natively(program)


def test_programs_of_both_abis_start_each_other(binaries):
    small, large = build(binaries, "relay.c", "-m32"), build(binaries, "relay.c", "-m64", "-static")
    for first, second in ((small, large), (large, small)):
        status, output = natively(first, "0", str(first), str(second))
        names = ("0", f"/mnt/{first.name}", f"/mnt/{second.name}")
        assert under_lbw(first, *names) == (status, output.replace(str(first.parent), "/mnt"))


def test_scripts_may_have_interpreters_of_either_abi(binaries):
    for flags in (("-m32",), ("-m64", "-static")):
        program = build(binaries, "relay.c", *flags)
        script = binaries / f"script{flags[0]}"
        script.write_text(f"#!/mnt/{program.name} 6\n")
        script.chmod(0o755)
        status, output = under_lbw(script)
        assert status == 7 and f"{flags[0][2:]} bits depth 6" in output
