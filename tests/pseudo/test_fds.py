"""The descriptor table against a model, and the rules that a model does not show."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lbw.abi.errno import EBADF, EBUSY, EINVAL, EMFILE, LinuxError
from lbw.abi.fcntl import O_PATH, O_RDONLY
from lbw.kernel.fds import FileTable
from lbw.vfs.file import File
from lbw.vfs.pseudo import PseudoFileSystem, PseudoInode

LIMIT = 12
INODE = PseudoInode(PseudoFileSystem(1), 1, 0o600)


class Probe(File):
    __slots__ = ("closed",)

    def __init__(self, flags: int = O_RDONLY) -> None:
        super().__init__(INODE, flags)
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


class Model(RuleBasedStateMachine):
    """A dictionary of number -> (file, close-on-exec) says what the table must do."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.model, self.files = FileTable(LIMIT), {}, []

    def lowest(self, minimum: int = 0) -> int | None:
        return next((fd for fd in range(minimum, LIMIT) if fd not in self.model), None)

    @rule(close_on_exec=st.booleans(), minimum=st.integers(0, LIMIT), path=st.booleans())
    def install(self, close_on_exec: bool, minimum: int, path: bool) -> None:
        file, expected = Probe(O_PATH if path else O_RDONLY), self.lowest(minimum)
        self.files.append(file)
        if expected is None:
            assert failure(lambda: self.table.install(file, close_on_exec, minimum)) == EMFILE
        else:
            assert self.table.install(file, close_on_exec, minimum) == expected
            self.model[expected] = (file, close_on_exec)

    @rule(fd=st.integers(-1, LIMIT))
    def close(self, fd: int) -> None:
        if fd in self.model:
            self.table.close(fd)
            del self.model[fd]
        else:
            assert failure(lambda: self.table.close(fd)) == EBADF

    @rule(fd=st.integers(0, LIMIT - 1), minimum=st.integers(0, LIMIT), flag=st.booleans())
    def duplicate(self, fd: int, minimum: int, flag: bool) -> None:
        if fd not in self.model:
            assert failure(lambda: self.table.duplicate(fd, minimum, flag)) == EBADF
        elif minimum >= LIMIT:
            assert failure(lambda: self.table.duplicate(fd, minimum, flag)) == EINVAL
        elif (expected := self.lowest(minimum)) is None:
            assert failure(lambda: self.table.duplicate(fd, minimum, flag)) == EMFILE
        else:
            assert self.table.duplicate(fd, minimum, flag) == expected
            self.model[expected] = (self.model[fd][0], flag)

    @rule(old=st.integers(0, LIMIT - 1), new=st.integers(-1, LIMIT), flag=st.booleans())
    def duplicate_to(self, old: int, new: int, flag: bool) -> None:
        if old not in self.model or old == new:
            return
        file = self.table.get_any(old)
        if 0 <= new < LIMIT:
            assert self.table.duplicate_to(file, new, flag) == new
            self.model[new] = (file, flag)
        else:
            assert failure(lambda: self.table.duplicate_to(file, new, flag)) == EBADF

    @rule(fd=st.integers(0, LIMIT - 1), flag=st.booleans())
    def mark(self, fd: int, flag: bool) -> None:
        if fd in self.model:
            self.table.set_close_on_exec(fd, flag)
            self.model[fd] = (self.model[fd][0], flag)
        else:
            assert failure(lambda: self.table.set_close_on_exec(fd, flag)) == EBADF

    @precondition(lambda self: self.model)
    @rule()
    def execute(self) -> None:
        self.table.close_on_exec()
        self.model = {fd: entry for fd, entry in self.model.items() if not entry[1]}

    @rule(keep_child=st.booleans())
    def fork(self, keep_child: bool) -> None:
        child = self.table.fork()
        assert child.items() == self.table.items()
        if keep_child:
            self.table, child = child, self.table
        child.release()

    @invariant()
    def agree(self) -> None:
        assert self.table.items() == sorted((fd, entry[0]) for fd, entry in self.model.items())
        for fd, (file, flag) in self.model.items():
            assert self.table.get_close_on_exec(fd) == flag
            if file.flags & O_PATH:
                assert failure(lambda fd=fd: self.table.get(fd)) == EBADF
            else:
                assert self.table.get(fd) is file
        held = [id(entry[0]) for entry in self.model.values()]
        for file in self.files:
            assert file.references == held.count(id(file))
            assert file.closed <= (file.references == 0)


Model.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestModel = Model.TestCase


def test_reserved_numbers_are_taken_but_not_open() -> None:
    table = FileTable(4)
    with table.reserve(2) as slots:
        first, second = slots.numbers
        assert (first, second) == (0, 1)
        assert failure(lambda: table.get(first)) == EBADF
        assert table.install(Probe()) == 2
        assert failure(lambda: table.duplicate_to(Probe(), first)) == EBUSY
    assert table.install(Probe()) == 0  # given back


def test_a_reservation_is_all_or_nothing() -> None:
    table = FileTable(2)
    table.install(Probe())
    assert failure(lambda: table.reserve(2)) == EMFILE
    assert table.install(Probe()) == 1


def test_reserved_files_are_installed() -> None:
    table, files = FileTable(), [Probe(), Probe()]
    with table.reserve(2, close_on_exec=True) as slots:
        slots.install(files)
    assert table.items() == [(0, files[0]), (1, files[1])]
    assert table.get_close_on_exec(1)


def test_the_last_user_closes() -> None:
    table, file = FileTable(), Probe()
    table.install(file)
    table.acquire()
    table.release()
    assert not file.closed
    table.release()
    assert file.closed == 1


def test_lowering_the_limit_keeps_what_is_open() -> None:
    table, file = FileTable(10), Probe()
    table.install(file, minimum=8)
    table.limit = 4
    assert table.get(8) is file
    assert table.install(Probe()) == 0
