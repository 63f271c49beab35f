"""sqlite3 with its database and its write-ahead log in mapped files, used by two processes at once."""

from __future__ import annotations

import sqlite3
import sys

from lbw_command import lbw

SCRIPT = """
import os, sqlite3, sys
def connect():
    connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
    connection.execute("PRAGMA mmap_size=1073741824")
    return connection
first = connect()
print(*first.execute("PRAGMA journal_mode=WAL").fetchone())
first.execute("CREATE TABLE line(who INTEGER, number INTEGER, text TEXT)")
children = []
for who in range(2):
    child = os.fork()
    if not child:
        connection = connect()
        for number in range(80):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO line VALUES(?, ?, ?)", (who, number, "x" * 500))
            connection.execute("COMMIT")
        os._exit(0)
    children.append(child)
print(*(os.waitpid(child, 0)[1] for child in children))
print(first.execute("SELECT who, count(*), sum(number) FROM line GROUP BY who").fetchall())
print(*first.execute("PRAGMA integrity_check").fetchone())
"""


def test_two_processes_share_a_database(tmp_path):
    bind = f"{tmp_path}:/srv"
    outcome = lbw("run", "--root", "/", "--bind", bind, sys.executable, "-I", "-c", SCRIPT, "/srv/database")
    assert outcome.errors == ""
    assert outcome.output == "wal\n0 0\n[(0, 80, 3160), (1, 80, 3160)]\nok\n"
    with sqlite3.connect(tmp_path / "database") as connection:  # as the host sees it
        assert connection.execute("SELECT count(*), sum(number) FROM line").fetchone() == (160, 6320)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
