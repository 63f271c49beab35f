"""What the options of `lbw run` do, and what can be read and walked without end."""

from __future__ import annotations

import subprocess
import time

import pytest
from lbw_command import host_environment, in_root, lbw


def test_environment_user_directory_and_host_name(debian_root):
    options = ("-e", "A=b c", "-e", "HOST_VARIABLE", "-u", "nobody:root", "-w", "/usr", "--hostname", "box")
    outcome = lbw(
        "run", "--root", debian_root, "--overlay", *options, "sh", "-c",
        'echo "$A,$HOST_VARIABLE,$PWD"; id -un; id -gn; uname -n; cat /proc/sys/kernel/hostname',
        env={"HOST_VARIABLE": "from the host"},
    )  # fmt: skip
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output == "b c,from the host,/usr\nnobody\nroot\nbox\nbox\n"


def test_arguments_of_the_program_are_its_own(debian_root):
    outcome = in_root(debian_root, "printf", "%s|", "--strace", "-u", "--", "-e", "")
    assert outcome.output == "--strace|-u|--|-e||"
    assert in_root(debian_root, "--", "printf", "%s", "--help").output == "--help"
    assert in_root(debian_root, "printf", "%s|", "--fault", "--mem", "--").output == "--fault|--mem|--|"


def test_trace_to_standard_error_and_to_a_file(debian_root, tmp_path):
    outcome = in_root(debian_root, "/bin/true", options=("--strace",))
    assert (outcome.status, outcome.output) == (0, "")
    assert 'execve("/bin/true"' in outcome.errors or "openat(AT_FDCWD" in outcome.errors
    assert "exit_group(0)" in outcome.errors
    trace = tmp_path / "trace"
    outcome = in_root(debian_root, "sh", "-c", "kill -TERM $$", options=(f"--strace={trace}",))
    assert (outcome.status, outcome.errors) == (143, "")
    assert "SIGTERM" in trace.read_text()


def test_statistics(debian_root):
    outcome = in_root(debian_root, "/bin/true", options=("--stats",))
    assert "system calls" in outcome.errors and "openat" in outcome.errors


def test_changes_are_thrown_away_with_an_overlay(debian_root):
    script = "rm -rf /usr/share /etc/passwd; mv /var /var2; echo x > /etc/hostname; ls -d /var2 /etc/passwd 2>/dev/null"
    before = in_root(debian_root, "find", "/", "-xdev").output
    assert in_root(debian_root, "bash", "-c", script).output == "/var2\n"
    assert in_root(debian_root, "find", "/", "-xdev").output == before


def test_all_of_proc_can_be_read(debian_root):
    found = "find /proc /dev -xdev -type f ! -name pagemap 2>/dev/null"  # of a page map there are 256 GB
    script = f"sleep 100 & {found} | xargs cat 2>/dev/null | wc -c; find /proc -ls | wc -l"
    outcome = in_root(debian_root, "bash", "-c", script)
    assert outcome.status == 0
    assert "bug in" not in outcome.errors
    assert all(int(line) > 200 for line in outcome.output.split())


@pytest.fixture(scope="module")
def busybox_root(tmp_path_factory):
    """A root with nothing but a static busybox."""
    root = tmp_path_factory.mktemp("busybox")
    for name in ("bin", "etc", "tmp", "proc", "dev", "root"):
        (root / name).mkdir()
    found = subprocess.run(["sh", "-c", "command -v busybox"], capture_output=True, text=True).stdout.strip()
    assert found, "install busybox-static"
    subprocess.run(["cp", found, root / "bin/busybox"], check=True)
    for applet in (
        "sh",
        "ls",
        "awk",
        "vi",
        "cat",
        "sed",
        "tar",
        "gzip",
        "grep",
        "wc",
        "find",
        "md5sum",
        "ps",
        "sort",
        "stty",
    ):
        (root / "bin" / applet).symlink_to("busybox")
    return root


def test_applets_of_a_static_busybox(busybox_root):
    script = """
        ls -1 / | sort | tr '\\n' ' '; echo 'a b c' | awk '{ print $2 * 2, NF, length($0) }'; seq 5 | sed -n 2,3p
        tar c bin/busybox 2>/dev/null | gzip | gzip -d | tar t; (exit 3) || echo $?; ps | grep -c busybox > /dev/null
        f() { echo "f $1"; }; f x; i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i
        find / -name vi; md5sum /bin/vi | wc -w
    """.replace("| tr", "| busybox tr").replace("seq", "busybox seq")
    outcome = lbw("run", "--root", busybox_root, "-w", "/", "-e", "PATH=/bin", "sh", "-c", script)
    assert outcome.output.splitlines()[1:] == ["2", "3", "bin/busybox", "3", "f x", "3", "/bin/vi", "2"], outcome
    assert outcome.output.startswith("bin dev etc proc root ")
    assert "0 3 5" in outcome.output


def tmux(*words: str) -> str:
    return subprocess.run(["tmux", "-L", "lbw-test", *words], capture_output=True, text=True).stdout


def test_an_editor_on_a_terminal(busybox_root, tmp_path):
    """The vi of busybox in tmux: screen, keys, window size."""
    from lbw_command import command

    words = " ".join(command("run", "--root", busybox_root, "vi", "/root/text"))
    session = f"vi{tmp_path.name}"
    start = [
        "tmux",
        "-L",
        "lbw-test",
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-s",
        session,
        "-x",
        "60",
        "-y",
        "12",
        f"{words}; sleep 100",
    ]
    subprocess.run(start, check=True, env=host_environment() | {"TERM": "xterm"})
    try:
        expect_screen(session, "/root/text")
        assert len(tmux("capture-pane", "-p", "-t", session).splitlines()) == 12
        tmux("send-keys", "-t", session, "i", "hello", "Enter", "world", "Escape")
        expect_screen(session, "world")
        tmux("resize-window", "-t", session, "-x", "70", "-y", "20")
        tmux("send-keys", "-t", session, "k", "A", " there", "Escape")
        expect_screen(session, "hello there")
        tmux("send-keys", "-t", session, ":wq", "Enter")
        end = time.monotonic() + 30
        while not (busybox_root / "root/text").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert (busybox_root / "root/text").read_text() == "hello there\nworld\n"
    finally:
        tmux("kill-session", "-t", session)


def expect_screen(session: str, text: str) -> None:
    end = time.monotonic() + 30
    while text not in (screen := tmux("capture-pane", "-p", "-t", session)):
        assert time.monotonic() < end, screen
        time.sleep(0.05)
