"""The operators' admin: what is stored can be looked at there, and not changed."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation.models import Exclusion, Vote
from evalplatform.annotation.services import exclude
from evalplatform.campaigns.models import Campaign
from evalplatform.generation.models import Sample
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LOOKED_AT = [Campaign, Vote, Exclusion, Sample, Annotator]


@pytest.fixture
def operator(client, db):
    client.force_login(User.objects.create_superuser("olga", password="a long password"))
    return client


@pytest.fixture
def voted(campaign):
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(campaign, people, lambda slot: "left")
    exclude(enrolment=campaign.enrolments.first(), rule="gold", detail="x", now=timezone.now())
    return campaign


def address(model, action, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=args)


@pytest.mark.parametrize("model", LOOKED_AT)
def test_operator_looks_at_every_row_and_changes_none(operator, voted, model):
    row = model.objects.first()
    listed = operator.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert "evalplatform" in listed.content.decode()
    shown = operator.get(address(model, "change", row.pk))
    assert shown.status_code == 200
    assert 'name="_save"' not in shown.content.decode()
    before = list(model.objects.order_by("pk").values())
    assert operator.get(address(model, "add")).status_code == 403
    assert operator.post(address(model, "add"), {}).status_code == 403
    assert operator.post(address(model, "change", row.pk), {"status": "closed"}).status_code == 403
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert list(model.objects.order_by("pk").values()) == before


def test_no_key_that_lets_somebody_vote_is_shown(operator, voted):
    person = Annotator.objects.first()
    for url in (address(Annotator, "changelist"), address(Annotator, "change", person.pk)):
        assert person.access_key not in operator.get(url).content.decode()


@pytest.mark.parametrize("model", [Vote, Sample, Campaign])
def test_list_takes_few_queries_however_long_it_is(
    operator, voted, model, django_assert_max_num_queries
):
    with django_assert_max_num_queries(14):
        operator.get(address(model, "changelist"))


def test_votes_are_found_by_annotator_and_campaign(operator, voted):
    person = Annotator.objects.first()
    for query in (person.pseudonym, voted.slug):
        page = operator.get(address(Vote, "changelist"), {"q": query}).content.decode()
        assert person.pseudonym in page
    assert "0 votes" in operator.get(address(Vote, "changelist"), {"q": "nobody"}).content.decode()


def test_researcher_without_staff_rights_is_kept_out(client, rania, voted):
    client.force_login(rania)
    assert client.get(address(Vote, "changelist")).status_code == 302
