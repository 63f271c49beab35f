"""The run loop: resume a task, take its trap, act, go on.

`run_slice` is the hottest Python in lbw: a system call that does not wait passes through it in about a microsecond.
Everything that is not the common case (waiting, signals, faults that fail) lives in functions beside it, and shows
itself by one of two tests: the result is not an int, or `task.attention` is not zero.
"""

from __future__ import annotations

from itertools import count

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import FAULT, PAGE_FAULT, PREEMPTED, RAX, RESULT, RIP
from lbw.kernel.cpu_alarm import rouse
from lbw.kernel.dispatch import begin_call, continue_call, handler_failed, unknown_call
from lbw.kernel.fault_path import come_out, leave_fragment, page_fault_is_ours
from lbw.kernel.fault_signals import processor_fault, segmentation_fault
from lbw.kernel.gates import foreign_call, own_gate, return_to_guest
from lbw.kernel.oom import out_of_memory, relieve
from lbw.kernel.restart import settle
from lbw.kernel.rseq import restart
from lbw.kernel.signal_delivery import deliver_signals
from lbw.kernel.task import DEAD, MEMORY, PARKED, READY, RSEQ, SIGNAL, YIELD
from lbw.mm.faults import SegmentationFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.kernel import Kernel
    from lbw.kernel.task import Task

#: No host sleeps longer at a time, ns; some cannot.
LONGEST_SLEEP = 3600 * 10**9

#: What a trap costs the kernel, in ns: how much of a task's time is called system time. Measuring each call would cost
#: a tenth of it.
TRAP_COST = 4000


def run(kernel: Kernel) -> None:
    """Run tasks until the kernel is told to stop."""
    scheduler = kernel.scheduler
    while not kernel.stopping:
        task = scheduler.next()
        if task is None:
            idle(kernel)
        else:
            kernel.counters.switches += 1
            if kernel.scarce:
                relieve(kernel)
            run_slice(kernel, task)


def idle(kernel: Kernel) -> None:
    """Wait for the host or for the next timer. With neither, only a host signal can change anything: wait for that."""
    kernel.current = None
    if kernel.repeatable is not None:
        kernel.scheduler.stop_ticking()
        kernel.repeatable.idle(kernel)
        return
    timers = kernel.timers
    deadline = timers.next_deadline()
    timeout = None if deadline is None else min(max(0, deadline - kernel.clock.monotonic()), LONGEST_SLEEP)
    kernel.scheduler.stop_ticking()
    kernel.events.wait(timeout)
    timers.run_due(kernel.clock.monotonic())


def run_slice(kernel: Kernel, task: Task) -> None:
    """Run `task` until it waits, ends, or its time slice is over."""
    kernel.current = task
    kernel.scheduler.running = task
    task.slice_start = kernel.clock.processor()
    engine = kernel.engine
    resume, wait = engine.resume, engine.wait
    counters = kernel.counters
    repeatable = kernel.repeatable
    traps = 0
    result: int | Awaitable[int]
    try:
        if task.coroutine is not None:
            done = continue_call(task)
            if done is not None:
                return_to_guest(task, done)
            elif task.coroutine is not None:
                return
        if task.process.dormant_alarms:
            rouse(task.process)
        if len(kernel.timers):
            kernel.scheduler.aim(kernel.timers.next_deadline() or 0)
        elif kernel.scheduler.queue or kernel.events.pending:
            kernel.scheduler.start_ticking()
        while True:
            while task.attention:
                if not attend(task):
                    return
            context = task.context
            memory_fault = task.memory.fault
            fragments = task.memory.fragments
            table = kernel.tables[task.abi]
            entries, calls = table.entries, table.calls
            size = len(entries)
            own, word = own_gate(task.abi), 1 << 8 * task.abi.word
            # `traps` counts for free what `charge` wants to know
            for traps in count(traps + 1) if repeatable is None else repeatable.turn.begin(traps):  # noqa: B007, B020
                resume(context)
                _, trap = wait()
                kind = trap.kind
                if kind == own:
                    registers = context.registers
                    number = registers[RAX]
                    try:
                        if number < size:
                            calls[number] += 1
                            result = entries[number](task, registers)
                        else:
                            result = unknown_call(task, registers)
                    except LinuxError as error:
                        result = -error.errno
                    except Exception as error:
                        result = handler_failed(task, number, error)
                    if type(result) is int:
                        # Not `registers`: a handler may have moved them (execve, rt_sigreturn).
                        context.registers[RAX] = result if result >= 0 else result + word
                        if not context.modified:
                            context.modified = RESULT
                    else:
                        done = begin_call(task, number, result)
                        if done is not None:
                            return_to_guest(task, done)
                        elif task.coroutine is not None:
                            return  # it waits
                elif kind == PAGE_FAULT:
                    counters.page_faults += 1
                    inside = context.registers[RIP] >> 12 in fragments
                    if inside:
                        leave_fragment(task, trap)
                    try:
                        memory_fault(trap.address, trap.error_code)
                    except SegmentationFault as fault:
                        if inside or not page_fault_is_ours(task, trap):
                            segmentation_fault(task, fault, trap)
                    except LinuxError:
                        out_of_memory(task)
                elif kind == FAULT:
                    counters.faults += 1
                    processor_fault(task, trap)
                elif kind == PREEMPTED:
                    counters.preemptions += 1
                    if context.registers[RIP] >> 12 in fragments:
                        leave_fragment(task, trap)
                    if repeatable is not None and not repeatable.interrupted(task):
                        if kernel.events.attention:
                            kernel.tick()
                        if kernel.stopping:
                            return
                        continue
                    if not slice_over(kernel, task):
                        return
                elif not foreign_call(task, trap):
                    return
                if task.attention:
                    break
            else:  # a turn that was counted is over
                if not slice_over(kernel, task):
                    return
    finally:
        kernel.scheduler.running = None
        charge(kernel, task, traps)


def slice_over(kernel: Kernel, task: Task) -> bool:
    """See to the host and to timers, and let another task run if there is one; False: `task` does not go on now."""
    kernel.tick()
    if kernel.stopping:
        return False
    if kernel.scheduler.queue and task.state == READY:
        task.involuntary_switches += 1
        if task.rseq:
            task.attention |= RSEQ
        kernel.scheduler.ready(task)
        return False
    return True


def attend(task: Task) -> bool:
    """Do what `task.attention` asks for before the task goes back to the guest; False: it does not go back now."""
    if task.state == DEAD:
        return False
    attention, task.attention = task.attention, 0
    if attention & MEMORY and task.kernel.scarce:
        come_out(task)
        relieve(task.kernel)
        if task.state == DEAD:
            return False
    if attention & SIGNAL:
        deliver_signals(task)
        if task.state == DEAD:
            return False
    if attention & RSEQ:
        restart(task)
    if task.process.stop_signal:
        task.attention |= SIGNAL | RSEQ  # look again when the process goes on: a call may be left to settle
        task.state = PARKED
        return False
    settle(task, None)
    if attention & YIELD and task.kernel.scheduler.queue:
        task.kernel.scheduler.give_way(task)
        return False
    return True


def charge(kernel: Kernel, task: Task, traps: int) -> None:
    """Charge the time since the slice began to `task`."""
    elapsed = kernel.clock.processor() - task.slice_start
    task.virtual_time += kernel.scheduler.passed(task, elapsed)
    system = min(elapsed, traps * TRAP_COST)
    # A task that ended has handed its times to the process already; the parent has not looked at them yet.
    account = task if task.state != DEAD else task.process.usage
    account.system_time += system
    account.user_time += elapsed - system
