"""How often somebody may begin or guess, and who is never limited."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.accounts.services import ensure_simulated_annotator
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import open_campaign
from tests import factories
from tests.annotation.doors.doorways import (
    JSON,
    PROLIFIC,
    begin,
    door_of,
    make_campaign,
    new_invitation,
    url_of,
    works,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_door_is_open_unless_the_rules_say_otherwise(client):
    campaign = factories.make_draft()
    open_campaign(campaign=campaign)
    assert campaign.checked_rules.annotation.door == "open"
    assert campaign.protocol["rules"]["annotation"]["door"] == "open"
    begin(client, url_of(campaign))
    assert works(client, url_of(campaign))


def test_sixty_people_at_one_address_are_too_many_for_an_open_link():
    url = url_of(make_campaign("open"))
    answers = [Client().post(url + "begin/") for _ in range(60)]
    assert [answer.status_code for answer in answers] == [302] * 40 + [429] * 20
    assert Enrolment.objects.count() == Annotator.objects.count() == 40
    last = answers[-1]
    assert 3500 < int(last["Retry-After"]) <= 3600
    assert door_of(last) == "limit"
    assert "60 minutes" in last.content.decode()


@pytest.mark.parametrize("door", ["invitations", "crowd", "members"])
def test_nobody_comes_in_by_dropping_the_cookie_at_another_door(door):
    url = url_of(make_campaign(door))
    answers = [Client().post(url + "begin/") for _ in range(60)]
    assert {answer.status_code for answer in answers} == {403}
    assert {door_of(answer) for answer in answers} == {door}
    assert not Enrolment.objects.exists()
    assert not Annotator.objects.exists()


def test_invented_ids_are_limited_like_an_open_link(settings):
    settings.ENROLMENTS_PER_ADDRESS = 3
    url = url_of(make_campaign("crowd"))
    codes = []
    for number in range(5):
        client = Client()
        client.get(url, PROLIFIC | {"PROLIFIC_PID": f"invented{number}"})
        codes.append(client.post(url + "begin/").status_code)
    assert codes == [302, 302, 302, 429, 429]
    assert CrowdIdentity.objects.count() == 3


def test_link_is_limited_whatever_the_address(settings):
    settings.ENROLMENTS_PER_LINK = 3
    url = url_of(make_campaign("open"))
    codes = [
        Client(REMOTE_ADDR=f"203.0.113.{number}").post(url + "begin/").status_code
        for number in range(5)
    ]
    assert codes == [302, 302, 302, 429, 429]


def test_header_of_a_visitor_does_not_change_their_address(settings):
    settings.ENROLMENTS_PER_ADDRESS = 1
    settings.TRUSTED_PROXIES = []
    url = url_of(make_campaign("open"))
    codes = [
        Client(headers={"x-forwarded-for": f"203.0.113.{number}"}).post(url + "begin/").status_code
        for number in range(2)
    ]
    assert codes == [302, 429]


def test_limit_ends_with_its_period(settings, monkeypatch):
    settings.ENROLMENTS_PER_ADDRESS = 1
    url = url_of(make_campaign("open"))
    assert Client().post(url + "begin/").status_code == 302
    assert Client().post(url + "begin/").status_code == 429
    later = timezone.now() + timedelta(seconds=3601)
    monkeypatch.setattr("evalplatform.annotation.entrance.admission.timezone.now", lambda: later)
    assert Client().post(url + "begin/").status_code == 302


def test_who_works_is_never_limited(settings, client):
    settings.ENROLMENTS_PER_ADDRESS = 1
    url = url_of(make_campaign("open"))
    begin(client, url)
    assert Client().post(url + "begin/").status_code == 429
    assert client.post(url + "begin/").status_code == 302  # again: nothing new
    pair = client.get(url + "next/", **JSON).json()["sets"][0]
    body = {name: pair[name] for name in ("assignment", "idempotency_key")} | {"answer": "left"}
    assert client.post(url + "vote/", body, **JSON).json()["receipt"] == "recorded"


def test_one_more_query_lets_somebody_in(client, django_assert_num_queries):
    """Seven before doors: campaign, free slot, annotator, enrolment in a transaction of four."""
    url = url_of(make_campaign("open"))
    client.get(url)
    with django_assert_num_queries(8):
        client.post(url + "begin/")


def test_simulated_annotators_come_by_any_door():
    simulated = ensure_simulated_annotator(pseudonym="sim-1", behaviour={})
    for door in ("invitations", "crowd", "members"):
        url = url_of(make_campaign(door, slug=door))
        client = Client()
        client.get(url, {"key": simulated.access_key})
        begin(client, url)
        assert works(client, url)


@pytest.mark.parametrize("query", [{"invite": "guess"}, {"key": "guess"}, {"key": "1-" + "a" * 40}])
def test_guesses_of_secrets_are_limited(settings, query):
    settings.WRONG_LINKS_PER_ADDRESS = 5
    url = url_of(make_campaign("invitations"))
    answers = [Client().get(url, query) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert answers[-1]["Retry-After"]


def test_guesses_of_campaigns_are_limited(settings, db):
    settings.WRONG_LINKS_PER_ADDRESS = 5
    codes = [
        Client().get(reverse("annotation:work", args=[f"guess{number}"])).status_code
        for number in range(6)
    ]
    assert codes == [404] * 5 + [429]


def test_right_link_opens_though_somebody_guesses_at_the_same_address(settings, client):
    settings.WRONG_LINKS_PER_ADDRESS = 1
    campaign = make_campaign("invitations")
    for _ in range(3):
        Client().get(url_of(campaign), {"invite": "guess"})
    _, secret = new_invitation(campaign)
    assert client.get(url_of(campaign), {"invite": secret}).status_code == 302
