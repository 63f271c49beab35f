"""Names of signals, as strace and bash print them.  man 7 signal"""

from __future__ import annotations

#: The standard signals in the order of their numbers, 1 to 31.
_STANDARD = (
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
    "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
    "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
)  # fmt: skip

#: Other names of the same numbers.
_ALIASES = {"SIGIOT": "SIGABRT", "SIGPOLL": "SIGIO", "SIGCLD": "SIGCHLD", "SIGUNUSED": "SIGSYS"}

#: First real-time signal of the kernel. (The C library keeps the first two or three for itself.)
_FIRST_REAL_TIME, _LAST = 32, 64


def signal_name(number: int) -> str:
    """Return `SIGINT`, `SIGRT_3` for the fourth real-time signal of the kernel, `65` when there is no such signal."""
    if 1 <= number < _FIRST_REAL_TIME:
        return _STANDARD[number - 1]
    if _FIRST_REAL_TIME <= number <= _LAST:
        return "SIGRTMIN" if number == _FIRST_REAL_TIME else f"SIGRT_{number - _FIRST_REAL_TIME}"
    return str(number)


def signal_number(name: str) -> int | None:
    """Return the number of `name` ("INT", "SIGINT", "sigint", "9", "SIGRT_3", "SIGRTMIN+3"), or None."""
    name = name.upper()
    if name.isascii() and name.isdigit():
        return int(name) if 1 <= int(name) <= _LAST else None
    if not name.startswith("SIG"):
        name = "SIG" + name
    name = _ALIASES.get(name, name)
    if name in _STANDARD:
        return _STANDARD.index(name) + 1
    for prefix, base, sign in (("SIGRT_", 32, 1), ("SIGRTMIN+", 32, 1), ("SIGRTMAX-", 64, -1)):
        rest = name.removeprefix(prefix)
        if rest != name and rest.isascii() and rest.isdigit():
            number = base + sign * int(rest)
            return number if _FIRST_REAL_TIME <= number <= _LAST else None
    return {"SIGRTMIN": _FIRST_REAL_TIME, "SIGRTMAX": _LAST}.get(name)
