import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "kernel"))  # the scripted guest
from kernel_harness import Guest


@pytest.fixture
def guest():
    return Guest()
