"""Epolls that watch epolls: how deep, how many, and never in a circle.

A wake travels upwards through all epolls that contain the file, so a circle would never end and a deep chain would be
deep recursion. As on Linux a chain has at most five epolls, counted through the two that are about to be joined: what
hangs below the one, and what is above the other. And because each wake takes every path upwards, a file may have only
so many, by their length; a single epoll above it, the usual case, is not counted.

Linux fs/eventpoll.c, ep_loop_check and reverse_path_check
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ELOOP, LinuxError
from lbw.vfs.epoll.epoll import Epoll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lbw.vfs.epoll.item import EpollItem
    from lbw.vfs.file import File

#: How many links a chain of epolls may have.
MAX_NESTS = 4
#: How many paths of so many links between epolls a file may have to those that nobody watches.
MAX_PATHS = (1 << 64, 500, 100, 50, 10)


def check_nesting(outer: Epoll, inner: Epoll) -> None:
    """Let `outer` watch `inner`, or not.  ELOOP: that makes a circle, or a chain of more than five"""
    below = _depth_below(inner, outer, {}, 0)
    if below is None or below + 1 + _depth_above(outer, {}) > MAX_NESTS:
        raise LinuxError(ELOOP)


def _depth_below(epoll: Epoll, forbidden: Epoll, known: dict[Epoll, int], level: int) -> int | None:
    """Return how many links hang below `epoll`; None: too many, or `forbidden` is among them."""
    if epoll is forbidden or level > MAX_NESTS:
        return None
    if epoll in known:
        return known[epoll]
    depth = 0
    for item in epoll.items.values():
        if isinstance(item.file, Epoll):
            below = _depth_below(item.file, forbidden, known, level + 1)
            if below is None:
                return None
            depth = max(depth, below + 1)
    known[epoll] = depth
    return depth


def _depth_above(epoll: Epoll, known: dict[Epoll, int]) -> int:
    """Return how many links are above `epoll`."""
    if epoll not in known:
        known[epoll] = max((_depth_above(item.epoll, known) + 1 for item in epoll.epolls or ()), default=0)
    return known[epoll]


def check_paths(outer: Epoll, file: File) -> None:
    """Let `outer` go on watching `file`, which it has just begun, or not.  EINVAL: a file has too many paths now"""
    if isinstance(file, Epoll):
        for source in _files_below(file, {}):
            if not isinstance(source, Epoll):
                _count_paths(source.epolls or (), 0, [0] * len(MAX_PATHS))
    elif outer.epolls:
        _count_paths(file.epolls or (), 0, [0] * len(MAX_PATHS))


def _files_below(epoll: Epoll, found: dict[File, None]) -> dict[File, None]:
    """Return the files at any depth, epolls among them."""
    for item in epoll.items.values():
        if item.file not in found:
            found[item.file] = None
            if isinstance(item.file, Epoll):
                _files_below(item.file, found)
    return found


def _count_paths(items: Iterable[EpollItem], links: int, counts: list[int]) -> None:
    """Count the paths that go on through `items`, after `links` links between epolls."""
    if links > MAX_NESTS:
        raise LinuxError(EINVAL)
    for item in items:
        above = item.epoll.epolls
        if above:
            _count_paths(above, links + 1, counts)
        else:
            counts[links] += 1
            if counts[links] > MAX_PATHS[links]:
                raise LinuxError(EINVAL)
