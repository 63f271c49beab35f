"""Epolls that watch epolls: how deep, and never in a circle.

A wake travels upwards through all epolls that contain the file, so a circle would never end and a deep chain would be
deep recursion. As on Linux a chain has at most five epolls, counted through the two that are about to be joined: what
hangs below the one, and what is above the other.  Linux fs/eventpoll.c, ep_loop_check
"""

from __future__ import annotations

from lbw.abi.errno import ELOOP, LinuxError
from lbw.vfs.epoll.epoll import Epoll

#: How many links a chain of epolls may have.
MAX_NESTS = 4


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
