"""Who leaves: their work is given back, and who they are is erased, by the API."""

import pytest
from django.utils import timezone

from evalplatform.accounts.models import Annotator, CrowdIdentity, User
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services import enrol, lease_items, open_campaign
from tests import factories
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(ana):
    """Two items that ana holds unanswered."""
    campaign = factories.make_draft(prompts=4, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    enrolment = enrol(campaign=campaign, annotator=ana)
    assert len(lease_items(enrolment=enrolment, want=2, now=timezone.now())) == 2
    return enrolment


@pytest.fixture
def release(rania, held):
    secret = token_of(rania)
    path = f"/api/v1/campaigns/{held.campaign.slug}/annotators"
    return lambda who="ana", **body: send("POST", f"{path}/{who}/release", secret, body)


def test_held_items_are_freed_and_votes_keep_counting(held, release):
    answer = release()
    assert (answer.status_code, answer.json()["freed"]) == (200, 2), answer.content
    assert answer.json()["annotator"]["excluded_by"] == ""
    assert not Assignment.objects.exclude(annotator=None).exists()
    held.refresh_from_db()
    assert held.status == Enrolment.Status.RETURNED
    assert release().json()["freed"] == 0  # sent again, nothing is left to free


def test_votes_of_who_gave_back_are_asked_anew_where_that_is_wanted(held, release):
    told = release(exclude=True).json()
    assert (told["freed"], told["annotator"]["excluded_by"]) == (2, "returned")
    assert held.exclusions.get().detail == "gave the work back"


def test_nobody_else_is_released(held, release):
    assert release("ben").status_code == 404
    assert release(all=True).status_code == 422
    assert Assignment.objects.exclude(annotator=None).count() == 2


@pytest.fixture
def erase(db):
    secret = token_of(User.objects.create_user("olga", role="operator"))
    return lambda **body: send("POST", "/api/v1/annotators/erase", secret, body)


def test_who_somebody_is_is_told_then_erased_and_votes_stay(held, erase):
    CrowdIdentity.objects.create(platform="panel", external_id="jane", annotator=held.annotator)
    told = erase(annotator="jane").json()
    assert (told["is_erased"], told["pseudonym"], told["platform"]) == (False, "ana", "panel")
    assert told["open_campaigns"] == [held.campaign.slug]
    assert CrowdIdentity.objects.exists()
    answer = erase(annotator="panel:jane", erase=True)
    assert (answer.status_code, answer.json()["is_erased"]) == (200, True), answer.content
    assert answer.json()["platform"] == "panel"  # what there was
    assert not CrowdIdentity.objects.exists()
    assert Annotator.objects.filter(pseudonym="ana").exists()
    assert erase(annotator="ana", erase=True).json()["platform"] == ""  # nothing is left


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"annotator": "nobody"}, "nobody who took part is known by this"),
        ({"annotator": "nobody", "erase": True}, "nobody is known by this; give a pseudonym"),
        ({"annotator": "jane"}, "several platforms know this id"),
        ({"annotator": " "}, "annotator"),
        ({}, "annotator"),
    ],
)
def test_who_cannot_be_meant_is_refused_in_words(erase, body, said):
    for platform in ("panel", "prolific"):
        CrowdIdentity.objects.create(
            platform=platform, external_id="jane", annotator=Annotator.objects.create()
        )
    answer = erase(**body)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.content
    assert "--" not in answer.json()["detail"]
    assert CrowdIdentity.objects.count() == 2


def test_owners_of_a_project_erase_nobody(held, rania):
    answer = send(
        "POST", "/api/v1/annotators/erase", token_of(rania), {"annotator": "ana", "erase": True}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
