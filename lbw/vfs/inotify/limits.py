"""How much of inotify one user may have: /proc/sys/fs/inotify."""

from __future__ import annotations

#: Events that wait in one instance.
MAX_QUEUED_EVENTS = 16384
MAX_USER_INSTANCES = 128
MAX_USER_WATCHES = 65536
