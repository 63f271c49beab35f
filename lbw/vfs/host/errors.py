"""Host errors as Linux errors, by name: other hosts number them differently."""

from __future__ import annotations

import errno

from lbw.abi import errno as linux
from lbw.abi.errno import EIO, LinuxError

# Not by `errno.errorcode`: of two names for a number it knows one, and EOPNOTSUPP is not that.
_NUMBERS: dict[int, int] = {
    getattr(errno, name): number
    for name, number in vars(linux).items()
    if name[0] == "E" and isinstance(number, int) and hasattr(errno, name)
}


def linux_error(error: OSError) -> LinuxError:
    """Return the error that the guest sees; EIO when Linux has no such error."""
    return LinuxError(_NUMBERS.get(error.errno or 0, EIO))
