"""Safety scores by the API: the rows of the command, as JSON lines."""

import json

import pytest

from tests import safety
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(rania):
    secret = token_of(rania, ["read"])
    return lambda slug: send("GET", f"/api/v1/campaigns/{slug}/safety-scores", secret)


def test_scores_are_streamed_the_surest_first(ask, red_detector):
    draft = safety.make_draft(safety.HALF_FILTERED)
    answer = ask(draft.slug)
    assert (answer.status_code, "0 of 16 samples" in answer.json()["detail"]) == (422, True)
    safety.check(draft)
    rows = [json.loads(line) for line in b"".join(ask(draft.slug)).splitlines()]
    assert len(rows) == 16
    assert [(row["prompt_text"], row["arm"], row["score"]) for row in rows[:2]] == [
        ("lighthouse", "B", 1.0), ("apple", "A", pytest.approx(0.9, abs=0.01)),
    ]  # fmt: skip
    first, arm = rows[0], draft.contenders[1]
    assert (first["labels"], first["detector"], first["name"]) == (
        {"RED": 1.0}, "red 1", arm.checkpoint.name,
    )  # fmt: skip
    sample = arm.checkpoint.samples.get(prompt__text="lighthouse")
    assert (first["sample"], first["image_sha256"]) == (sample.pk, sample.image_sha256)


def test_a_campaign_without_a_filter_has_no_scores(ask):
    answer = ask(safety.make_draft(threshold=None).slug)
    assert (answer.status_code, "has no safety filter" in answer.json()["detail"]) == (422, True)
    assert ask("none").status_code == 404
