"""Job control: what terminals are told about tasks, groups and sessions (`lbw.vfs.tty.jobs`)."""

from __future__ import annotations

from lbw.abi.signal import SIG_IGN, SIGCONT, SIGHUP
from lbw.kernel.groups import ProcessGroup, Session
from lbw.kernel.signal_send import kernel_info, send_signal, send_to_group
from lbw.kernel.task import Interrupted
from lbw.signals.sigset import bit
from lbw.vfs.tty.jobs import JobControl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process

CAP_SYS_ADMIN = 21


class KernelJobs(JobControl):
    """The jobs of a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def current(self) -> Process | None:
        """Return the process whose system call is being served."""
        task = self._kernel.current
        return task.process if task is not None else None

    def ignores(self, signal: int) -> bool:
        """Whether the calling task blocks or ignores `signal`."""
        task = self._kernel.current
        return task is not None and (
            bool(task.signals.blocked & bit(signal)) or task.process.actions[signal].handler == SIG_IGN
        )

    def privileged(self) -> bool:
        """Whether the calling task has CAP_SYS_ADMIN."""
        task = self._kernel.current
        return task is not None and task.credentials.capable(CAP_SYS_ADMIN)

    def find_group(self, pgid: int) -> ProcessGroup | None:
        """Return the process group `pgid` of any session."""
        for process in self._kernel.processes.values():
            if process.group.pgid == pgid:
                return process.group
        return None

    def members(self, session: object) -> list[Process]:
        """Return all processes of `session`."""
        assert isinstance(session, Session)
        return [process for group in session.groups.values() for process in group.members]

    def signal_group(self, group: ProcessGroup, signal: int) -> None:  # type: ignore[override]
        """Send `signal` (SI_KERNEL) to all processes of `group`."""
        send_to_group(group, kernel_info(signal))

    def signal_leader(self, session: Session, signal: int) -> None:  # type: ignore[override]
        """Send `signal` (SI_KERNEL) to the leader of `session`, if it lives."""
        if session.leader is not None and session.leader.exit_status is None:
            send_signal(session.leader, kernel_info(signal))

    def interrupted(self) -> NoReturn:
        """Leave the system call because of the signal just sent."""
        raise Interrupted


def leave_terminal(process: Process) -> None:
    """The session leader `process` ends: its terminal is free again, and the foreground job is told (SIGHUP).

    Linux: disassociate_ctty
    """
    session = process.session
    if session.leader is not process:
        return
    terminal, behind = process.terminal, session.left_behind
    session.leader = session.left_behind = None
    if terminal is not None:
        from lbw.vfs.tty.tty import Tty

        assert isinstance(terminal, Tty)
        foreground = terminal.foreground
        if isinstance(foreground, ProcessGroup):
            send_to_group(foreground, kernel_info(SIGHUP))
        if terminal.session is session:
            terminal.detach()
    elif isinstance(behind, ProcessGroup):
        send_to_group(behind, kernel_info(SIGHUP))
        send_to_group(behind, kernel_info(SIGCONT))
    for group in session.groups.values():
        for member in group.members:
            member.terminal = None
