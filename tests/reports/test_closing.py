"""Who closes a campaign is told how many votes are missing."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from tests import factories
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db
MISSING = "7 of 8 votes are missing"


@pytest.fixture
def begun(db):
    """A campaign with one of its eight votes."""
    campaign = factories.make_draft(prompts=4, k=2, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    enrolment = enrol(campaign=campaign, annotator=Annotator.objects.create())
    factories.vote(enrolment, factories.lease(enrolment))
    return campaign


def test_command_says_how_many_are_missing_and_closes(begun, capsys):
    call_command("close_campaign", begun.slug)
    assert capsys.readouterr().out == f"{begun.slug} is closed; {MISSING}\n"
    begun.refresh_from_db()
    assert begun.status == "closed"


def test_page_says_it_before_it_closes(begun, client, rania):
    client.force_login(rania)
    page = reverse("reports:images", args=[begun.slug])
    assert MISSING in client.get(page).content.decode()
    client.post(reverse("reports:steer", args=[begun.slug]), {"action": "close"})
    assert MISSING not in client.get(page).content.decode()


def test_api_answers_with_the_counts(begun, rania):
    answer = send("POST", f"/api/v1/campaigns/{begun.slug}/close", token_of(rania)).json()
    assert answer["status"] == "closed"
    assert (answer["votes"], answer["votes_wanted"], answer["votes_missing"]) == (1, 8, 7)


def test_nothing_is_said_where_none_is_missing(begun, capsys):
    others = [Annotator.objects.create(pseudonym=f"p{at}") for at in range(2)]
    factories.judge_everything(begun, others, lambda assignment: "left")
    call_command("close_campaign", begun.slug)
    assert capsys.readouterr().out == f"{begun.slug} is closed\n"
