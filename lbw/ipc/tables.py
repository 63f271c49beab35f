"""/proc/sysvipc: the objects as text, which `ipcs` reads.  Linux ipc/{shm,sem,msg}.c, sysvipc_*_proc_show"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.namespace import IpcNamespace


def shared_memory(ipc: IpcNamespace) -> bytes:
    """Return /proc/sysvipc/shm."""
    lines = [
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
        "      atime      dtime      ctime                   rss                  swap\n"
    ]
    for _, each in sorted(ipc.segments.items()):
        lines.append(
            f"{each.key:10d} {each.id:10d}  {each.mode:4o} {each.size:21d} {each.creator:5d} {each.last_pid:5d}"
            f"  {each.attachments:5d} {each.uid:5d} {each.gid:5d} {each.cuid:5d} {each.cgid:5d} {each.attach_time:10d}"
            f" {each.detach_time:10d} {each.changed:10d} {each.memory.resident * PAGE:21d} {0:21d}\n"
        )
    return "".join(lines).encode()


def semaphores(ipc: IpcNamespace) -> bytes:
    """Return /proc/sysvipc/sem."""
    lines = ["       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"]
    for _, each in sorted(ipc.semaphores.items()):
        lines.append(
            f"{each.key:10d} {each.id:10d}  {each.mode:4o} {len(each.values):10d} {each.uid:5d} {each.gid:5d}"
            f" {each.cuid:5d} {each.cgid:5d} {each.operated:10d} {each.changed:10d}\n"
        )
    return "".join(lines).encode()


def messages(ipc: IpcNamespace) -> bytes:
    """Return /proc/sysvipc/msg."""
    lines = [
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
        "      stime      rtime      ctime\n"
    ]
    for _, each in sorted(ipc.messages.items()):
        lines.append(
            f"{each.key:10d} {each.id:10d}  {each.mode:4o}  {each.bytes:10d} {len(each.messages):10d}"
            f" {each.last_sender:5d} {each.last_receiver:5d} {each.uid:5d} {each.gid:5d} {each.cuid:5d} {each.cgid:5d}"
            f" {each.send_time:10d} {each.receive_time:10d} {each.changed:10d}\n"
        )
    return "".join(lines).encode()


TABLES = {b"shm": shared_memory, b"sem": semaphores, b"msg": messages}
