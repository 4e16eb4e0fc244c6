"""Accounts that answer alike are named to the researcher, and nobody is excluded for it."""

import io

import pytest
from django.core.management import call_command

from evalplatform.annotation.models import Exclusion
from evalplatform.quality.rings import campaign_rings
from tests import factories
from tests.ring_campaign import PEOPLE, RING, ring_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("form", "arms"), [("pair", 2), ("pair", 3), ("ranking", 4), ("rating", 3)]
)
def test_ring_is_named_in_every_form(form, arms):
    campaign = ring_campaign(form=form, arms=arms)
    found = campaign_rings(campaign)
    assert [name.removeprefix("rigged-") for name in found.pseudonyms] == list(RING)
    assert found.n_compared == PEOPLE
    (ring,) = found.rings
    assert ring.p_value < 0.01
    assert ring.sentence.startswith("These 3 accounts answered alike more than chance explains")
    assert "said the same" in ring.example
    assert "rigged-ring-" in ring.example


def review(campaign, *options):
    printed = io.StringIO()
    call_command("review_annotators", campaign.slug, *options, stdout=printed)
    return printed.getvalue()


def test_review_names_the_ring_and_excludes_nobody():
    campaign = ring_campaign()
    said = review(campaign, "--apply")
    assert "These 3 accounts answered alike more than chance explains" in said
    for name in RING:
        assert f"  rigged-{name}: " in said
    assert "Nobody is excluded for it" in said
    assert not Exclusion.objects.exists()
    for name in RING:
        review(campaign, "--exclude", f"rigged-{name}", "--reason", "answers as two others")
    said = review(campaign)
    assert "No ring among 13 accounts" in said
    assert Exclusion.objects.count() == len(RING)


def test_honest_people_are_not_named():
    campaign = ring_campaign(ring=False)
    assert campaign_rings(campaign).rings == []
    assert "No ring among 16 accounts" in review(campaign)


def test_few_people_are_said_to_be_too_few():
    campaign = factories.make_draft(prompts=2)
    assert "Rings were not looked for: There is no vote." in review(campaign)
