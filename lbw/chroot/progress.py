"""How a long build tells its user what it does.  Output goes to stderr only: stdout belongs to the guest.

`Progress` is silent and the base of the others.  `TerminalProgress` draws bars with rich on a terminal and prints plain
lines otherwise.  Methods may be called from any thread.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress:
    """Say nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Take the display down."""

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage that takes `total` bytes (None: unknown); the previous one is over."""

    def advance(self, amount: int) -> None:
        """Count `amount` bytes more of this stage; may be negative after a restarted download."""

    def warn(self, text: str) -> None:
        """Tell the user something that does not stop the build."""


class WarningsOnly(Progress):
    """Print warnings and nothing else."""

    def warn(self, text: str) -> None:
        print(f"lbw: warning: {text}", file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """Bars on a terminal, one line per stage elsewhere."""

    def __init__(self) -> None:
        self._console: Console | None = None
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Task, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars
            from rich.text import Text

            self._console = Console(stderr=True)

            class Amount(DownloadColumn):
                """Bytes done and to do, for stages that count them."""

                def render(self, task: Task) -> Text:
                    return Text() if task.total is None else super().render(task)

            columns = (TextColumn("{task.description}"), BarColumn(), Amount(), TimeRemainingColumn())
            self._bars = Bars(*columns, console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def stage(self, text: str, total: int | None = None) -> None:
        if self._bars is None:
            print(f"lbw: {text}", file=sys.stderr, flush=True)
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(text, total=total)

    def advance(self, amount: int) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, amount)

    def warn(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(f"lbw: warning: {text}", markup=False, highlight=False)
        else:
            print(f"lbw: warning: {text}", file=sys.stderr, flush=True)
