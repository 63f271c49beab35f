"""Preemption far more often than usual: no system call is lost, no instruction runs twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lbw_command import host_environment

#: `lbw` with a time slice of argv[1] seconds.
FAST = """
import sys
from lbw.host import ticker
period = float(sys.argv.pop(1))
ticker.Ticker.__init__.__defaults__ = (period, *ticker.Ticker.__init__.__defaults__[1:])
from lbw.cli import main
sys.exit(main())
"""


def fast(period: float, root, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", FAST, str(period), "run", "--root", str(root), "--overlay", *words]
    return subprocess.run(command, capture_output=True, timeout=100, env=host_environment())


@pytest.mark.parametrize("period", [0.0002, 0.0005, 0.001])
def test_many_programs(period, debian_root):
    script = "sleep 1000 & cd /tmp; for i in {1..60}; do chown 3 . && chmod 755 . || exit 9; done; kill $!; echo whole"
    done = fast(period, debian_root, "bash", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"whole\n", b"")


def test_system_calls_in_a_loop(tmp_path):
    source = tmp_path / "p.c"
    source.write_text(
        "#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nvolatile long counter;\n"
        "int main(void) {\n    if (!fork()) for (;;) {}\n"
        "    long pid = getpid(), bad = 0;\n"
        "    for (long i = 0; i < 150000; i++) {\n"
        "        counter++;\n"
        "        bad += syscall(SYS_getpid) != pid || counter != i + 1;\n    }\n"
        '    printf("%ld\\n", bad);\n    return 0;\n}\n'
    )
    subprocess.run(["gcc", "-O1", "-static", "-o", tmp_path / "program", source], check=True)
    for period in (0.0002, 0.0005):
        done = fast(period, tmp_path, "/program")
        assert (done.returncode, done.stdout) == (0, b"0\n")
