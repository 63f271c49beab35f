"""Who sends, and who is at the other end: SCM_CREDENTIALS, SO_PEERCRED.  man 7 unix

A message carries the real ids of its sender when one of both ends asks for credentials (SO_PASSCRED); a connection
remembers the effective ids of whoever connected or listened.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Control, Identity
    from lbw.net.socket import Caller
    from lbw.net.unix.socket import UnixSocket


def peer_credentials(caller: Caller) -> tuple[int, int, int, tuple[int, ...]]:
    """Return what SO_PEERCRED and SO_PEERGROUPS of the other end tell of `caller`."""
    who = caller.credentials
    return caller.process.pid, who.euid, who.egid, tuple(who.groups)


def attached(
    caller: Caller | None, sender: UnixSocket, receiver: UnixSocket, control: Control | None
) -> Identity | None:
    """Return the credentials that a message carries: those it was given, else the caller's if they are wanted."""
    if control is not None and control.credentials is not None:
        return control.credentials
    if caller is not None and (sender.passes_credentials or receiver.passes_credentials):
        who = caller.credentials
        return caller.process.pid, who.ruid, who.rgid
    return None
