"""Who uses an address space: tasks made with CLONE_VM share one, the last user gives it back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


class SharedMemory:
    """Counts the users of address spaces that have more than one."""

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: dict[AddressSpace, int] = {}

    def share(self, memory: AddressSpace) -> AddressSpace:
        """Add a user; return `memory`."""
        self._users[memory] = self._users.get(memory, 1) + 1
        return memory

    def shared(self, memory: AddressSpace) -> bool:
        """Tell whether there is more than one user."""
        return memory in self._users

    def drop(self, memory: AddressSpace) -> None:
        """Remove a user; the last one releases the address space."""
        users = self._users.get(memory)
        if users is None:
            memory.release()
        elif users == 2:
            del self._users[memory]
        else:
            self._users[memory] = users - 1
