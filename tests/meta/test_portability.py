"""Outside lbw/host, nothing needs more of the host than Windows has.

Two ways to see that: the sources name no module and no function that Windows lacks, and every module can be imported
where those are really gone.  lbw/cli/doctor.py and the rest of the tree are under the same rule.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
from meta_sources import REPOSITORY, imports_of, modules, tree_of

#: Modules of the standard library that Windows does not have.
ABSENT_MODULES = (
    "fcntl", "termios", "pwd", "grp", "resource", "pty", "tty", "posix", "syslog", "readline", "curses",
)  # fmt: skip

#: What `os` lacks on Windows (docs.python.org/3/library/os.html, "Availability").
ABSENT_FROM_OS = (
    "fork", "forkpty", "geteuid", "getuid", "getegid", "getgid", "getgroups", "getpgid", "getpgrp", "getsid", "setsid",
    "setpgid", "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "setresuid", "setresgid", "getresuid",
    "getresgid", "setgroups", "initgroups", "getpriority", "setpriority", "killpg", "nice", "uname", "wait", "wait3",
    "wait4", "waitid", "WNOHANG", "WIFEXITED", "WIFSIGNALED", "WEXITSTATUS", "WTERMSIG", "chroot", "fchdir", "chown",
    "fchown", "lchown", "mkfifo", "mknod", "major", "minor", "makedev", "memfd_create", "pread", "pwrite", "preadv",
    "pwritev", "readv", "writev", "sendfile", "splice", "copy_file_range", "posix_fallocate", "posix_fadvise",
    "fdatasync", "sync", "statvfs", "fstatvfs", "lockf", "openpty", "ttyname", "tcgetpgrp", "tcsetpgrp", "ctermid",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "getxattr", "setxattr", "listxattr", "removexattr",
    "eventfd", "pidfd_open", "posix_spawn", "posix_spawnp", "pipe2", "getloadavg", "sysconf", "pathconf", "fpathconf",
    "confstr", "getrandom", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_PATH", "O_NOCTTY", "O_SYNC",
    "O_DSYNC", "O_TMPFILE", "O_ACCMODE", "O_NOATIME", "SEEK_HOLE", "SEEK_DATA", "RTLD_NOW", "EFD_CLOEXEC",
)  # fmt: skip

#: Of other modules; the value lists the attributes.
ABSENT_ATTRIBUTES = {
    "os": ABSENT_FROM_OS,
    "select": ("poll", "epoll", "kqueue"),
    "signal": (
        "SIGHUP", "SIGKILL", "SIGCHLD", "SIGWINCH", "SIGPIPE", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGTSTP",
        "SIGCONT", "SIGSTOP", "SIGTTIN", "SIGTTOU", "setitimer", "alarm", "pthread_sigmask", "pthread_kill", "sigwait",
        "siginterrupt", "pause", "sigpending", "sigtimedwait",
    ),
    "mmap": ("MAP_SHARED", "MAP_PRIVATE", "PROT_READ", "PROT_WRITE", "MAP_ANONYMOUS", "MAP_NORESERVE", "MADV_DONTNEED"),
    "time": ("clock_gettime", "clock_gettime_ns", "CLOCK_MONOTONIC", "CLOCK_REALTIME", "tzset"),
    "socket": ("AF_UNIX", "CMSG_LEN", "SCM_RIGHTS"),
}  # fmt: skip

OUTSIDE = [name for name in modules() if not (name == "lbw.host" or name.startswith("lbw.host."))]


def test_no_module_that_windows_lacks():
    wrong = [
        f"{name}:{item.line} imports {item.module}"
        for name in OUTSIDE
        for item in imports_of(modules()[name])
        if item.module.partition(".")[0] in ABSENT_MODULES
    ]
    assert wrong == []


def test_no_attribute_that_windows_lacks():
    wrong = []
    for name in OUTSIDE:
        path = modules()[name]
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.attr in ABSENT_ATTRIBUTES.get(node.value.id, ()):
                    wrong.append(f"{name}:{node.lineno} uses {node.value.id}.{node.attr}")
            elif isinstance(node, ast.Call):
                wrong += [f"{name}:{node.lineno} passes dir_fd=" for word in node.keywords if word.arg == "dir_fd"]
        for item in imports_of(path):
            missing = set(item.names) & set(ABSENT_ATTRIBUTES.get(item.module, ()))
            wrong += [f"{name}:{item.line} imports {item.module}.{attribute}" for attribute in sorted(missing)]
    assert wrong == []


#: Runs in a fresh interpreter.  The standard library is imported first: it may ask for what it finds here.  `lbw.host`
#: does not become the one for Windows, there is no such kernel below; it is let through.
IMPORT_ALL = """
import importlib, json, sys
absent_modules, absent_attributes, names, library = json.load(sys.stdin)
for name in library:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
for name in names:
    if name.startswith("lbw.host"):
        importlib.import_module(name)

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent_modules:
            raise ModuleNotFoundError(f"no module named {name!r} on Windows")

sys.meta_path.insert(0, Block())
for name in absent_modules:
    sys.modules.pop(name, None)
for module, attributes in absent_attributes.items():
    module = importlib.import_module(module)
    for attribute in attributes:
        if hasattr(module, attribute):
            delattr(module, attribute)
sys.platform = "win32"
failed = {}
for name in names:
    if not name.startswith("lbw.host") and name != "lbw.__main__":
        try:
            importlib.import_module(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""

#: Parts of the standard library, and of what lbw depends on, that look at the platform when they are imported.
LIBRARY = (
    "argparse", "asyncio", "ctypes", "ctypes.util", "dataclasses", "email", "getpass", "gzip", "hashlib", "http.client",
    "importlib.metadata", "importlib.resources", "inspect", "logging", "lzma", "multiprocessing", "pathlib", "platform",
    "queue", "random", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tarfile", "tempfile",
    "threading", "typing", "urllib.request", "uuid", "webbrowser", "zipfile", "zlib", "_weakref", "concurrent.futures",
    "unicorn", "unicorn.unicorn_const", "unicorn.x86_const", "capstone", "elftools.elf.elffile", "debian.deb822",
    "debian.debfile", "debian.debian_support", "rich.console", "rich.progress", "rich.table",
)  # fmt: skip


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    question = [ABSENT_MODULES, ABSENT_ATTRIBUTES, list(modules()), LIBRARY]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], input=json.dumps(question), capture_output=True, text=True, cwd=REPOSITORY,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_can_be_imported(failures):
    assert failures == {}
