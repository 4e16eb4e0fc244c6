"""The page of a campaign's invitations: for those who edit it alone."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.models import Invitation
from evalplatform.annotation.services import enrol_invited
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return factories.make_draft(
        slug="asked", sampled=False, prompts=1, rules={"annotation": {"door": "invitations"}}
    )


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


PAGE = reverse("reports:invitations", args=["asked"])
REVOKE = reverse("reports:revoke_invitations", args=["asked"])


def test_researcher_makes_lists_and_revokes(researcher, campaign, rania):
    made = researcher.post(PAGE, {"names": "Ana\nBen\n", "count": "10", "days": "14"})
    assert made["Content-Disposition"] == 'attachment; filename="asked-invitations.csv"'
    lines = made.content.decode().splitlines()
    assert [line.split(",")[1] for line in lines] == ["label", '"Ana"', '"Ben"']
    assert Invitation.objects.first().created_by == rania

    enrolment = enrol_invited(
        campaign=campaign, invitation_id=Invitation.objects.first().pk, now=timezone.now()
    )
    page = researcher.get(PAGE).content.decode()
    assert page.count('data-state="used"') == page.count('data-state="unused"') == 1
    assert enrolment.annotator.pseudonym not in page

    assert researcher.post(REVOKE, {"number": "2"})["Location"] == PAGE
    assert 'data-state="revoked"' in researcher.get(PAGE).content.decode()


def test_all_unused_go_at_once(researcher, campaign):
    researcher.post(PAGE, {"count": "3"})
    researcher.post(REVOKE, {"number": "all"})
    assert Invitation.objects.filter(revoked_at=None).count() == 0


@pytest.mark.parametrize("number", ["", "9", "x", "-1", "9" * 30, "²"])
def test_number_that_is_not_there_revokes_nothing(researcher, campaign, number):
    researcher.post(PAGE, {"count": "1"})
    assert researcher.post(REVOKE, {"number": number})["Location"] == PAGE
    assert Invitation.objects.get().revoked_at is None


@pytest.mark.parametrize("given", [{}, {"count": "0"}, {"names": "x" * 200}, {"count": "20000"}])
def test_what_cannot_be_made_is_said_on_the_page(researcher, campaign, given):
    response = researcher.post(PAGE, given)
    assert response["Content-Type"].startswith("text/html")
    assert not Invitation.objects.exists()


def test_campaign_with_another_door_says_so(researcher):
    factories.make_draft(slug="asked", sampled=False, prompts=1)
    assert "which invitations do not open" in researcher.get(PAGE).content.decode()


def test_viewers_and_strangers_do_not_see_it(client, campaign):
    viewer = User.objects.create_user("viewer")
    set_member(project=default_project(), user=viewer, role="viewer")
    client.force_login(viewer)
    assert client.get(PAGE).status_code == 403
    assert client.post(REVOKE, {"number": "all"}).status_code == 403
    client.force_login(User.objects.create_user("stranger"))
    assert client.get(PAGE).status_code == 404
    client.logout()
    assert client.get(PAGE).status_code == 302
