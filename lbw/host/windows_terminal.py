"""The console of Windows as a terminal: virtual terminal sequences in and out, no line editing by the host."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.host.terminal import Attributes

_PROCESSED_INPUT, _LINE_INPUT, _ECHO_INPUT, _VIRTUAL_TERMINAL_INPUT = 1, 2, 4, 0x200
_PROCESSED_OUTPUT, _VIRTUAL_TERMINAL_PROCESSING, _DISABLE_NEWLINE_AUTO_RETURN = 1, 4, 8
_CODE_PAGE_UTF8 = 65001

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)

    class WindowsTerminal:
        """The console behind `fd_in` and `fd_out`."""

        __slots__ = ("_registered", "_saved", "fd_in", "fd_out", "raw")

        def __init__(self, fd_in: int, fd_out: int) -> None:
            self.fd_in = fd_in
            self.fd_out = fd_out
            self.raw = False
            self._saved: tuple[int | None, int | None, int, int] | None = None
            self._registered = False

        def enter_raw(self) -> bool:
            """Pass every key on; False: no console."""
            if self.raw:
                return True
            mode_in, mode_out = _mode(self.fd_in), _mode(self.fd_out)
            if mode_in is None:
                return False
            self._saved = (mode_in, mode_out, _kernel32.GetConsoleCP(), _kernel32.GetConsoleOutputCP())
            cooked = _PROCESSED_INPUT | _LINE_INPUT | _ECHO_INPUT
            _set_mode(self.fd_in, mode_in & ~cooked | _VIRTUAL_TERMINAL_INPUT)
            if mode_out is not None:
                wanted = _PROCESSED_OUTPUT | _VIRTUAL_TERMINAL_PROCESSING | _DISABLE_NEWLINE_AUTO_RETURN
                _set_mode(self.fd_out, mode_out | wanted)
            _kernel32.SetConsoleCP(_CODE_PAGE_UTF8)
            _kernel32.SetConsoleOutputCP(_CODE_PAGE_UTF8)
            self.raw = True
            if not self._registered:
                import atexit

                self._registered = True
                atexit.register(self.restore)
            return True

        def restore(self) -> None:
            """Give the console back as it was; harmless when it is."""
            if not self.raw or self._saved is None:
                return
            self.raw = False
            mode_in, mode_out, page_in, page_out = self._saved
            if mode_in is not None:
                _set_mode(self.fd_in, mode_in)
            if mode_out is not None:
                _set_mode(self.fd_out, mode_out)
            _kernel32.SetConsoleCP(page_in)
            _kernel32.SetConsoleOutputCP(page_out)

        def suspend(self) -> None:
            """Do nothing: Windows has no jobs to stop."""

        def reenter(self) -> None:
            """Do nothing: nobody stops and continues us."""

        def in_foreground(self) -> bool:
            """Always: there are no jobs."""
            return True

        def wait_foreground(self) -> bool:
            """Always in the foreground."""
            return True

        def window_size(self) -> tuple[int, int, int, int]:
            """Return rows, columns, 0, 0."""
            from shutil import get_terminal_size

            size = get_terminal_size((80, 24))
            return size.lines, size.columns, 0, 0

        def attributes(self) -> Attributes | None:
            """None: Windows has no such attributes; Linux' defaults serve."""
            return None

    def _mode(fd: int) -> int | None:
        """Return the console mode, or None when `fd` is no console."""
        mode = wintypes.DWORD()
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(fd))
        return mode.value if _kernel32.GetConsoleMode(handle, ctypes.byref(mode)) else None

    def _set_mode(fd: int, mode: int) -> None:
        _kernel32.SetConsoleMode(wintypes.HANDLE(msvcrt.get_osfhandle(fd)), mode)
