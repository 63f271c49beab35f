import pytest
from kernel_harness import Guest


@pytest.fixture
def guest():
    return Guest()
