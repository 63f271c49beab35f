"""The Python API: streams, several runs in one machine, what is raised."""

from __future__ import annotations

import os
import subprocess
import tempfile

import pytest

from lbw import DEVNULL, PIPE, STDOUT, Bind, Machine
from lbw.errors import LbwError, NotExecutableError, ProgramNotFoundError, RootError, UsageError


@pytest.fixture
def machine(debian_root):
    with Machine(debian_root, overlay=True, memory=256 << 20) as machine:
        yield machine


def test_output_is_captured(machine):
    result = machine.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], stdout=PIPE, stderr=PIPE)
    assert (result.status, result.signal, result.stdout, result.stderr) == (3, 0, b"out\n", b"err\n")


def test_errors_join_the_output(machine):
    result = machine.run(["/bin/sh", "-c", "echo a; echo b >&2; echo c"], stdout=PIPE, stderr=STDOUT)
    assert (result.stdout, result.stderr) == (b"a\nb\nc\n", None)


def test_input_comes_from_bytes(machine):
    data = os.urandom(300_000)
    assert machine.run(["cat"], stdin=data, stdout=PIPE).stdout == data
    assert machine.run(["cat"], stdin=b"", stdout=PIPE).stdout == b""
    assert machine.run(["wc", "-c"], stdin=DEVNULL, stdout=PIPE).stdout == b"0\n"


def test_host_files_are_streams(machine):
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(b"from a file\n")
        source.seek(0)
        assert machine.run(["tr", "a-z", "A-Z"], stdin=source, stdout=target, stderr=DEVNULL).status == 0
        target.seek(0)
        assert target.read() == b"FROM A FILE\n"


def test_a_signal_is_told(machine):
    result = machine.run(["sh", "-c", "kill -KILL $$"])
    assert (result.status, result.signal) == (137, 9)


def test_runs_share_a_machine(machine):
    """Files stay between the runs of a machine, processes do not."""
    assert machine.run(["sh", "-c", "echo kept > /root/file; sleep 1000 & echo $!"], stdout=PIPE).status == 0
    for _ in range(3):
        result = machine.run(["sh", "-c", "cat /root/file; grep -l sleep /proc/[0-9]*/comm"], stdout=PIPE)
        assert result.stdout == b"kept\n"


def test_environment_directory_and_user(machine):
    script = 'echo "$A $HOME $PWD"; id -un; hostname'
    result = machine.run(["sh", "-c", script], stdout=PIPE, env={"A": "é"}, cwd="/usr", user="nobody")
    assert result.stdout == "é /nonexistent /usr\nnobody\nlbw\n".encode()


def test_binds_and_names(debian_root, tmp_path):
    (tmp_path / "file").write_text("bound\n")
    with Machine(debian_root, overlay=True, binds=[Bind(tmp_path, "/mnt", read_only=True)], hostname="box") as machine:
        result = machine.run(["sh", "-c", "hostname; cat /mnt/file; echo x > /mnt/x"], stdout=PIPE, stderr=PIPE)
    assert result.stdout == b"box\nbound\n"
    assert result.stderr is not None and b"Read-only" in result.stderr


@pytest.mark.parametrize(
    ("words", "options", "error"),
    [
        (["/bin/nothing"], {}, ProgramNotFoundError),
        (["/etc"], {}, NotExecutableError),
        ([], {}, UsageError),
        (["true"], {"user": "nosuchuser"}, UsageError),
        (["true"], {"cwd": "/nonexistent"}, UsageError),
        (["true"], {"stdout": b"bytes"}, UsageError),
        (["true"], {"stdin": -77}, UsageError),
        (["tr\0ue"], {}, UsageError),
        (["true"], {"env": {"A=B": "c"}}, UsageError),
    ],
)
def test_what_cannot_be_run_raises_and_leaves_the_machine_well(words, options, error, machine):
    with pytest.raises(error):
        machine.run(words, **options)
    assert machine.run(["echo", "well"], stdout=PIPE).stdout == b"well\n"


def test_machines_that_cannot_be_made(tmp_path):
    with pytest.raises(RootError):
        Machine(tmp_path / "none").run(["true"])
    with pytest.raises(UsageError):
        Machine(tmp_path, memory=1)
    with pytest.raises(UsageError):
        Machine(tmp_path, hostname="x" * 65)
    assert issubclass(RootError, LbwError) and issubclass(UsageError, LbwError)


def test_nothing_is_left_open(debian_root):
    """Descriptors of the host are given back when a machine closes."""
    with Machine(debian_root, overlay=True) as machine:
        machine.run(["true"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Machine(debian_root, overlay=True) as machine:
            machine.run(["ls", "/"], stdout=PIPE)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_unknown_system_call_is_named(debian_root, tmp_path):
    source = tmp_path / "p.c"
    source.write_text(
        "#include <errno.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
        "int main(void) {\n"
        "    for (int i = 0; i < 3; i++) if (syscall(999, 1, 2, 3) != -1 || errno != ENOSYS) return 1;\n"
        "    return 0;\n}\n"
    )
    subprocess.run(["gcc", "-static", "-o", tmp_path / "program", source], check=True)
    from lbw_command import lbw

    words = ["run", "--root", tmp_path]
    outcome = lbw(*words, "/program")
    assert outcome.status == 0
    assert outcome.errors.count("\n") == 1
    assert "unknown system call 999" in outcome.errors and "(0x1, 0x2, 0x3" in outcome.errors
    assert "program[" in outcome.errors
    outcome = lbw(*words, "--strict", "/program")
    assert outcome.status == 125
    assert "unknown system call 999" in outcome.errors and "rip" in outcome.errors
    assert "Traceback" not in outcome.errors
