"""Hooks: how a run ends at `syscall`, at what Unicorn does not refuse, and when another thread asks for it.

Everything else that ends a run is an exception, which Unicorn reports by itself.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int, c_size_t, c_uint32, c_void_p

from lbw.cpu.contracts import GP, UD
from lbw.cpu.unicorn import library as uc
from lbw.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import _CFunctionType

    from lbw.cpu.unicorn.boot import Processor

    Callback = _CFunctionType | c_void_p


class Hooks:
    """The hooks of a processor."""

    def __init__(self, processor: Processor) -> None:
        """Hook `syscall`, `in`, `out` and `sysenter`."""
        self._processor = processor
        self._library = processor.library
        self._catch_syscalls()
        self._refuse_ports()

    def _hook(self, instruction: int, function: Callback, data: c_void_p | None = None) -> c_size_t:
        hook = c_size_t()
        address = ctypes.cast(function, c_void_p)
        error = self._library.hook_add(
            self._processor.handle, ctypes.byref(hook), uc.HOOK_INSN, address, data, 1, 0, c_int(instruction)
        )
        uc.check(error, "uc_hook_add")
        return hook

    def _catch_syscalls(self) -> None:
        """End the run at every `syscall`, with its state in the live buffer.

        Two native hooks do it, saving and stopping, and no Python runs. But Unicorn leaves the list of hooks as soon
        as a stop is wanted, and another thread that asks for one sets that mark an instant before the stop takes
        hold: then the call would be saved and the guest run on behind it. So before other threads may stop the run,
        `expect_interrupts` puts one hook in the place of the two, which does both whatever the mark says. It has to be
        the first in the list: Unicorn looks at the mark behind every hook, those for `in` and `out` included.
        """
        self._syscall_hooks = [
            self._hook(uc.INS_SYSCALL, self._library.context_save_address, self._processor.live),
            self._hook(uc.INS_SYSCALL, self._library.emu_stop_address),
        ]
        save, stop = self._library.bare_context_save, self._library.bare_emu_stop
        handle, live = self._processor.handle, self._processor.live

        def save_and_stop(_engine: int, _data: int) -> None:
            save(handle, live)
            stop(handle)

        self._save_and_stop = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)(save_and_stop)

    def expect_interrupts(self) -> None:
        """From now on other threads may stop the run. Costs 0.55 us for each system call; only between runs."""
        if self._syscall_hooks:
            for hook in self._syscall_hooks + self._port_hooks:
                self._library.hook_del(self._processor.handle, hook)
            self._syscall_hooks = []
            self._hook(uc.INS_SYSCALL, self._save_and_stop)
            self._hook_ports()

    def _refuse_ports(self) -> None:
        """Note `in` and `out`, which Unicorn executes even in ring 3, and `sysenter`, which it skips; end the run.

        The translated block goes on to its end before the run stops, so the state at the instruction is kept here.
        """
        processor, library = self._processor, self._library
        context = c_void_p()
        uc.check(library.context_alloc(processor.handle, ctypes.byref(context)), "uc_context_alloc")
        buffer = (ctypes.c_char * processor.layout.size).from_address(context.value or 0)

        def stop(vector: int) -> int:
            if processor.port_access is None:
                library.context_save(processor.handle, context)
                processor.port_access = buffer.raw
                processor.refused_vector = vector
                library.emu_stop(processor.handle)
            return 0

        arguments = (c_void_p, c_uint32, c_int)
        self._port_callbacks = (
            (uc.INS_IN, ctypes.CFUNCTYPE(c_uint32, *arguments, c_void_p)(lambda *_: stop(GP))),
            (uc.INS_OUT, ctypes.CFUNCTYPE(None, *arguments, c_uint32, c_void_p)(lambda *_: stop(GP))),
            (uc.INS_SYSENTER, ctypes.CFUNCTYPE(None, c_void_p, c_void_p)(lambda *_: stop(UD))),
        )
        self._hook_ports()

    def _hook_ports(self) -> None:
        self._port_hooks = [self._hook(instruction, callback) for instruction, callback in self._port_callbacks]


def stop_between_blocks_only(processor: Processor, code: int, address: int) -> None:
    """Have `uc_emu_stop` from another thread take effect where the state is exact: at the start of a block.

    Unicorn also looks for a stop behind every memory access, and then goes back to the start of that instruction
    although it was executed: a preempted `inc [counter]` would count twice. It has a switch against that, for its
    own use (`no_exit_request`), which is found beside the size of a context, and tried: a stop that is asked for
    in the middle of a block must let the block run to its end. Blocks get faster by it, too. The code that is tried
    comes to the frame offset `code`, which ring 3 sees at `address`.
    """
    lib, handle = processor.library, processor.handle
    size = processor.layout.size
    own_size = (size - processor.layout.registers).to_bytes(8, "little")  # the registers begin the saved state
    uc_struct = ctypes.string_at(handle.value or 0, 4096)
    found = [  # int cpu_context_size; uint64_t next_pc; bool hook_insert, first_tb, no_exit_request, init_done
        at + 18 for at in range(0, 4096 - 24, 4)
        if uc_struct[at : at + 8] == own_size
        and uc_struct[at + 16] == uc_struct[at + 18] == 0 and uc_struct[at + 17] <= 1 == uc_struct[at + 19]
    ]  # fmt: skip
    if len(found) == 1:
        ctypes.c_ubyte.from_address((handle.value or 0) + found[0]).value = 1
        before = processor.save()
        # in al, dx (its hook asks for the stop); mov rax, [rip]; inc rbx; ud2
        processor.ram.view[code : code + 13] = bytes.fromhex("ec 488b0500000000 48ffc3 0f0b")
        lib.emu_start(handle, address, 0, 0, 0)
        stopped_inside = not processor.read(uc.GENERAL[3])
        processor.port_access = None
        ctypes.memmove(processor.buffer, before, len(before))
        lib.context_restore(handle, processor.live)
        if not stopped_inside:
            return
    raise EngineError(f"unicorn {lib.version()} cannot be stopped exactly; use unicorn 2.1.4")
