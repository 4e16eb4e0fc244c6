import pytest

from evalplatform.generation.services import waking


@pytest.fixture
def wakes(monkeypatch):
    """Record the messages instead of sending them."""
    sent = []
    monkeypatch.setattr(
        waking.current_app, "send_task", lambda name, queue: sent.append((name, queue))
    )
    return sent
