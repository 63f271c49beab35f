"""The families of random programs."""

from __future__ import annotations

import replay_credentials
import replay_files
import replay_ipc
import replay_memory
import replay_pipes
import replay_processes
import replay_waiting
from hypothesis.strategies import SearchStrategy


class Family:
    """Programs of one kind; `jail`: the scratch directory is their root."""

    def __init__(self, programs: SearchStrategy[list[str]], jail: bool = True) -> None:
        self.programs = programs
        self.jail = jail


FAMILIES = {
    "files": Family(replay_files.programs),
    "ipc": Family(replay_ipc.programs, jail=False),
    "memory": Family(replay_memory.programs, jail=False),
    "pipes": Family(replay_pipes.programs, jail=False),
    "processes": Family(replay_processes.programs, jail=False),
    "credentials": Family(replay_credentials.programs),
    "waiting": Family(replay_waiting.programs, jail=False),
}
