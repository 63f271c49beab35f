"""What a user of the library can rely on: these names, documented and typed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from types import FunctionType

import pytest

import lbw

NAMES = {"Machine", "Result", "Bind", "SegmentSite", "PIPE", "DEVNULL", "STDOUT", "LbwError", "rewrite_elf",
         "RewriteResult", "__version__"}  # fmt: skip
CLASSES = [name for name in sorted(NAMES) if inspect.isclass(getattr(lbw, name))]


def public_methods(cls: type) -> list[tuple[str, object]]:
    return [
        (name, member)
        for name, member in vars(cls).items()
        if (name == "__init__" or not name.startswith("_")) and isinstance(member, FunctionType | property)
    ]


def test_the_names_are_exactly_these():
    assert set(lbw.__all__) == NAMES
    assert len(lbw.__all__) == len(NAMES)


def test_every_name_is_there_and_no_other():
    for name in lbw.__all__:
        assert getattr(lbw, name) is not None
    with pytest.raises(AttributeError):
        lbw.Engine  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_documented(name):
    cls = getattr(lbw, name)
    assert cls.__doc__
    for method, member in public_methods(cls):
        if method != "__init__" or cls is lbw.Machine:
            assert inspect.getdoc(member), f"{name}.{method}"


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_typed(name):
    for method, member in public_methods(getattr(lbw, name)):
        function = member.fget if isinstance(member, property) else member
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, f"{name}.{method}"
        for parameter in list(signature.parameters.values())[1:]:
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}.{method}({parameter.name})"


def test_errors_are_one_family():
    """Whatever lbw raises by design is an LbwError, and says which exit status it means."""
    from lbw import errors

    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    for cls in classes:
        assert issubclass(cls, lbw.LbwError), cls
        assert cls.__doc__, cls
        assert cls.exit_status in (125, 126, 127), cls


def test_the_package_says_that_it_is_typed():
    from importlib.resources import files

    assert files(lbw).joinpath("py.typed").is_file()


def test_importing_lbw_costs_nothing():
    """No module of lbw but the version is loaded until a name is used."""
    script = "import sys, lbw; print(*sorted(name for name in sys.modules if name.startswith('lbw')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lbw", "lbw.version"]


def test_running_a_program_imports_nothing_slow():
    """The start of `lbw run` is short because these are not in it."""
    script = "import sys, lbw.machine.session, lbw.machine.hardware, lbw.machine.tree; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    slow = {"typing", "dataclasses", "re", "pathlib", "subprocess", "argparse", "asyncio", "logging", "sqlite3", "rich",
            "debian", "elftools", "construct", "capstone", "inspect"}  # fmt: skip
    assert slow & set(done.stdout.split()) == set()
