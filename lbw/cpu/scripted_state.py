"""Flags and floating-point state of the scripted engine's contexts: kept, and without any meaning."""

from __future__ import annotations


class ScriptedState:
    """RFLAGS and an FXSAVE64 image."""

    __slots__ = ("flags", "fpu")

    def __init__(self) -> None:
        self.flags = 0x202
        self.fpu = bytes(512)

    def read_fpu(self) -> bytes:
        """Return the floating-point state."""
        return self.fpu

    def write_fpu(self, image: bytes) -> None:
        """Set the floating-point state."""
        self.fpu = image

    def read_state(self) -> tuple[bytes, int]:
        """Return the floating-point state and the flags."""
        return self.fpu, self.flags

    def write_state(self, image: bytes, flags: int) -> None:
        """Set the floating-point state and the flags."""
        self.fpu, self.flags = image, flags
