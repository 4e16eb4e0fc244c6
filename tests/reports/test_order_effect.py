"""Reports show early votes beside late ones."""

import json
import re

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.own_start]


def judged(say, *, start="own"):
    """A campaign that ten annotators judge in turn; `say(nth, slot, who)` is what they press."""
    draft = factories.make_draft(prompts=12, k=10, criteria=["visual_appeal"])
    Campaign.objects.filter(pk=draft.pk).update(rules={"annotation": {"start": start}})
    draft.refresh_from_db()
    open_campaign(campaign=draft)
    people = [enrol(campaign=draft, annotator=Annotator.objects.create()) for _ in range(10)]
    for number, each in enumerate(people):
        each.check_seed = 100_000 * number  # a tenth of the campaign further for each
        each.save()
    for nth in range(12):
        for number, each in enumerate(people):
            slot = factories.lease(each)
            factories.vote(each, slot, say(nth, slot, number))
    return campaign_results(Campaign.objects.get(pk=draft.pk))


def drifting(nth, slot, who):
    """A at first, B later; and ties late."""
    if nth == 11:
        return "tie"
    return factories.pick(slot, int(nth >= 6) if nth % 6 else 1 - int(nth >= 6))


def steady(nth, slot, who):
    return factories.pick(slot, (5 * slot.item.position + 3 * who) % 7 % 2)


def text_of(results):
    html = offline_dashboard(results)
    assert 'id="order-effect"' in html
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_planted_drift_stands_in_json_and_on_the_dashboard():
    results = judged(drifting)
    (found,) = json.loads(json.dumps(results_json(results)))["order_effect"]
    assert found["criterion"] == "visual_appeal"
    net = found["net"]
    assert (net["first"]["value"], net["second"]["value"]) == (pytest.approx(2 / 3), -0.5)
    assert net["low"] > 0
    assert net["p_value"] < 0.01
    assert (found["ties_first"]["value"], found["ties_second"]["value"]) == (
        0,
        pytest.approx(1 / 6),
    )
    assert "Early and late votes" in text_of(results)
    assert "+66.7 [" in text_of(results)
    assert "place of their own" in text_of(results)


def test_without_drift_the_interval_holds_nothing():
    (found,) = judged(steady).order_effects
    assert found.effect.net.low <= 0 <= found.effect.net.high
    assert found.effect.net.p_value > 0.05


def test_page_warns_where_all_begin_at_the_same_item():
    results = judged(drifting, start="first")
    assert "cannot be told apart" in text_of(results)


def test_campaign_without_votes_has_no_order_effect(campaign):
    results = campaign_results(campaign)
    assert results_json(results)["order_effect"] == []
    assert 'id="order-effect"' not in offline_dashboard(results)
