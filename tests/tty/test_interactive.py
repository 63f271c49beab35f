"""Interactive programs under lbw: the same keys give the same screens as natively.

The programs are the host's own (`--root /`), driven through tmux. Nothing here waits for a fixed time: each step waits
until both terminals show what is expected, and the same.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys

import pytest
from screens import Both, Tmux, native, plain, under_lbw

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("tmux") is None, reason="needs the programs of a Linux host, and tmux"
)


@pytest.fixture
def tmux(tmp_path):
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.close()


def without_numbers(screen: str) -> str:
    """Return the screen without numbers of processes and terminals, and without what shells tell when they like."""
    kept = "\n".join(line for line in plain(screen).splitlines() if "Terminated" not in line)
    return re.sub(r"/dev/pts/\d+", "/dev/pts/N", re.sub(r"^(\[\d\]) \d+$", r"\1 PID", kept, flags=re.M))


@pytest.mark.parametrize("shell", [("dash",), ("bash", "--norc", "--noediting")], ids=["dash", "bash"])
def test_job_control(tmux, shell):
    both = Both(tmux, shell, without_numbers)
    both.see("$")
    both.type("sh -c 'echo go''ing; exec sleep 100'", "\ngoing")
    both.press("<C-z>")
    both.see("topped")
    both.type("jobs; echo one", "\none")
    both.type("bg; jobs; echo two", "\ntwo")
    both.type("kill %1; wait; echo three", "\nthree")
    both.type("sh -c 'echo here we go''; exec sleep 100'", "\nhere we go")
    both.press("<C-c>")
    both.see("^C\n$")
    both.type("echo status $?", "\nstatus 130")
    both.type("clear; echo ca''t; cat", "\ncat")
    both.type("hello", "hello\nhello")
    both.press("<C-z>")
    both.see("topped")
    both.type("fg; echo st''atus $?", "cat")
    both.type("again", "again\nagain")
    both.press("<C-d>")
    both.see("status 0")
    both.type("stty -echo; stty -a; stty echo; tty", "/dev/pts")
    both.type("clear; sleep 100 & sleep 100 & sh -c 'echo bo''th'", "both")
    both.type("jobs; kill %1 %2; wait; echo last", "\nlast")
    both.type("exit 3", "")
    both.end()


def test_less(tmux, tmp_path):
    text = tmp_path / "text"
    text.write_text("".join(f"line {number} of many, tab\there, word{number * 7}\n" for number in range(200)))
    both = Both(tmux, ("less", str(text)), binds=[str(tmp_path)])
    both.see("line 0")
    both.press(" ")
    both.see("line 40")
    both.press("G")
    both.see("(END)")
    both.press("g")
    both.see("line 0")
    both.press("/word7", "7", "<Enter>")
    both.see("line 11")
    both.press("k", "k", "-N", "<Enter>")
    both.see("line 9")
    both.press("q")
    both.end()


def test_vi(tmux, tmp_path):
    both = Both(tmux, ("vi", "-u", "NONE", "-i", "NONE", "-n", "-N", str(tmp_path / "edited")), binds=[str(tmp_path)])
    both.see("~")
    both.press("ihello wörld", "<Enter>", "second", "<Escape>")
    both.see("second")
    both.press("yy5pkkA tail", "<Escape>")
    both.see("tail")
    both.press(":set number", "<Enter>")
    both.see("7 second")
    both.press(":%s/second/third/", "<Enter>")
    both.see("7 third")
    both.press("uggdwp/tail", "<Enter>", "dd")
    both.see("6 second")
    both.press(":q!", "<Enter>")
    both.end()


def test_script(tmux):
    inside = "sh -c 'tty; stty size; read x; echo got $x; stty -a; exec sleep 100'"
    both = Both(tmux, ("script", "-q", "-c", inside, "/dev/null"), without_numbers)
    both.see("24 80")
    both.type("erased\x7f\x7fs", "got erass")
    both.press("<C-c>")
    both.end()


def structure(screen: str) -> str:
    """Return what top's screen has besides figures and processes."""
    lines = []
    for line in plain(screen).splitlines():
        if line.split()[:1] == ["PID"]:
            lines.append(" ".join(line.split()))
            break
        line = re.sub(r"([,:]) +", r"\1", re.sub(r"up .*?, +\d+ users?", "up T, N user", line))
        lines.append(" ".join(re.sub(r"\d+([.:]\d+)*", "N", line).split()))
    return "\n".join(lines)


def test_top(tmux):
    both = Both(tmux, ("top", "-d", "30"), structure)
    both.see("COMMAND")
    assert re.search(r"^ *2 root .* [RS] .* top$", both.lbw.screen(), re.M)
    both.press("c")
    both.lbw.see("top -d 30")
    both.press("q")
    both.end()


def test_tmux_inside(tmux, tmp_path):
    inner = tmp_path / "inner.conf"
    inner.write_text("set -g status off\nset -g default-command 'exec sh'\n")
    command = ("tmux", "-L", f"lbw-test-{os.getpid()}", "-f", str(inner), "new-session")
    both = Both(tmux, command, without_numbers, [str(tmp_path)])
    both.see("$")
    both.type("tty; echo one", "\none")
    both.press("<C-b>", '"')
    both.see("───")
    both.type("echo two; stty size", "\ntwo\n11 80")
    both.press("<C-b>", "<Up>")
    both.type("echo three", "\nthree")
    both.press("<C-b>", "%")
    both.see("│")
    both.type("exit", "")
    both.type("exit", "")
    both.see("11 80")
    both.type("exit", "[exited]")
    both.end()


class HostShell:
    """A shell of the host from which lbw is started."""

    def __init__(self, tmux: Tmux) -> None:
        self.pane = pane = tmux.start("host", native("dash"))
        pane.see("$")
        self.pid = int(pane.about("pane_pid"))
        self.run("before=$(stty -g); clear; echo start''ed", "started")

    def run(self, line: str, text: str) -> None:
        """Type a line and wait for the output `text`."""
        self.pane.press(line, "<Enter>")
        self.pane.see("\n" + text)

    def signal(self, number: int) -> None:
        """Send a signal to lbw, the shell's only child."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            os.kill(int(children.read().split()[0]), number)

    def check_terminal(self) -> None:
        """Whether the terminal is as it was before lbw."""
        self.run('[ "$(stty -g)" = "$before" ] && echo re""stored', "restored")


@pytest.fixture
def shell(tmux) -> HostShell:
    return HostShell(tmux)


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"])
def test_the_hosts_terminal_is_restored(shell, ending):
    words = shlex.join(under_lbw("sh", "-c", "stty raw -echo; echo ready; exec sleep 100"))
    shell.run(f"clear; {words}; echo sta''tus $?", "ready")
    shell.signal(signal.Signals[ending])
    shell.pane.see(f"status {128 + signal.Signals[ending]}")
    shell.check_terminal()


def test_the_hosts_terminal_is_restored_when_the_guest_is_killed(shell):
    words = shlex.join(under_lbw("sh", "-c", "stty raw -echo; kill -KILL $$"))
    shell.run(f"clear; {words}; echo sta''tus $?", "status 137")
    shell.check_terminal()


def test_the_terminal_belongs_to_the_user(shell):
    words = under_lbw("sh", "-c", 'stat -c %u:%g:%a $(tty); exec < $(tty) && echo opened', options=("-u", "1234"))
    shell.run(f"clear; {shlex.join(words)}", "1234:5:620\nopened")


def test_lbw_is_a_job_of_the_hosts_shell(shell):
    words = shlex.join(under_lbw("sh", "-c", "echo ready; exec cat"))
    shell.run(f"clear; {words}", "ready")
    shell.run("hello", "hello\nhello")
    shell.signal(signal.SIGTSTP)
    shell.pane.see("Stopped")
    shell.check_terminal()
    shell.run("fg; echo sta''tus $?", "")
    shell.run("again", "again\nagain")
    shell.pane.press("<C-d>")
    shell.pane.see("status 0")
    shell.check_terminal()
