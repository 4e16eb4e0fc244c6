"""A report says what the results would be without the accounts of a ring."""

import json

import numpy as np
import pytest

from evalplatform import stats
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.stats_votes import pair_votes, pseudonyms
from evalplatform.reports.table import results_table
from tests.ring_campaign import RING, ring_campaign

pytestmark = pytest.mark.django_db(transaction=True)


def test_results_stand_beside_those_without_the_ring():
    campaign = ring_campaign()
    results = campaign_results(campaign)
    (line,) = results.without_rings
    votes = vote_columns(campaign)
    names = pseudonyms(campaign)
    honest = [names[who].removeprefix("rigged-") not in RING for who in votes.annotator.tolist()]
    expected = stats.win_rates(pair_votes(votes.where(np.array(honest)))).net
    assert line.other.value == pytest.approx(expected.value)
    assert line.as_reported.value == results.groups[0].rates.net.value
    assert line.votes == len(votes) - sum(honest)
    assert results.n_votes == len(votes)  # they count until somebody excludes them

    said = json.loads(json.dumps(results_json(results)))
    assert said["format"] == "evalplatform-results/5"
    (ring,) = said["rings"]["found"]
    assert {each["pseudonym"].removeprefix("rigged-") for each in ring["members"]} == set(RING)
    assert ring["says"].startswith("These 3 accounts answered alike")
    (row,) = said["rings"]["with_and_without"]
    assert row["measure"] == "net"
    assert row["without"]["value"] == pytest.approx(expected.value)

    table = results_table(results)
    assert "These 3 accounts answered alike" in table
    assert "Their votes count in all other figures." in table

    page = offline_dashboard(results)
    assert "Accounts that answer alike" in page
    assert f"{100 * expected.value:+.1f}" in page
    assert "rigged-ring-1" in page


@pytest.mark.parametrize(("form", "arms", "measure"), [
    ("ranking", 4, "strength"), ("rating", 3, "mean grade"),
])  # fmt: skip
def test_orders_stand_beside_those_without_the_ring(form, arms, measure):
    campaign = ring_campaign(form=form, arms=arms)
    results = campaign_results(campaign)
    lines = results.without_rings
    assert [line.measure for line in lines] == [measure] * arms
    assert {line.arm for line in lines} == set("ABCD"[:arms])
    assert all(line.other.value != line.as_reported.value for line in lines)
    assert all(line.votes > 0 for line in lines)
    assert "Accounts that answer alike" in offline_dashboard(results)


def test_report_without_a_ring_is_silent_on_rings():
    results = campaign_results(ring_campaign(ring=False))
    assert results.without_rings == []
    assert results_json(results)["rings"]["found"] == []
    assert "answered alike" not in results_table(results)
    assert "Accounts that answer alike" not in offline_dashboard(results)
