"""Who comes when nobody can begin is told so before they agree to anything."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.models import Assignment, CrowdVisit, Enrolment
from evalplatform.annotation.selectors import closed_to_newcomers
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import close_campaign, pause_campaign, resume_campaign
from tests import factories

pytestmark = pytest.mark.django_db
JSON = {"headers": {"accept": "application/json"}}
HEADINGS = {
    "closed": "This study has ended",
    "paused": "This study is paused",
    "done": "Everything has been judged",
    "waiting": "Nothing is free right now",
}
STATES = pytest.mark.parametrize("state", HEADINGS)
PROLIFIC = {"PROLIFIC_PID": "5f1e0a", "STUDY_ID": "study1", "SESSION_ID": "session1"}
RULES = {"crowd": {"completed_code": "CDONE", "screened_out_code": "COUT"}}


@pytest.fixture
def campaign():
    """Two comparisons with one slot each."""
    made = factories.make_draft(prompts=2, k=1, criteria=["visual_appeal"], rules=RULES)
    open_campaign(campaign=made)
    return made


@pytest.fixture
def url(campaign):
    return reverse("annotation:work", args=[campaign.invitation])


@pytest.fixture
def bring_to(campaign, ana):
    """Bring the campaign to a state in which nobody new can begin; Ana took part before."""
    enrolment = factories.enrol(campaign=campaign, annotator=ana)

    def bring_to(state: str) -> None:
        if state == "closed":
            close_campaign(campaign=campaign)
        elif state == "paused":
            pause_campaign(campaign=campaign)
        elif state == "done":
            factories.judge_everything(campaign, [ana], lambda assignment: "left")
        else:
            factories.vote(enrolment, factories.lease(enrolment))
            factories.lease(enrolment)

    return bring_to


def stored() -> list[int]:
    kept = (Annotator, Enrolment, CrowdIdentity, CrowdVisit, Session)
    return [each.objects.count() for each in kept]


def assert_not_now(response, state: str) -> str:
    """It is the page of that state, and it offers no way to begin; returns the page."""
    page = response.content.decode()
    assert response.status_code == 200
    assert f'data-not-now="{state}"' in page
    assert HEADINGS[state] in page
    assert "I agree, start" not in page
    assert "begin/" not in page
    return page


@STATES
def test_newcomer_is_told_before_consent_and_nothing_is_stored(client, url, bring_to, state):
    bring_to(state)
    before = stored()
    page = assert_not_now(client.get(url), state)
    assert ("Look again" in page) == (state in ("paused", "waiting"))
    assert_not_now(client.post(url + "begin/"), state)
    assert stored() == before
    assert "annotator" not in client.cookies
    assert client.get(url + "next/", **JSON).status_code == 404


@STATES
def test_consent_that_comes_too_late_stores_nothing(client, url, bring_to, state):
    assert "I agree, start" in client.get(url).content.decode()
    bring_to(state)
    before = stored()
    page = assert_not_now(client.post(url + "begin/"), state)
    if state in ("paused", "waiting"):
        assert f'href="{url}"' in page  # the address of the form itself answers no link
    assert stored() == before


@STATES
def test_who_comes_from_prolific_is_sent_back_and_not_stored(client, url, bring_to, state):
    bring_to(state)
    before = stored()
    response = client.get(url, PROLIFIC)
    page = assert_not_now(response, state)
    # They did nothing that the other code stands for.
    assert 'href="https://app.prolific.com/submissions/complete?cc=COUT"' in page
    assert stored() == before


def test_way_back_is_there_too_when_the_study_ended_before_the_consent(client, url, bring_to):
    client.get(url, PROLIFIC)
    bring_to("done")
    for response in (client.get(url), client.post(url + "begin/"), client.get(url)):
        assert "complete?cc=COUT" in assert_not_now(response, "done")
    assert (Enrolment.objects.count(), CrowdVisit.objects.count()) == (1, 0)


def test_who_did_nothing_is_not_stuck_where_the_rules_have_one_code_alone(client):
    rules = {"crowd": {"completed_code": "CDONE"}}
    study = factories.make_draft(prompts=1, k=1, criteria=["visual_appeal"], rules=rules)
    open_campaign(campaign=study)
    close_campaign(campaign=study)
    response = client.get(reverse("annotation:work", args=[study.invitation]), PROLIFIC)
    assert "complete?cc=CDONE" in assert_not_now(response, "closed")


def test_visitor_without_a_platform_is_offered_no_way_back(client, url, bring_to):
    bring_to("closed")
    assert "Return to" not in assert_not_now(client.get(url), "closed")


def test_personal_link_of_who_has_not_begun_enrols_nobody(client, url, bring_to, ben):
    bring_to("waiting")
    assert_not_now(client.get(url, {"key": ben.access_key}, follow=True), "waiting")
    assert_not_now(client.post(url + "begin/"), "waiting")
    assert ben.enrolments.count() == 0


@STATES
def test_who_has_begun_keeps_their_own_page(client, url, bring_to, ana, state):
    bring_to(state)
    client.get(url, {"key": ana.access_key})
    assert "data-not-now" not in client.get(url).content.decode()
    assert client.post(url + "begin/")["Location"] == url
    told = client.get(url + "next/", **JSON).json()["state"]
    assert told == ("judge" if state == "waiting" else state)  # Ana is the one who holds it


def test_who_began_from_a_platform_keeps_their_page_when_they_come_again(client, url, campaign):
    client.get(url, PROLIFIC)
    client.post(url + "begin/")
    close_campaign(campaign=campaign)
    response = client.get(url, PROLIFIC, follow=True)
    assert response.redirect_chain == [(url, 302)]
    assert "data-not-now" not in response.content.decode()


def test_newcomer_can_begin_when_a_pair_comes_free(client, url, bring_to, campaign):
    bring_to("waiting")
    held = Assignment.objects.pending().get()
    now = timezone.now()
    assert closed_to_newcomers(campaign, now) == "waiting"
    assert closed_to_newcomers(campaign, held.lease_expires_at + timedelta(seconds=1)) is None
    past = now - timedelta(hours=1)
    Assignment.objects.filter(pk=held.pk).update(
        leased_at=past, lease_expires_at=past + timedelta(minutes=1)
    )
    assert "I agree, start" in client.get(url).content.decode()
    assert client.post(url + "begin/")["Location"] == url
    assert client.get(url + "next/", **JSON).json()["state"] == "judge"


def test_paused_study_lets_newcomers_in_when_it_goes_on(client, url, bring_to, campaign):
    bring_to("paused")
    assert_not_now(client.get(url), "paused")
    resume_campaign(campaign=campaign)
    assert "I agree, start" in client.get(url).content.decode()


def test_checks_that_somebody_holds_keep_nobody_waiting(ana):
    """A gold pair that was left unanswered is no slot that could come free."""
    campaign = factories.make_draft(
        prompts=1, k=1, criteria=["visual_appeal"], slug="checked", rules={
            "quality": {"qualification_pairs": 1, "qualification_pass": 0}
        },
    )  # fmt: skip
    factories.add_gold(campaign, "qualification", 1)
    open_campaign(campaign=campaign)
    factories.lease(factories.enrol(campaign=campaign, annotator=ana))
    assert Assignment.objects.filter(purpose="qualification").count() == 1
    now = timezone.now()
    assert closed_to_newcomers(campaign, now) is None
    Assignment.objects.main().update(
        annotator=ana, leased_at=now, lease_expires_at=now + timedelta(minutes=1), completed_at=now
    )
    assert closed_to_newcomers(campaign, now) == "done"
