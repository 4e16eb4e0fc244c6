"""Paths that a script gives: an open hub opens no path that only begins as a hub's does."""

import pytest

from evalplatform.api.models import Job
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db
OUTSIDE = "hub:a/../../../etc"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("collections", {"name": "images", "model": "m", "path": OUTSIDE}),
        ("checkpoints", {"base": "b", "name": "c", "loras": [{"path": OUTSIDE, "scale": 1}]}),
        ("checkpoints", {"base": "b", "name": "c", "parts": {"unet": OUTSIDE}}),
        ("checkpoints", {"source": "hub:a/b", "name": "c", "config": OUTSIDE}),
    ],
)
def test_an_open_hub_opens_no_path(rania, settings, path, body):
    settings.API_HUBS = True
    answer = send("POST", f"/api/v1/{path}", token_of(rania), body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), answer.content
    assert not Job.objects.exists()
