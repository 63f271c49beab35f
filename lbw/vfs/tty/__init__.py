"""Terminals: the line discipline, the device, the host terminal as a device, and the other streams of the host."""
