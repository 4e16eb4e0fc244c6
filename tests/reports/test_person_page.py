"""One annotator's page: what excluding them would do to the headline, doing it, taking it back."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment, Exclusion, Vote
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.effect import effect_of
from evalplatform.reports.results import campaign_results
from tests import factories


@pytest.fixture
def voted(db):
    """Three people on every pair of a duel; the last always prefers B."""
    campaign = factories.make_draft(prompts=4, k=3, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create(pseudonym=name) for name in ("ada", "bob", "cyd")]
    factories.judge_everything(
        campaign, people,
        lambda slot: factories.pick(slot, int(slot.annotator_id == people[2].pk)),
    )  # fmt: skip
    return campaign


def page(campaign, who="cyd"):
    return reverse("reports:person", args=[campaign.slug, who])


def net(campaign):
    return campaign_results(Campaign.objects.get(pk=campaign.pk)).groups[0].rates.net.value


def test_preview_of_an_exclusion_is_what_it_then_does(voted, client, rania):
    cyd = voted.enrolments.get(annotator__pseudonym="cyd")
    (effect,) = effect_of(cyd)
    assert effect.as_reported.value == pytest.approx(net(voted)) == pytest.approx(1 / 3)
    assert effect.other.value == pytest.approx(1)
    assert effect.votes == 4
    client.force_login(rania)
    text = client.get(page(voted)).content.decode()
    assert "+33.3" in text
    assert "+100.0" in text
    answer = client.post(page(voted), {"action": "exclude", "reason": "  clicked at random "})
    assert answer.status_code == 302
    assert net(voted) == pytest.approx(1)
    assert Exclusion.objects.get().detail == "clicked at random"
    cyd.refresh_from_db()
    (back,) = effect_of(cyd)
    assert (back.as_reported.value, back.other.value) == (pytest.approx(1), pytest.approx(1 / 3))


def test_reinstating_takes_the_exclusion_back(voted, client, rania):
    client.force_login(rania)
    client.post(page(voted), {"action": "exclude", "reason": "a mistake"})
    text = client.get(page(voted)).content.decode()
    assert "a mistake" in text
    assert 'value="reinstate"' in text
    text = client.post(page(voted), {"action": "reinstate"}, follow=True).content.decode()
    assert "4 votes count again" in text
    assert net(voted) == pytest.approx(1 / 3)
    text = client.post(page(voted), {"action": "reinstate"}, follow=True).content.decode()
    assert "is not excluded any more" in text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"action": "exclude"}, "an exclusion needs a reason"),
        ({"action": "exclude", "reason": "x" * 501}, "accepted: 1 to 500"),
        ({"action": "delete"}, "not something that can be done"),
        ({}, "not something that can be done"),
    ],
)
def test_bad_decision_is_refused_in_words_and_changes_nothing(voted, client, rania, sent, said):
    client.force_login(rania)
    assert said in client.post(page(voted), sent, follow=True).content.decode()
    assert not Vote.objects.exclude(exclusion=None).exists()
    assert not voted.enrolments.filter(status=Enrolment.Status.DISQUALIFIED).exists()


def test_who_took_no_part_is_not_found(voted, client, rania):
    client.force_login(rania)
    assert client.get(page(voted, "nobody")).status_code == 404
    assert client.post(page(voted, "nobody"), {"action": "exclude"}).status_code == 404


@pytest.mark.parametrize(
    ("form", "answer", "measure"), [("ranking", "0>1>2", "strength"), ("rating", "4", "mean grade")]
)
def test_preview_speaks_of_every_arm_where_there_is_no_a_and_b(db, form, answer, measure):
    arms = 3 if form == "ranking" else 1
    campaign = factories.make_draft(
        prompts=3, k=2, criteria=["visual_appeal"], form=form, arms=arms, design="together"
    )
    open_campaign(campaign=campaign)
    people = [enrol(campaign=campaign, annotator=Annotator.objects.create()) for _ in range(2)]
    for each in people:
        while slot := factories.lease(each):
            factories.vote(each, slot, answer, now=timezone.now())
    effects = effect_of(people[0])
    assert {each.measure for each in effects} == {measure}
    assert len(effects) == arms
    assert {each.votes for each in effects} == {3}
