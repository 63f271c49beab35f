"""The fault path, as the run loop meets it: traps at sites, traps inside fragments, instructions the processor lacks.

`lbw.faults` understands and translates; here is what belongs to tasks: which trap is looked at, and single steps.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.x86 import TRACE_FLAG
from lbw.cpu.contracts import DB, FAULT, GP, PAGE_FAULT, PF_FETCH, PREEMPTED, RIP, SINGLE_STEP
from lbw.mm.faults import SegmentationFault
from lbw.mm.hidden import covered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Trap
    from lbw.kernel.task import Task


def leave_fragment(task: Task, trap: Trap) -> None:
    """Bring a task whose RIP is in a page of fragments to where its program is."""
    faults = task.kernel.faults
    if faults is None or not faults.leave(task.context, task.memory, task.context.bits):
        return
    if task.context.flags & TRACE_FLAG:  # the step over the rest, which is not run, is due
        from lbw.kernel.fault_signals import processor_fault

        met = trap.kind, trap.vector, trap.error_code  # preemption, or a fault of the fetch behind the site
        trap.kind, trap.vector, trap.error_code = FAULT, DB, SINGLE_STEP
        processor_fault(task, trap)
        trap.kind, trap.vector, trap.error_code = met


def come_out(task: Task) -> None:
    """Bring a task, whose turn it is, out of a fragment that it was just led to: fragments may go now."""
    faults, context = task.kernel.faults, task.context
    if faults is not None and context.registers[RIP] >> 12 in task.memory.fragments:
        faults.leave(context, task.memory, context.bits)


def fault_is_ours(task: Task, trap: Trap) -> bool:
    """Serve a FAULT trap that the program is not to know of; False: it is the program's own."""
    faults = task.kernel.faults
    if faults is None:
        return False
    vector = trap.vector
    rip = task.context.registers[RIP]
    if rip >> 12 in task.memory.fragments and not covered(task.memory, rip):
        if vector == DB and not faults.stepped(task.context, task.context.bits):
            return True  # a program that steps itself: it sees the step when the whole instruction is done
        faults.leave(task.context, task.memory, task.context.bits)
    elif vector == GP and faults.parked and task.context.bits == 64:
        return _segment_access(task, trap)
    return False


def page_fault_is_ours(task: Task, trap: Trap) -> bool:
    """Serve a page fault of a 32-bit segment access, which is not met in a fragment.

    Nearly all lie in the window where the bases are parked; an offset of more than 64 MB leads out of it.
    """
    faults = task.kernel.faults
    if faults is None or not faults.parked or trap.error_code & PF_FETCH or task.context.bits != 32:
        return False
    if _segment_access(task, trap):
        return True
    if trap.kind != FAULT:
        return False
    from lbw.kernel.fault_signals import processor_fault

    processor_fault(task, trap)  # the single step met another exception
    return True


def _segment_access(task: Task, trap: Trap) -> bool:
    """Lead the task on behind a site. False: the program must be told of `trap`, which may be another one by now."""
    faults = task.kernel.faults
    assert faults is not None
    site = faults.trapped(task.context, task.memory, task.context.bits)
    if site is None:
        return False
    if site.fragment:
        return True
    return _step(task, trap)


def _step(task: Task, trap: Trap) -> bool:
    """Run one instruction under the true bases."""
    engine, context = task.kernel.engine, task.context
    stepping = context.flags & TRACE_FLAG
    while True:
        stopped = engine.step(context)
        if stopped.kind == PREEMPTED:
            return True  # again later
        if stopped.kind == FAULT and stopped.vector == DB:
            return not stepping
        if stopped.kind == PAGE_FAULT:
            try:
                task.memory.fault(stopped.address, stopped.error_code)
            except SegmentationFault as fault:
                from lbw.kernel.fault_signals import segmentation_fault

                segmentation_fault(task, fault, stopped)
                return True
            except LinuxError:
                from lbw.kernel.oom import out_of_memory

                out_of_memory(task)
                return True
            continue
        return False

