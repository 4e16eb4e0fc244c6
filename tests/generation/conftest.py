"""What generation tests share: recorded messages, and two checkpoints that a worker can load."""

import pytest

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.generation.services import waking
from tests.generation.tiny import save_tiny_pipeline


@pytest.fixture
def wakes(monkeypatch):
    """Record the messages instead of sending them."""
    sent = []
    monkeypatch.setattr(
        waking.current_app, "send_task", lambda name, queue: sent.append((name, queue))
    )
    return sent


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory):
    """Two tiny diffusers pipelines with random weights."""
    folder = tmp_path_factory.mktemp("pipelines")
    return [save_tiny_pipeline(folder / name, seed) for seed, name in enumerate(("one", "two"))]


@pytest.fixture
def two_checkpoints(pipelines):
    """The pipelines, registered as `one` and `two`."""
    return [
        register_checkpoint(project=default_project(), source=path, name=path.name)[0]
        for path in pipelines
    ]
