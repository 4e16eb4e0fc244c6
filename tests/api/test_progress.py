"""How far a campaign is, by the API: told to whoever asks, and nothing is done for it."""

import pytest

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import allow
from evalplatform.generation.models import GenerationRequest, Sample
from tests import factories, faulty, safety
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(rania):
    secret = token_of(rania, ["read"])

    def told(slug):
        answer = send("GET", f"/api/v1/campaigns/{slug}/progress", secret).json()
        return answer["state"], answer["done"], answer["total"], answer["note"]

    return told


def test_images_are_counted_until_all_are_there(ask):
    draft = factories.make_draft(prompts=3)
    sample = Sample.objects.first()
    Sample.objects.filter(pk=sample.pk).update(status="planned")
    said = "Nothing was asked of the workers yet."
    assert ask(draft.slug) == ("generating", 5, 6, said)
    assert not GenerationRequest.objects.exists()
    Sample.objects.filter(pk=sample.pk).update(status="ready")
    assert ask(draft.slug) == ("ready", 0, 0, "")
    open_campaign(campaign=draft)
    assert ask(draft.slug)[0] == "open"


def test_faulty_images_hold_it_back_until_they_are_let_through(ask):
    draft = faulty.make_draft(identical=[0])
    state, done, total, note = ask(draft.slug)
    assert (state, done, total) == ("held", 0, 0)
    assert "1 of 4 sets show the same image twice (25.0 %" in note
    assert "manage.py" not in note
    allow(campaign=draft, allow_identical=0.25)
    assert ask(draft.slug) == ("ready", 0, 0, "")


def test_with_a_filter_it_is_ready_once_all_are_checked(ask, red_detector):
    draft = safety.make_draft(safety.HALF_FILTERED)
    assert ask(draft.slug) == ("checking", 0, 16, "")
    safety.check(draft)
    assert ask(draft.slug) == ("ready", 0, 0, "")
