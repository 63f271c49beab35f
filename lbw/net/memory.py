"""How much memory a message is charged with: what Linux's `sk_buff` would take ("truesize").

A sender may have SO_SNDBUF bytes under way. Linux counts what it allocates, not what the program sent, so 278
messages of one byte fill the default buffer. Programs (and tests of programs) see that: how many messages go before
EAGAIN, what SIOCOUTQ says. So the same is counted here, though a message of ours takes less.

The allocations are those of a machine with 4 kB pages: a descriptor, a head from the power-of-two caches that also
holds the shared information, and pages for what does not fit.
"""

from __future__ import annotations

PAGE = 4096
#: struct sk_buff, and struct skb_shared_info at the end of the head, each in whole cache lines.
DESCRIPTOR, SHARED = 256, 320
#: The most bytes that a head of one page has room for, and one of four pages.
ONE_PAGE, FOUR_PAGES = PAGE - SHARED, 4 * PAGE - SHARED
#: A stream cuts what it sends into messages of at most this: a page of head, and 32 kB.
SEGMENT = ONE_PAGE + 32768
#: A datagram has at most this in pages (MAX_SKB_FRAGS).
MOST_PAGES = 17 * PAGE


def head(length: int) -> int:
    """Return what a message of `length` bytes without pages is charged with."""
    return DESCRIPTOR + (1 << (length + SHARED - 1).bit_length())


def _in_pages(length: int) -> int:
    return -(-length // PAGE) * PAGE


def segment_charge(length: int) -> int:
    """Return what a part of a stream, of at most SEGMENT bytes, is charged with."""
    if length <= ONE_PAGE:
        return head(length)
    paged = min(length, _in_pages(length - ONE_PAGE))
    return head(length - paged) + _in_pages(paged)


def datagram_charge(length: int) -> int:
    """Return what a message that stays whole is charged with."""
    if length <= FOUR_PAGES:
        return head(length)
    paged = _in_pages(min(length - FOUR_PAGES, MOST_PAGES))
    return head(length - paged) + paged
