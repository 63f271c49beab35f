"""Host errors as Linux errors, by name: other hosts number them differently."""

from __future__ import annotations

import errno

from lbw.abi import errno as linux
from lbw.abi.errno import EIO, LinuxError

_NUMBERS: dict[int, int] = {
    number: getattr(linux, name) for number, name in errno.errorcode.items() if hasattr(linux, name)
}


def linux_error(error: OSError) -> LinuxError:
    """Return the error that the guest sees; EIO when Linux has no such error."""
    return LinuxError(_NUMBERS.get(error.errno or 0, EIO))
