"""XSAVE images: x87 and SSE state as signal frames and core files have it on a processor with XSAVE.

    0    FXSAVE image; in its last 48 bytes, which are the software's, Linux says what the whole is
    512  header: which components the image holds
    576  in a signal frame, the second magic number: the image is all there

A program that builds frames itself may leave the magic numbers out; then the FXSAVE image is all that counts.
Intel SDM vol. 1, 13.4; Linux' asm/sigcontext.h, arch/x86/kernel/fpu/signal.c
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.cpuid import XSTATE_FEATURES
from lbw.abi.errno import EFAULT, LinuxError

FXSAVE = 512
#: The whole image, and its size in a signal frame, bytes.
SIZE = 576
FRAMED = SIZE + 4

MAGIC1, MAGIC2 = 0x46505853, 0x46505845
X87, SSE = 1, 2
_ALL = X87 | SSE

_SOFTWARE = 464
#: magic1, extended_size, xfeatures, xstate_size
_DESCRIPTION = Struct("<IIQI28x")
#: xstate_bv, xcomp_bv, reserved
_HEADER = Struct("<QQQ40x")
_MAGIC = Struct("<I")
#: Bits of MXCSR that exist; others raise #GP.
MXCSR_MASK = 0xFFFF
_MXCSR = Struct("<24xI")


def _ending(extended: int) -> bytes:
    return (
        _DESCRIPTION.pack(MAGIC1, extended, XSTATE_FEATURES, SIZE)
        + _HEADER.pack(XSTATE_FEATURES, 0, 0)
        + _MAGIC.pack(MAGIC2)
    )


#: What follows the first 464 bytes of an FXSAVE image: in frames of x86-64, and of i386 (112 bytes more in front).
ENDING_64, ENDING_32 = _ending(FRAMED), _ending(FRAMED + 112)
_DUMPED = XSTATE_FEATURES.to_bytes(8, "little").ljust(48, b"\0") + _HEADER.pack(XSTATE_FEATURES, 0, 0)


def for_frame(image: bytes, ending: bytes = ENDING_64) -> bytes:
    """Return what a signal frame has for the FXSAVE image `image`."""
    return image[:_SOFTWARE] + ending


def for_core(image: bytes) -> bytes:
    """Return the image that a core file has (NT_X86_XSTATE) for an FXSAVE image."""
    return image[:_SOFTWARE] + _DUMPED


def from_frame(data: bytes) -> bytes:
    """Return the FXSAVE image that XRSTOR makes of `data`, the `FRAMED` bytes of a frame of x86-64.

    Components that it does not hold are in their initial state.  LinuxError(EFAULT): the processor would refuse it
    """
    if data.endswith(ENDING_64) and not _MXCSR.unpack_from(data)[0] & ~MXCSR_MASK:
        return data[:FXSAVE]
    wanted, held = _components(data)
    if wanted & SSE and _MXCSR.unpack_from(data)[0] & ~MXCSR_MASK:
        raise LinuxError(EFAULT)
    return _merge(data, held, bool(wanted & SSE))


def from_compat_frame(data: bytes) -> tuple[bytes, bool]:
    """Return the same for a frame of i386, which Linux looks at more closely than the processor does.

    The second result: the image holds the x87 state.
    """
    held = _ALL if data.endswith(ENDING_32) else _components(data)[1]
    if held & SSE and _MXCSR.unpack_from(data)[0] & ~MXCSR_MASK:
        raise LinuxError(EFAULT)
    return _merge(data, held, bool(held & SSE)), bool(held & X87)


def _components(data: bytes) -> tuple[int, int]:
    """Return which components are to be loaded, and which of them the image holds.  LinuxError(EFAULT)"""
    magic, extended, wanted, size = _DESCRIPTION.unpack_from(data, _SOFTWARE)
    if magic != MAGIC1 or size != SIZE or size > extended or _MAGIC.unpack_from(data, SIZE)[0] != MAGIC2:
        return _ALL, _ALL  # nothing but FXSAVE
    held, compacted, reserved = _HEADER.unpack_from(data, FXSAVE)
    if held & ~XSTATE_FEATURES or compacted or reserved:
        raise LinuxError(EFAULT)
    return wanted, wanted & held & _ALL


def _merge(data: bytes, held: int, mxcsr: bool) -> bytes:
    """Return the FXSAVE image of `data` with initial state for what is not `held`."""
    if held == _ALL and mxcsr:
        return data[:FXSAVE]
    merged = bytearray(data[:FXSAVE])
    if not held & X87:
        merged[:24] = INITIAL[:24]
        merged[32:160] = bytes(128)
    if not held & SSE:
        merged[160:416] = bytes(256)
    if not mxcsr:
        merged[24:28] = INITIAL[24:28]
    return bytes(merged)


def _initial() -> bytes:
    image = bytearray(FXSAVE)
    image[0:2] = (0x37F).to_bytes(2, "little")  # FCW
    image[24:28] = (0x1F80).to_bytes(4, "little")  # MXCSR
    return bytes(image)


#: The state of a fresh program.
INITIAL = _initial()

assert len(ENDING_64) == FRAMED - _SOFTWARE
