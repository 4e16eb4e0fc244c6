"""The list of campaigns: found by name and state, each with its progress and first answer."""

import pytest
from django.urls import reverse

from evalplatform.annotation.services import open_campaign
from evalplatform.reports.cached import results_of
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NET = 'class="mini-forest"'


@pytest.fixture
def listed(client, rania, ana):
    """An open campaign with a vote, and a draft."""
    first = factories.make_draft(slug="first-one", prompts=2, k=1)
    open_campaign(campaign=first)
    factories.judge_everything(first, [ana], lambda slot: factories.pick(slot, 0))
    factories.make_draft(slug="second-one", prompts=2, k=1)
    client.force_login(rania)
    return first


def page(client, **query):
    return client.get(reverse("reports:campaign_list"), query).content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"first-one", "second-one"}),
        ({"state": "open"}, {"first-one"}),
        ({"state": "draft"}, {"second-one"}),
        ({"state": "nonsense"}, {"first-one", "second-one"}),
        ({"q": "SECOND"}, {"second-one"}),
        ({"q": "first", "state": "draft"}, set()),
    ],
)
def test_list_is_filtered_by_state_and_searched_by_name(listed, client, query, shown):
    text = page(client, **query)
    assert {slug for slug in ("first-one", "second-one") if f"/campaigns/{slug}/" in text} == shown


def test_first_answer_shows_once_there_are_results_and_is_not_computed_for_the_list(listed, client):
    assert NET not in page(client)
    results_of(listed)
    text = page(client)
    assert text.count(NET) == 1
    assert "+100.0 [–]" in text
    assert "4 of 4 <b>100 %</b>" in text


def test_list_sorts_by_name_both_ways(listed, client):
    rising, falling = page(client, sort="name"), page(client, sort="-name")
    assert rising.index("/campaigns/first-one/") < rising.index("/campaigns/second-one/")
    assert falling.index("/campaigns/first-one/") > falling.index("/campaigns/second-one/")
