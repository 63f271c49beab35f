"""Random programs about epoll, eventfd, signalfd and inotify: one process, nothing waits."""

from __future__ import annotations

from hypothesis import strategies as st
from replay_files import any_of, call, mode, text
from replay_pipes import polling, selecting

from lbw.abi.inotify import IN_ALL_EVENTS, IN_EXCL_UNLINK, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_ONLYDIR
from lbw.abi.poll import EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP

#: What every program begins with: two epolls, a pipe, an eventfd, an inotify instance, a signalfd.
SIGNALS = (1 << 9 | 1 << 11 | 1 << 34).to_bytes(8, "little").hex()
BEGIN = [
    "N epoll_create1 0", "N epoll_create1 0", "N pipe2 o8 2048", "N eventfd2 0 2048", "N inotify_init1 2048",
    f"N rt_sigprocmask 0 h{SIGNALS} 0 8", f"N signalfd4 -1 h{SIGNALS} 8 2048",
]  # fmt: skip
EPOLLS, READER, WRITER, COUNTER, INOTIFY, SIGNAL = (3, 4), 5, 6, 7, 8, 9

fd = st.one_of(any_of(*range(3, 10)), any_of(*range(3, 14), -1))
epoll = st.one_of(any_of(*EPOLLS), any_of(*EPOLLS, 10, 11, 5))
how = st.lists(st.sampled_from([EPOLLET, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE]), max_size=2).map(lambda h: sum(set(h)))
wanted = st.sampled_from([EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, 0, EPOLLHUP, EPOLLIN | EPOLLRDHUP, 0x7FF])
event = st.builds(
    lambda what, extra, data: "h" + (what | extra).to_bytes(4, "little").hex() + data.to_bytes(8, "little").hex(),
    wanted, how, st.integers(0, 9),
)  # fmt: skip
path = any_of(*map(text, [".", "a", "d", "d/b", "d/n", "n", "l", "d/e", "nothing", "p"]))
watching = st.builds(
    lambda mask, extra: str(mask | sum(set(extra))),
    st.sampled_from([IN_ALL_EVENTS, IN_ALL_EVENTS, 0x20, 0x308, 0]),
    st.lists(st.sampled_from([IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_ONLYDIR, IN_EXCL_UNLINK]), max_size=1),
)

changing = st.one_of(
    call("epoll_ctl", epoll, 1, fd, event), call("epoll_ctl", epoll, 1, fd, event),
    call("epoll_ctl", epoll, 3, fd, event), call("epoll_ctl", epoll, 2, fd, event),
    call("epoll_ctl", epoll, any_of(0, 1, 3, 4), fd, any_of("x", 0)),
)  # fmt: skip
waiting = st.one_of(
    call("epoll_wait", epoll, "o60", any_of(1, 2, 5), 0), call("epoll_pwait", epoll, "o60", 5, 0, 0, 8),
    call("epoll_wait", epoll, any_of("e12", "e30", "x"), any_of(0, 3, 5, -1), 0), polling(), selecting(),
)  # fmt: skip
data = st.one_of(
    call("write", COUNTER, any_of("q1", "q5", "q0", "q-2", "q-1"), any_of(8, 8, 8, 4)), call("read", COUNTER, "r8", 8),
    call("write", WRITER, "y5", any_of(1, 5)), call("read", READER, "r9", any_of(2, 9)),
    call("kill", "i0", any_of(10, 12, 35)), call("read", SIGNAL, "z400", any_of(127, 128, 400)),
    call("write", fd, "q3", 8), call("read", fd, "z99", 99),
    call("signalfd4", any_of(SIGNAL, -1, 7), any_of("h" + SIGNALS, "h" + "0" * 16), 8, any_of(0, 2048)),
)  # fmt: skip
watches = st.one_of(
    call("inotify_add_watch", INOTIFY, path, watching), call("inotify_rm_watch", INOTIFY, any_of(1, 2, 3)),
    call("read", INOTIFY, "r4096", any_of(4096, 4096, 60, 10)), call("ioctl", INOTIFY, 0x541B, "o4"),
)  # fmt: skip
files = st.one_of(
    call("open", path, any_of(0o4000, 0o4002, 0o4102, 0o5001, 0o10004000), "0644"), call("unlink", path),
    call("mkdir", path, "0755"), call("rmdir", path), call("link", path, path), call("symlink", path, path),
    call("chmod", path, mode), call("truncate", path, any_of(0, 9)), call("utimensat", -100, path, any_of("Q", 0), 0),
    call("write", any_of(10, 11), "y5", 5), call("read", any_of(10, 11), "r9", 9), call("close", any_of(10, 11, 12)),
    call("getdents64", any_of(10, 11), "z4096", 4096), call("ftruncate", any_of(10, 11), 3),
)  # fmt: skip
descriptors = st.one_of(
    call("close", fd), call("dup", fd), call("dup2", fd, any_of(5, 7, 10, 11)), call("fstat", fd, "S"),
    call("epoll_create1", any_of(0, 0, 1)), call("eventfd2", any_of(0, 3), any_of(2048, 2049, 4)),
    call("inotify_init1", any_of(2048, 1)), call("pipe2", "o8", 2048), call("lseek", fd, 5, 0),
    call("fcntl", fd, any_of(1, 3), 0),
)  # fmt: skip
operation = st.one_of(changing, changing, waiting, waiting, data, data, watches, files, descriptors)
programs = st.lists(operation, min_size=1, max_size=40).map(lambda then: BEGIN + then)
