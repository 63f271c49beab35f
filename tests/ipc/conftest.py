import pytest
from ipc_world import Around


@pytest.fixture
def around() -> Around:
    return Around()
