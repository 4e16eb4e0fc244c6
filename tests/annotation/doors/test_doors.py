"""Who comes into a campaign by which door; every other arrival reads why not and what to do."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.signing import TimestampSigner
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import Annotator, CrowdIdentity, User
from evalplatform.accounts.projects import default_project
from evalplatform.accounts.services import ensure_simulated_annotator
from evalplatform.annotation.doors.arrivals import arrival_of
from evalplatform.annotation.models import CrowdVisit, Enrolment, Invitation
from evalplatform.annotation.services import invite, open_campaign, revoke_invitations
from evalplatform.campaigns.services import close_campaign
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}
PROLIFIC = {"PROLIFIC_PID": "5f1e0a", "STUDY_ID": "study1", "SESSION_ID": "session1"}


def make_campaign(door: str, slug: str = "asked"):
    campaign = factories.make_draft(slug=slug, rules={"annotation": {"door": door}})
    open_campaign(campaign=campaign)
    return campaign


def url_of(campaign) -> str:
    return reverse("annotation:work", args=[campaign.invitation])


def door_of(response) -> str | None:
    found = re.search(r'data-door="(\w+)"', response.content.decode())
    return found[1] if found else None


def begin(client, url):
    return client.post(url + "begin/", follow=True)


def works(client, url) -> bool:
    response = client.get(url + "next/", **JSON)
    return response.status_code == 200 and response.json()["state"] == "judge"


def pair_of(client, url) -> str:
    return client.get(url + "next/", **JSON).json()["sets"][0]["assignment"]


def new_invitation(campaign, **options) -> tuple[Invitation, str]:
    return invite(campaign=campaign, labels=[""], now=timezone.now(), **options)[0]


# ---- the open link ------------------------------------------------------------------------------


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


# ---- guesses ------------------------------------------------------------------------------------


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


# ---- invitations --------------------------------------------------------------------------------


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


def personal_link(client, url) -> str:
    page = client.get(url + "elsewhere/").content.decode()
    return re.search(r'value="http://testserver([^"]+\?key=[^"]+)"', page)[1]


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


# ---- crowd platforms ----------------------------------------------------------------------------


def test_crowd_door_lets_in_who_comes_from_the_platform_alone(client):
    url = url_of(make_campaign("crowd"))
    response = client.get(url)
    assert (response.status_code, door_of(response)) == (403, "crowd")
    client.get(url, PROLIFIC)
    begin(client, url)
    assert works(client, url)


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


# ---- members ------------------------------------------------------------------------------------


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
