"""Who comes by an invitation or a personal link, and nobody else by the same one."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment, Invitation
from evalplatform.annotation.services import invite, revoke_invitations
from evalplatform.campaigns.services import close_campaign
from tests.annotation.doors.doorways import (
    begin,
    door_of,
    make_campaign,
    new_invitation,
    pair_of,
    personal_link,
    url_of,
    works,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_invitation_lets_one_person_in_once(client):
    campaign = make_campaign("invitations")
    url = url_of(campaign)
    invitation, secret = new_invitation(campaign)
    assert door_of(client.get(url)) == "invitations"
    response = client.get(url, {"invite": secret})
    assert response["Location"] == url  # the secret leaves the address bar
    assert not Enrolment.objects.exists()  # a preview in a chat does not use it up
    begin(client, url)
    assert works(client, url)
    assert Enrolment.objects.get().invitation == invitation

    pair = pair_of(client, url)
    assert client.get(url, {"invite": secret})["Location"] == url  # the same browser goes on
    assert pair_of(client, url) == pair

    other = Client()
    response = other.get(url, {"invite": secret})
    assert (response.status_code, door_of(response)) == (403, "used")
    assert begin(other, url).status_code == 403
    assert Enrolment.objects.count() == 1


def test_invitation_opened_in_two_browsers_lets_the_first_begin():
    campaign = make_campaign("invitations")
    url = url_of(campaign)
    _, secret = new_invitation(campaign)
    first, second = Client(), Client()
    first.get(url, {"invite": secret})
    second.get(url, {"invite": secret})
    begin(first, url)
    assert door_of(begin(second, url)) == "used"
    assert works(first, url)
    assert not works(second, url)


def test_form_sent_twice_begins_once(client):
    campaign = make_campaign("invitations")
    url = url_of(campaign)
    client.get(url, {"invite": new_invitation(campaign)[1]})
    cookie = client.cookies["annotator"].value
    begin(client, url)
    client.cookies["annotator"] = cookie  # as the second click had it
    begin(client, url)
    assert works(client, url)
    assert Enrolment.objects.count() == 1


def test_second_person_at_one_computer_says_who_they_are(client):
    campaign = make_campaign("invitations")
    url = url_of(campaign)
    (_, first), (_, second) = invite(campaign=campaign, labels=["", ""], now=timezone.now())
    client.get(url, {"invite": first})
    begin(client, url)
    pair = pair_of(client, url)
    response = client.get(url, {"invite": second})
    assert door_of(response) == "another"
    assert pair_of(client, url) == pair
    client.get(url, {"invite": second, "other": "1"})
    begin(client, url)
    assert pair_of(client, url) != pair
    assert Enrolment.objects.count() == 2


def test_expired_and_revoked_invitations_say_so(client):
    campaign = make_campaign("invitations")
    url, now = url_of(campaign), timezone.now()
    late, late_secret = new_invitation(campaign, expires_at=now + timedelta(days=1))
    Invitation.objects.filter(pk=late.pk).update(
        created_at=now - timedelta(days=2), expires_at=now - timedelta(days=1)
    )
    gone, gone_secret = new_invitation(campaign)
    client.get(url, {"invite": gone_secret})
    assert revoke_invitations(campaign=campaign, now=now, numbers=[gone.number]) == 1
    assert door_of(begin(client, url)) == "revoked"
    assert door_of(client.get(url, {"invite": gone_secret})) == "revoked"
    assert door_of(client.get(url, {"invite": late_secret})) == "expired"
    assert not Enrolment.objects.exists()


def test_invitation_is_good_for_its_own_campaign_alone(client):
    campaign, other = make_campaign("invitations"), make_campaign("invitations", "other")
    invitation, secret = new_invitation(other)
    assert client.get(url_of(campaign), {"invite": secret}).status_code == 404
    with pytest.raises(IntegrityError), transaction.atomic():
        Enrolment.objects.create(
            campaign=campaign, annotator=Annotator.objects.create(), invitation=invitation
        )


def test_database_lets_an_invitation_enrol_one_person():
    campaign = make_campaign("invitations")
    invitation, _ = new_invitation(campaign)
    Enrolment.objects.create(
        campaign=campaign, annotator=Annotator.objects.create(), invitation=invitation
    )
    with pytest.raises(IntegrityError, match="invitation"), transaction.atomic():
        Enrolment.objects.create(
            campaign=campaign, annotator=Annotator.objects.create(), invitation=invitation
        )


def test_closed_campaign_says_so_before_it_speaks_of_doors(client):
    campaign = make_campaign("invitations")
    _, secret = new_invitation(campaign)
    close_campaign(campaign=campaign)
    for query in ({}, {"invite": secret}):
        assert 'data-not-now="closed"' in client.get(url_of(campaign), query).content.decode()


# ---- the personal link --------------------------------------------------------------------------


def test_personal_link_goes_on_in_another_browser():
    campaign = make_campaign("invitations")
    url = url_of(campaign)
    first, second = Client(), Client()
    first.get(url, {"invite": new_invitation(campaign)[1]})
    begin(first, url)
    link = personal_link(first, url)
    assert second.get(link)["Location"] == url
    assert pair_of(second, url) == pair_of(first, url)
    assert Enrolment.objects.count() == 1


def test_personal_link_opens_no_other_campaign(client):
    here, there = make_campaign("open", "here"), make_campaign("open", "there")
    begin(client, url_of(here))
    begin(client, url_of(there))
    link = personal_link(client, url_of(here))
    other = Client()
    other.get(link)
    assert works(other, url_of(here))
    assert not works(other, url_of(there))
    key = link.partition("key=")[2]
    assert Client().get(url_of(there), {"key": key}).status_code == 404


def test_personal_link_ends_with_the_access_key(client):
    campaign = make_campaign("open")
    begin(client, url_of(campaign))
    link = personal_link(client, url_of(campaign))
    Annotator.objects.update(access_key="another")
    assert Client().get(link).status_code == 404


def test_newcomer_has_no_personal_link(client):
    url = url_of(make_campaign("open"))
    assert client.get(url + "elsewhere/")["Location"] == url
