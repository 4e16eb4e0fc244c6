"""One criterion beside another: what two arms are better at, and orders that two criteria turn."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from django.urls import reverse

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.services import open_campaign
from evalplatform.reports.criteria_beside import (
    DEFINITION,
    OrderOfCriterion,
    Placed,
    orders_beside,
    turned_orders,
)
from evalplatform.reports.csv_files import GROUP_COLUMNS, groups_csv
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.stats_votes import of_criterion, pair_votes
from evalplatform.reports.table import results_table
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = ["visual_appeal", "text_faithfulness"]


def judged(choose, *, people=6, **options):
    campaign = factories.make_draft(prompts=12, k=3, criteria=BOTH, **options)
    open_campaign(campaign=campaign)
    factories.judge_everything(
        campaign, [Annotator.objects.create() for _ in range(people)], choose
    )
    return campaign


def likes_one_for_looks(rng):
    """A is preferred for its looks, mostly, and B for what it shows."""

    def choose(slot):
        looks = slot.item.criterion.slug == "visual_appeal"
        if rng.random() < 0.2:
            return "tie"
        return factories.pick(slot, int((rng.random() < 0.15) == looks))

    return choose


@pytest.fixture
def apart(db):
    return judged(likes_one_for_looks(np.random.default_rng(4)))


def test_difference_of_the_nets_is_that_of_the_votes_with_what_they_share(apart):
    (found,) = campaign_results(apart).criteria_beside
    assert [found.first, found.second] == BOTH
    counting = vote_columns(apart).counting()
    one, other = (
        pair_votes(of_criterion(counting, apart.criteria.get(slug=slug))) for slug in BOTH
    )
    again = stats.compare_nets(one, other)
    difference = found.difference
    assert (difference.value, difference.low, difference.high) == (
        again.value, again.low, again.high,
    )  # fmt: skip
    assert difference.value == pytest.approx(
        stats.win_rates(one).net.value - stats.win_rates(other).net.value
    )
    assert difference.n_shared_prompts == 12
    assert found.p_holm == difference.p_value  # a family of one
    assert difference.low > 0
    labels = (found.first_label, found.second_label)
    assert found.sentence == f"A stands better in {labels[0]} than in {labels[1]}."


def test_it_stands_on_the_tab_in_json_csv_and_the_table_alike(apart, client, rania):
    client.force_login(rania)
    results = campaign_results(apart)
    (found,) = results.criteria_beside
    page = client.get(reverse("reports:results", args=[apart.slug])).content.decode()
    said = f"{100 * found.difference.value:+.1f} [{100 * found.difference.low:+.1f}, "
    assert said in page
    assert found.sentence in page
    assert DEFINITION.replace("'", "&#x27;") in page
    told = json.loads(json.dumps(results_json(results)))["criteria_beside"]
    (pair,) = told["pairs"]
    assert pair["net_difference"]["value"] == found.difference.value
    assert pair["says"] == found.sentence
    (row,) = (
        each
        for each in csv.DictReader(io.StringIO(groups_csv(results)))
        if each["by"] == "criterion"
    )
    assert set(row) == set(GROUP_COLUMNS)
    assert (row["criterion"], row["name"], row["measure"]) == (*BOTH, "net_difference")
    assert float(row["low"]) == found.difference.low
    assert said in results_table(results)


def test_difference_is_claimed_by_holms_p_and_not_before_the_last_vote(apart):
    (found,) = campaign_results(apart).criteria_beside
    assert found.difference.low > 0
    assert "A stands better in" in found.sentence
    among_many = replace(found, p_holm=0.2)
    assert among_many.sentence.endswith("but not with all pairs of criteria counted.")
    last = apart.assignments.filter(purpose="main").last()
    apart.assignments.filter(pk=last.pk).update(completed_at=None)
    (early,) = campaign_results(apart).criteria_beside
    assert early.difference.low > 0
    assert early.sentence == "Not decided yet: votes are missing."


def test_alike_answers_claim_no_difference(db):
    rng = np.random.default_rng(1)
    campaign = judged(lambda slot: factories.pick(slot, int(rng.random() < 0.4)))
    (found,) = campaign_results(campaign).criteria_beside
    assert found.difference.low < 0 < found.difference.high
    assert "No difference between" in found.sentence


def test_one_criterion_stands_beside_nothing(db, client, rania):
    campaign = factories.make_draft(prompts=2, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create() for _ in range(2)]
    factories.judge_everything(campaign, people, lambda slot: "left")
    assert campaign_results(campaign).criteria_beside == []
    client.force_login(rania)
    page = client.get(reverse("reports:results", args=[campaign.slug])).content.decode()
    assert "criteria-beside" not in page


def strengths_turned(rng):
    """A, B, C for their looks; C, B, A for what they show."""

    def choose(slot):
        arms = {image.place: image.arm.place for image in slot.item.image_set.images.all()}
        sign = 1 if slot.item.criterion.slug == "visual_appeal" else -1
        seen = [sign * (1.2, 0, -1.2)[arms[place]] + rng.normal() for place in slot.order]
        return "left" if seen[0] > seen[1] else "right"

    return choose


def test_arms_that_two_criteria_turn_are_named(db, client, rania):
    rng = np.random.default_rng(2)
    campaign = judged(strengths_turned(rng), people=12, arms=3, design="all-pairs")
    results = campaign_results(campaign)
    assert results.criteria_beside == []  # nets are of two arms
    orders = orders_beside(results.galleries, results.gradings)
    turned = [(each.ahead_in_first, each.ahead_in_second) for each in turned_orders(orders)]
    assert ("A", "C") in turned
    told = results_json(results)["criteria_beside"]["turned_orders"]
    assert {"A", "C"} in [{each["ahead_in_first"], each["ahead_in_second"]} for each in told]
    client.force_login(rania)
    page = client.get(reverse("reports:results", args=[campaign.slug])).content.decode()
    assert "A is ahead of C in" in page
    standing = results.galleries[0].ranking.standings[0]
    assert f"{standing.value:+.2f}" in page.partition("orders-beside")[2]
    assert "A is ahead of C in" in results_table(results)


def order(criterion, **ranks):
    placed = {arm: Placed(0.0, None, None, *both) for arm, both in ranks.items()}
    return OrderOfCriterion(criterion, criterion, "strength", placed)


def test_order_is_turned_only_where_both_criteria_tell_the_arms_apart():
    looks = order("looks", A=(1, 1), B=(2, 3), C=(2, 3))
    unsure = order("unsure", A=(1, 3), B=(1, 3), C=(1, 3))
    without = order("without", A=(None, None), B=(1, 1), C=(2, 2))
    other = order("other", A=(2, 3), B=(1, 1), C=(2, 3))
    assert not list(turned_orders([looks, unsure, without, looks]))
    assert not list(turned_orders([looks, replace(other, is_open=True)]))
    ((found),) = turned_orders([looks, other])
    assert (found.ahead_in_first, found.ahead_in_second) == ("A", "B")
