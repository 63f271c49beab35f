"""Standard streams that are closed, broken, endless or shared, and the host's signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest
from lbw_command import command, host_environment, lbw


def start(root, *words, **options) -> subprocess.Popen[bytes]:
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(command("run", "--root", root, "--overlay", *words), env=host_environment(), **options)


def shell(line: str, root) -> subprocess.CompletedProcess[str]:
    """Run a line of the host's shell in which $LBW runs lbw."""
    environment = host_environment(LBW=" ".join(command("run", "--root", root, "--overlay")))
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, env=environment)


def test_an_endless_program_ends_with_its_reader(debian_root):
    done = shell("{ $LBW /bin/yes; echo $? >&2; } | head -1", debian_root)
    assert (done.stdout, done.stderr.split()) == ("y\n", ["141"])


def test_the_host_and_the_guest_share_the_offset_of_a_file(debian_root, tmp_path):
    path = tmp_path / "file"
    shell(
        f"(echo one; $LBW /bin/bash -c 'echo two > /tmp/x; cat /tmp/x; cat /proc/self/comm'; echo last) > {path}",
        debian_root,
    )
    lines = path.read_text().splitlines()
    assert lines == ["one", "two", "cat", "last"]


def test_input_that_is_left_over_stays(debian_root, tmp_path):
    (tmp_path / "in").write_text("one\ntwo\nthree\n")
    done = shell(f"($LBW /bin/bash -c 'read x; echo $x'; cat) < {tmp_path}/in", debian_root)
    assert done.stdout == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("line", "status", "part"),
    [
        ("$LBW /bin/echo hi >&-", 1, "Bad file descriptor"),
        ("$LBW /bin/cat <&-", 1, "Bad file descriptor"),
        ("$LBW /bin/cat /nonexistent 2>&-", 1, ""),
        ("$LBW /bin/true <&- >&- 2>&-", 0, ""),
        ("$LBW /bin/echo hi > /dev/full", 1, "No space left on device"),
        ("$LBW /bin/readlink /proc/self/fd/0 <&-", 1, ""),
    ],
)  # fmt: skip
def test_closed_and_full_streams(line, status, part, debian_root):
    done = shell(line, debian_root)
    assert done.returncode == status
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_much_data_passes(debian_root):
    done = shell("head -c 30000000 /dev/zero | $LBW /bin/cat | md5sum", debian_root)
    native = shell("head -c 30000000 /dev/zero | md5sum", debian_root)
    assert done.stdout == native.stdout
    assert shell("$LBW /usr/bin/head -c 20M /dev/zero | wc -c", debian_root).stdout == "20971520\n"


def test_input_arrives_while_the_guest_computes(debian_root):
    process = start(debian_root, "/bin/bash", "-c", "read x; echo got $x; cat", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"got first\n"
    output, _ = process.communicate(b"rest\n", timeout=30)
    assert (output, process.returncode) == (b"rest\n", 0)


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT"])
@pytest.mark.parametrize(
    "guest",
    ["echo ready; sleep 100", "echo ready; while :; do :; done", "trap '' TERM HUP INT QUIT; echo ready; sleep 100"],
)
def test_a_signal_of_the_host_ends_the_run(name, guest, debian_root):
    process = start(debian_root, "/bin/bash", "-c", guest)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    number = getattr(signal, "SIG" + name)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (128 + number, -number)
    assert b"Traceback" not in errors


def test_kill_leaves_nothing_in_the_way(debian_root):
    for _ in range(2):
        process = start(debian_root, "/bin/bash", "-c", "echo x > /root/file; echo ready; sleep 100")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.communicate(timeout=30)
    assert lbw("run", "--root", debian_root, "--overlay", "/bin/ls", "/root/file").status == 2


class Terminal:
    """A run of lbw on a pseudo-terminal."""

    def __init__(self, root, *words: str) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = b""

        def lead() -> None:
            os.setsid()
            import fcntl

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command("run", "--root", root, "--overlay", *words), stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=host_environment(), preexec_fn=lead,
        )  # fmt: skip

    def expect(self, text: bytes) -> None:
        """Read until `text` has come."""
        end = time.monotonic() + 30
        while text not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 4096)
        self.text = self.text.partition(text)[2]

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def end(self) -> int:
        """Return the exit status; the terminal must be as it was."""
        status = self.process.wait(30)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return status


def test_interrupting_from_a_terminal_reaches_the_guest(debian_root):
    terminal = Terminal(
        debian_root, "/bin/bash", "-c", "trap 'echo caught; exit 7' INT; sh -c 'echo ready; exec sleep 100'"
    )
    terminal.expect(b"ready\r\n")
    terminal.send(b"\x03")
    terminal.expect(b"caught")
    assert terminal.end() == 7


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_a_signal_gives_the_terminal_back(name, debian_root):
    terminal = Terminal(debian_root, "/bin/bash", "--norc")
    terminal.expect(b"# ")
    number = getattr(signal, "SIG" + name)
    terminal.process.send_signal(number)
    assert terminal.end() in (128 + number, -number)


def test_a_guest_that_dies_gives_the_terminal_back(debian_root):
    terminal = Terminal(debian_root, "/bin/bash", "-c", "stty raw -echo; echo ready; kill -KILL $$")
    terminal.expect(b"ready")
    assert terminal.end() == 137


@pytest.mark.parametrize("name", ["bash", "dash"])
def test_an_interactive_shell(name, debian_root):
    terminal = Terminal(debian_root, f"/bin/{name}", *(["--norc"] if name == "bash" else ["-i"]))
    terminal.expect(b"# ")
    terminal.send(b"echo $((40 + 2))\r")
    terminal.expect(b"42\r\n")
    terminal.send(b"sleep 100\r")
    terminal.expect(b"sleep 100\r\n")
    time.sleep(0.3)
    terminal.send(b"\x1a")
    terminal.expect(b"Stopped")
    terminal.send(b"jobs\r")
    terminal.expect(b"sleep 100")
    terminal.send(b"fg\r")
    terminal.expect(b"sleep 100\r\n")
    time.sleep(0.3)
    terminal.send(b"\x03")
    terminal.expect(b"# ")
    terminal.send(b"echo status $?\r")
    terminal.expect(b"status 130\r\n")
    terminal.send(b"tty; stty size\r")
    terminal.expect(b"/dev/pts/0\r\n")
    if name == "bash":
        terminal.send(b"echo abc\x1b[D\x1b[DX\r")  # editing: the cursor goes left
        terminal.expect(b"aXbc\r\n")
        terminal.send(b"\x1b[A\r")  # history
        terminal.expect(b"aXbc\r\n")
    terminal.expect(b"# ")
    terminal.send(b"\x04")
    assert terminal.end() == 0
