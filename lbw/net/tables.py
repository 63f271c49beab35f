"""The files of /proc/net: what makes the text of each.  man 5 proc"""

from __future__ import annotations

from lbw.net.unix.listing import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.net.network import Network

TABLES: dict[bytes, Callable[[Network], bytes]] = {b"unix": listing}
