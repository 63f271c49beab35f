"""A scripted engine: contexts that run Python generators instead of machine code, for tests of the kernel.

A script is a generator function that gets its `ScriptedContext` and yields what the program does next:

    def program(cpu):
        pid = yield Call("getpid")
        yield Touch(0x7000_0000, write=True)
        yield Compute(3)                        # time slices
        return 0                                # exit status

`Call(..., child=script)` says what the child of a fork runs. A script that is entered in `engine.programs` at an
address runs when the kernel sets RIP to it: after execve, or as a signal handler, which ends with rt_sigreturn.

Each action has an address of its own, so the kernel restarts calls, saves and restores RIP as it does with real
programs: RIP behind a call's two bytes means that it has returned, RIP on it that it is to be made again.

Memory is real: frames of a `Frames`, mapped page by page, copied at once by fork.
"""

from __future__ import annotations

from lbw.cpu.contracts import (
    ALL,
    FAULT,
    PAGE_FAULT,
    PF_USER,
    PF_WRITE,
    PREEMPTED,
    RAX,
    RIP,
    RSP,
    SYSCALL,
    UNMODIFIED,
)
from lbw.cpu.scripted_memory import ScriptedMmu
from lbw.cpu.scripted_state import ScriptedState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lbw.abi.x86_64 import Abi
    from lbw.mm.frames import Frames

    Script = Callable[["ScriptedContext"], Generator["Action", int, int | None]]

WORD = (1 << 64) - 1

#: Where the actions of scripts live; far from everything that is mapped.
FIRST_ADDRESS = 0x10_0000_0000


class Action:
    """What a script does next."""

    __slots__ = ()


class Call(Action):
    """A system call, by name; the script gets its result, negative for an error."""

    __slots__ = ("arguments", "child", "name")

    def __init__(self, name: str | int, *arguments: int, child: Script | None = None) -> None:
        self.name = name
        self.arguments = arguments
        self.child = child


class Touch(Action):
    """An access to memory; it faults when the page is not there."""

    __slots__ = ("address", "write")

    def __init__(self, address: int, write: bool = False) -> None:
        self.address = address
        self.write = write


class Compute(Action):
    """Computation that lasts some time slices, each of which ends in a preemption."""

    __slots__ = ("slices",)

    def __init__(self, slices: int = 1) -> None:
        self.slices = slices


class Raise(Action):
    """A processor exception."""

    __slots__ = ("error_code", "vector")

    def __init__(self, vector: int, error_code: int = 0) -> None:
        self.vector = vector
        self.error_code = error_code


class ScriptedTrap:
    """Why the script stopped."""

    __slots__ = ("address", "error_code", "kind", "vector")

    def __init__(self) -> None:
        self.kind = PREEMPTED
        self.vector = self.error_code = self.address = 0


class Activation:
    """A script that has begun: the main program, or a handler on top of it."""

    __slots__ = ("action", "address", "generator", "left", "resume_at")

    def __init__(self, generator: Generator[Action, int, int | None]) -> None:
        self.generator = generator
        self.action: Action | None = None
        self.address = 0  # of the current action
        self.resume_at = -1  # RIP that means: go on with the next action
        self.left = 0  # time slices of a Compute


class ScriptedContext(ScriptedState):
    """The processor state of one task."""

    __slots__ = (
        "_engine", "bits", "child", "fs_base", "gs_base", "mmu", "modified", "registers",
        "selectors", "stack",
    )  # fmt: skip

    def __init__(self, engine: ScriptedEngine, mmu: ScriptedMmu) -> None:
        self._engine = engine
        self.mmu = mmu
        self.registers: list[int] = [0] * 17
        self.modified = UNMODIFIED
        super().__init__()
        self.fs_base = self.gs_base = 0
        self.bits = 64
        self.selectors: tuple[int, ...] = (0, 0x33, 0x2B, 0, 0, 0)
        self.stack: list[Activation] = []
        self.child: Script | None = None

    def clone(self) -> ScriptedContext:
        """Return a copy that runs the `child` of the present call."""
        copy = ScriptedContext(self._engine, self.mmu)
        copy.registers = self.registers[:]
        copy.flags, copy.fs_base, copy.gs_base, copy.fpu = self.flags, self.fs_base, self.gs_base, self.fpu
        copy.bits, copy.selectors = self.bits, self.selectors
        if self.child is not None:
            copy.run(self.child)
        return copy

    def run(self, script: Script) -> None:
        """Begin `script` as the main program, wherever RIP is."""
        self.stack = [Activation(script(self))]

    def enter_mode(self, bits: int) -> None:
        """Note the mode."""
        self.bits = bits

    def load_flat(self, register: int, selector: int, *_: int) -> None:
        """Note the selector; nothing else of a segment matters here."""
        self.selectors = (*self.selectors[:register], selector, *self.selectors[register + 1 :])

    load_segment = load_flat

    def reset(self, entry: int, stack: int, bits: int = 64) -> None:
        """State of a fresh program: the one entered at `entry`."""
        self.bits = bits
        self.registers = [0] * 17
        self.registers[RSP] = stack
        self.registers[RIP] = entry
        self.stack = []
        self.flags = 0x202
        self.fs_base = self.gs_base = 0
        self.fpu = bytes(512)
        self.modified = ALL


class ScriptedEngine:
    """Runs scripts; `programs` are those that begin at an address, `elapse` is called for each slice of Compute."""

    capacity = 1

    def __init__(self, frames: Frames, abi: Abi) -> None:
        self.frames = frames
        self.abi = abi
        self.programs: dict[int, Script] = {}
        self.elapse: Callable[[], None] = lambda: None
        self.mmus = 0  # alive
        self.interrupted = False
        self._next_address = FIRST_ADDRESS
        self._trap = ScriptedTrap()
        self._context: ScriptedContext | None = None

    def create_mmu(self) -> ScriptedMmu:
        """Return an empty address space."""
        return ScriptedMmu(self)

    def create_context(self, mmu: ScriptedMmu) -> ScriptedContext:
        """Return a context that runs nothing yet."""
        return ScriptedContext(self, mmu)

    def flush_counts(self) -> list[tuple[str, int]]:
        """Return nothing: there are no caches."""
        return []

    def expect_interrupts(self) -> None:
        """Interrupts are exact here anyway."""

    def interrupt(self) -> None:
        """Make the next `wait` a preemption."""
        self.interrupted = True

    def resume(self, context: ScriptedContext) -> None:
        """Let the context run."""
        self._context = context

    def wait(self) -> tuple[ScriptedContext, ScriptedTrap]:
        """Run the script up to its next trap."""
        context, trap = self._context, self._trap
        assert context is not None
        context.modified = UNMODIFIED
        if self.interrupted:
            self.interrupted = False
            trap.kind = PREEMPTED
            return context, trap
        while not self._step(context, trap):
            pass
        return context, trap

    def _step(self, context: ScriptedContext, trap: ScriptedTrap) -> bool:
        """Do or repeat one action; True: it trapped."""
        registers = context.registers
        rip = registers[RIP]
        if rip in self.programs:
            context.stack.append(Activation(self.programs[rip](context)))
        while len(context.stack) > 1 and rip not in self.programs:
            top = context.stack[-1]
            if rip in (top.address, top.resume_at):
                break
            context.stack.pop().generator.close()  # the handler is left for what it interrupted
        top = context.stack[-1]
        if top.action is not None and rip == top.address and rip != top.resume_at:
            return self._perform(context, top, trap, again=True)
        if isinstance(top.action, Compute) and top.left:
            return self._perform(context, top, trap, again=True)
        try:
            result = (registers[RAX] ^ 1 << 63) - (1 << 63)
            top.action = top.generator.send(result) if top.action is not None else next(top.generator)
        except StopIteration as stop:
            name = "exit_group" if len(context.stack) == 1 else "rt_sigreturn"
            top.action = Call(name, stop.value or 0)
            if name == "rt_sigreturn":
                registers[RSP] = (registers[RSP] + 8) & WORD  # the handler's return popped its address
        self._next_address += 16
        top.address = self._next_address
        return self._perform(context, top, trap, again=False)

    def _perform(self, context: ScriptedContext, top: Activation, trap: ScriptedTrap, again: bool) -> bool:
        action, registers = top.action, context.registers
        if isinstance(action, Call):
            if not again:
                number = action.name if isinstance(action.name, int) else self.abi.numbers[action.name]
                registers[RAX] = number & WORD
                for register, value in zip(self.abi.argument_registers, action.arguments, strict=False):
                    registers[register] = value & WORD
            context.child = action.child
            registers[RIP] = top.resume_at = top.address + 2
            trap.kind = SYSCALL
            return True
        registers[RIP] = top.address
        top.resume_at = top.address
        if isinstance(action, Compute):
            if not again:
                top.left = action.slices
            if not top.left:
                return False
            top.left -= 1
            self.elapse()
            trap.kind = PREEMPTED
            return True
        if isinstance(action, Touch):
            if context.mmu.view(action.address, 1, action.write) is not None:
                return False
            trap.kind = PAGE_FAULT
            trap.vector = 14
            trap.address = action.address
            trap.error_code = PF_USER | (PF_WRITE if action.write else 0)
            top.resume_at = -1  # the access is made again
            return True
        assert isinstance(action, Raise)
        trap.kind = FAULT
        trap.vector = action.vector
        trap.error_code = action.error_code
        trap.address = 0
        return True
