"""Devices: /dev, and the drivers behind device nodes."""
