"""Where lbw keeps its data and its cache on each host OS; nothing here makes a directory.

LBW_DATA_HOME and LBW_CACHE_HOME override everything. Otherwise the XDG base directories on Linux and other Unixes,
Library on macOS, LOCALAPPDATA on Windows.
"""

from __future__ import annotations

import os
import sys


def data_dir() -> str:
    """Return the absolute directory for roots; it may not exist yet."""
    return _choose("LBW_DATA_HOME", "XDG_DATA_HOME", "~/.local/share", "~/Library/Application Support", "data")


def cache_dir() -> str:
    """Return the absolute directory for downloads; it may not exist yet."""
    return _choose("LBW_CACHE_HOME", "XDG_CACHE_HOME", "~/.cache", "~/Library/Caches", "cache")


def _choose(override: str, xdg: str, unix: str, macos: str, windows: str) -> str:
    explicit = os.environ.get(override)
    if explicit:
        return os.path.abspath(explicit)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return os.path.join(local, "lbw", windows)
    if sys.platform == "darwin":
        return os.path.join(os.path.expanduser(macos), "lbw")
    base = os.environ.get(xdg, "")
    if not os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
        base = os.path.expanduser(unix)
    return os.path.join(base, "lbw")
