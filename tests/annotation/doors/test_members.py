"""Members of a project come in as themselves, whatever the browser."""

import pytest
from django.core.signing import TimestampSigner
from django.db import IntegrityError, transaction
from django.test import Client

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import Annotator, User
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.models import Enrolment
from tests.annotation.doors.doorways import (
    JSON,
    begin,
    door_of,
    make_campaign,
    new_invitation,
    pair_of,
    url_of,
    works,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_members_sign_in_and_go_on_in_any_browser(client, rania):
    url = url_of(make_campaign("members"))
    response = client.get(url)
    assert (response.status_code, door_of(response)) == (403, "members")
    assert f"next={url}" in response.content.decode()
    client.force_login(rania)
    begin(client, url)
    pair = pair_of(client, url)

    other = Client()
    other.force_login(rania)
    assert other.get(url)["Location"] == url
    assert pair_of(other, url) == pair
    enrolment = Enrolment.objects.get()
    assert enrolment.member == rania
    assert "rania" not in enrolment.annotator.pseudonym


def test_next_person_at_a_computer_does_not_work_as_the_last_member(client, rania, oscar_user):
    url = url_of(make_campaign("members"))
    client.force_login(rania)
    begin(client, url)
    client.logout()
    assert door_of(client.get(url)) == "members"
    client.force_login(oscar_user)
    begin(client, url)
    assert Enrolment.objects.count() == 2


def test_database_lets_a_member_be_one_annotator_of_a_campaign(rania):
    campaign = make_campaign("members")
    Enrolment.objects.create(campaign=campaign, annotator=Annotator.objects.create(), member=rania)
    with pytest.raises(IntegrityError, match="enrolment_one_a_member"), transaction.atomic():
        Enrolment.objects.create(
            campaign=campaign, annotator=Annotator.objects.create(), member=rania
        )


def test_account_of_another_project_is_told(client, campaign_of_members):
    client.force_login(User.objects.create_user("stranger"))
    response = client.get(url_of(campaign_of_members))
    assert (response.status_code, door_of(response)) == (403, "not_member")
    assert begin(client, url_of(campaign_of_members)).status_code == 403
    assert not Enrolment.objects.exists()


@pytest.fixture
def campaign_of_members():
    return make_campaign("members")


@pytest.fixture
def oscar_user(db):
    user = User.objects.create_user("oscar")
    set_member(project=default_project(), user=user, role="viewer")
    return user


# ---- the cookie ---------------------------------------------------------------------------------


def test_old_browser_keeps_its_work_elsewhere_when_it_is_invited(client):
    anybodys, invited = make_campaign("open", "anybodys"), make_campaign("invitations", "invited")
    begin(client, url_of(anybodys))
    pair = pair_of(client, url_of(anybodys))
    client.get(url_of(invited), {"invite": new_invitation(invited)[1]})
    begin(client, url_of(invited))
    assert works(client, url_of(invited))
    assert pair_of(client, url_of(anybodys)) == pair
    state = client.get(url_of(invited) + "next/", **JSON).json()
    image = client.get(state["sets"][0]["images"][0])
    assert image.status_code == 200
    image.close()


def test_forged_cookie_is_nobody(client):
    url = url_of(make_campaign("open"))
    begin(client, url)
    client.cookies["annotator"] = TimestampSigner(key="another").sign("1")
    assert not works(client, url)
