"""Who comes from a crowd platform: known ids prove themselves, signed ones need not."""

from dataclasses import replace

import pytest
from django.test import Client

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.doors.arrivals import arrival_of
from evalplatform.annotation.models import CrowdVisit, Enrolment
from tests.annotation.doors.doorways import (
    PROLIFIC,
    begin,
    door_of,
    make_campaign,
    pair_of,
    personal_link,
    url_of,
    works,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_crowd_door_lets_in_who_comes_from_the_platform_alone(client):
    url = url_of(make_campaign("crowd"))
    response = client.get(url)
    assert (response.status_code, door_of(response)) == (403, "crowd")
    client.get(url, PROLIFIC)
    begin(client, url)
    assert works(client, url)


def test_link_that_names_two_people_is_told_and_lets_nobody_in(client):
    url = url_of(make_campaign("crowd"))
    response = client.get(f"{url}?PROLIFIC_PID=first&PROLIFIC_PID=second")
    assert response.status_code == 400
    assert "twice" in response.content.decode()


@pytest.mark.parametrize("door", ["invitations", "members"])
def test_who_comes_from_a_platform_to_another_door_is_told(client, door):
    url = url_of(make_campaign(door))
    response = client.get(url, PROLIFIC)
    assert (response.status_code, door_of(response)) == (403, door)
    assert not CrowdIdentity.objects.exists()


@pytest.mark.parametrize("door", ["open", "crowd"])
def test_known_id_proves_itself_in_another_browser(door):
    url = url_of(make_campaign(door))
    first, second = Client(), Client()
    first.get(url, PROLIFIC)
    begin(first, url)
    pair = pair_of(first, url)

    response = second.get(url, PROLIFIC)
    assert (response.status_code, door_of(response)) == (403, "elsewhere")
    assert not works(second, url)
    assert door_of(begin(second, url)) == "elsewhere"
    assert Enrolment.objects.count() == 1

    # The link that the first browser shows, pasted whole into the form of that page.
    link = "http://testserver" + personal_link(first, url)
    second.get(url, {"key": link})
    assert pair_of(second, url) == pair


def test_same_browser_comes_again_from_the_platform_without_a_proof(client):
    url = url_of(make_campaign("crowd"))
    client.get(url, PROLIFIC)
    begin(client, url)
    pair = pair_of(client, url)
    assert client.get(url, PROLIFIC | {"SESSION_ID": "session2"})["Location"] == url
    assert pair_of(client, url) == pair
    assert CrowdVisit.objects.count() == 2


def test_arrival_that_the_platform_signed_goes_on_anywhere(monkeypatch):
    url = url_of(make_campaign("crowd"))
    first, second = Client(), Client()
    first.get(url, PROLIFIC)
    begin(first, url)
    sign_arrivals(monkeypatch)
    assert second.get(url, PROLIFIC)["Location"] == url
    assert pair_of(second, url) == pair_of(first, url)


def test_signed_arrivals_are_not_limited(settings, monkeypatch):
    settings.ENROLMENTS_PER_ADDRESS = 1
    sign_arrivals(monkeypatch)
    url = url_of(make_campaign("crowd"))
    for number in range(3):
        client = Client()
        client.get(url, PROLIFIC | {"PROLIFIC_PID": f"signed{number}"})
        assert client.post(url + "begin/").status_code == 302


def test_who_comes_first_with_somebodys_id_does_not_get_their_work():
    """The second browser came before the first began: it waits with the id, and gains nothing."""
    url = url_of(make_campaign("crowd"))
    first, second = Client(), Client()
    second.get(url, PROLIFIC)
    first.get(url, PROLIFIC)
    begin(first, url)
    assert not works(second, url)
    assert door_of(second.get(url)) == "elsewhere"


def test_id_known_from_one_campaign_opens_nothing_there_from_another(client):
    here, there = make_campaign("crowd", "here"), make_campaign("crowd", "there")
    begin_from_platform(Client(), url_of(here))
    begin_from_platform(client, url_of(there))  # a second browser, in the second campaign
    assert works(client, url_of(there))
    assert not works(client, url_of(here))
    assert Annotator.objects.count() == 1


def begin_from_platform(client, url) -> None:
    client.get(url, PROLIFIC)
    begin(client, url)


def sign_arrivals(monkeypatch) -> None:
    """Let every arrival count as signed by its platform."""

    def signed(query, rules):
        arrival = arrival_of(query, rules)
        return arrival and replace(arrival, is_proven=True)

    monkeypatch.setattr("evalplatform.annotation.entrance.admission.arrival_of", signed)
