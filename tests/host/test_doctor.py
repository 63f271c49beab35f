"""`lbw doctor` answers in plain words, whatever is missing."""

from __future__ import annotations

import pytest

from lbw.cli import doctor, main
from lbw.errors import EngineError


def test_a_host_that_can_run_guests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    for subject in ("python", "unicorn", "memory", "processor", "user", "terminal", "signatures"):
        assert subject in output
    assert "lbw run can work here" in output


@pytest.mark.parametrize("error", [EngineError("it did not calibrate"), RuntimeError("surprise")])
def test_an_obstacle_is_told_and_fails(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(doctor, "boot_processor", fail)
    assert main(["doctor"]) == 125
    output = capsys.readouterr().out
    assert str(error) in output
    assert "cannot work" in output
    assert "Traceback" not in output
