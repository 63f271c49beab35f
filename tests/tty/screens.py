"""Interactive programs on a terminal that can be looked at: panes of a tmux of the host, one native, one under lbw."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
#: What both sides get, and nothing else.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/", "TERM": "screen", "LC_ALL": "C.UTF-8",
    "PS1": "$ ", "SHELL": "/bin/sh", "USER": "root", "LOGNAME": "root",
}  # fmt: skip
PATIENCE = 60.0  # seconds; spent only when something is wrong

Normalise = Callable[[str], str]


def plain(screen: str) -> str:
    """Return the screen without blanks at the ends."""
    return "\n".join(line.rstrip() for line in screen.splitlines()).rstrip()


class Tmux:
    """A tmux server of our own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = str(directory / "tmux")
        self.configuration = directory / "tmux.conf"
        self.configuration.write_text("set -g status off\nset -g remain-on-exit on\nset -g remain-on-exit-format ''\n")

    def run(self, *words: str) -> str:
        """Give a command to the server."""
        command = ["tmux", "-S", self.socket, "-f", str(self.configuration), *words]
        environment = {**os.environ, **ENVIRONMENT}
        environment.pop("TMUX", None)
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment).stdout

    def start(self, name: str, command: Sequence[str]) -> Pane:
        """Run `command` in a new pane of 80 by 24."""
        self.run("new-session", "-d", "-s", name, "-x", "80", "-y", "24", "exec " + shlex.join(command))
        return Pane(self, name)

    def close(self) -> None:
        """End everything."""
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=30)


class Pane:
    """A terminal with a program."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        self.tmux = tmux
        self.name = name

    def press(self, *keys: str) -> None:
        """Press keys: text as it is, `<Enter>` and `<C-c>` by their names."""
        for key in keys:
            if key[0] == "<" and key[-1] == ">":
                self.tmux.run("send-keys", "-t", self.name, key[1:-1])
            else:
                self.tmux.run("send-keys", "-t", self.name, "-l", "--", key)

    def screen(self) -> str:
        """Return what is on the screen."""
        return plain(self.tmux.run("capture-pane", "-p", "-t", self.name))

    def about(self, variable: str) -> str:
        """Return what tmux knows of the pane."""
        return self.tmux.run("display", "-p", "-t", self.name, f"#{{{variable}}}").strip()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for `condition`."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{self.name}: no {what} on\n{self.screen()}"
            time.sleep(0.02)

    def see(self, text: str) -> None:
        """Wait for `text` to appear; a newline in front of it: at the beginning of a line."""
        self.until(lambda: text in "\n" + self.screen(), repr(text))

    def status(self) -> str:
        """Wait for the end; return the exit status, empty when tmux saw the terminal close first and did not ask."""
        self.until(lambda: self.about("pane_dead") == "1", "end")
        return self.about("pane_dead_status")



def native(*words: str) -> list[str]:
    """Return the command that runs `words` on the host, with our environment only."""
    settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    return ["env", "-i", "-C", "/", *settings, *words]


def under_lbw(*words: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command that runs `words` under lbw, the host's own tree being the root."""
    settings = [word for name, value in ENVIRONMENT.items() for word in ("-e", f"{name}={value}")]
    lbw = [sys.executable, "-m", "lbw", "run", "--root", "/", "-w", "/", *settings, *options]
    return ["env", f"PYTHONPATH={REPOSITORY}", *lbw, *words]


class Both:
    """The same program natively and under lbw."""

    def __init__(
        self, tmux: Tmux, words: Sequence[str], normalise: Normalise = plain, binds: Sequence[str] = ()
    ) -> None:  # fmt: skip
        self.normalise = normalise
        options = [word for path in binds for word in ("-b", f"{path}:{path}")]
        self.native = tmux.start("native", native(*words))
        self.lbw = tmux.start("lbw", under_lbw(*words, options=options))

    def see(self, text: str) -> None:
        """Wait until both show `text`, and the same otherwise."""
        self.native.see(text)
        self.lbw.see(text)
        deadline = time.monotonic() + PATIENCE
        while True:
            wanted, ours = (self.normalise(pane.screen()) for pane in (self.native, self.lbw))
            if wanted == ours:
                return
            assert time.monotonic() < deadline, f"natively:\n{wanted}\n\nunder lbw:\n{ours}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press the same keys on both."""
        self.native.press(*keys)
        self.lbw.press(*keys)

    def type(self, line: str, text: str) -> None:
        """Type a line and wait for `text`."""
        self.press(line, "<Enter>")
        self.see(text)

    def end(self) -> None:
        """Wait until both have ended, with the same status."""
        ours, wanted = self.lbw.status(), self.native.status()
        assert ours == wanted or not ours or not wanted
