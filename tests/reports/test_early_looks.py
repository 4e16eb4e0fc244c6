"""While votes come in: bounds that may be read at any time, with what they assume beside them."""

import json

import pytest

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.services import open_campaign
from evalplatform.reports.dashboard import dashboard_context, offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.stats_votes import pair_votes
from evalplatform.reports.table import results_table
from evalplatform.stats.pairs.sequential import ASSUMES
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def halfway(db):
    """24 prompts with one vote wanted each, A always preferred; 20 of them have it."""
    campaign = factories.make_draft(prompts=24, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create() for _ in range(4)]
    enrolments = [factories.enrol(campaign=campaign, annotator=each) for each in people]
    for index in range(20):
        enrolment = enrolments[index % 4]
        pair = factories.lease(enrolment)
        factories.vote(enrolment, pair, factories.pick(pair, 0))
    return campaign


def test_bounds_are_those_of_the_complete_prompts(halfway):
    look = campaign_results(halfway).early_looks[0].look
    means = stats.completed_prompt_means(pair_votes(vote_columns(halfway)), 1)
    expected = stats.confidence_sequence(means)
    assert look.sequence.n_prompts == 20
    assert (look.sequence.low, look.sequence.high) == (expected.low, expected.high)


def test_they_are_shown_with_what_they_assume_wherever_they_are_shown(halfway):
    results = campaign_results(halfway)
    look = results.early_looks[0].look
    assert look.sequence.decided
    page, table = offline_dashboard(results), " ".join(results_table(results).split())
    assert "Voting is not finished" in page
    for text in (page, table):
        assert ASSUMES in text
        assert f"{100 * look.sequence.low:+.1f}" in text
    (shown,) = dashboard_context(results)["early_looks"]
    reason = "4 people judged so far; to claim it of others 10 are needed"
    assert shown["says"] == f"these annotators prefer A; {reason}"
    exported = json.loads(json.dumps(results_json(results), allow_nan=False))["early_looks"][0]
    assert (exported["low"], exported["assumes"]) == (look.sequence.low, ASSUMES)
    assert (exported["claim"], exported["why_no_claim"]) == (False, reason)
    assert exported["net_for_others"]["level"] == pytest.approx(0.995)


def test_enough_people_of_one_mind_are_a_claim(db):
    campaign = factories.make_draft(prompts=40, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create() for _ in range(12)]
    enrolments = [factories.enrol(campaign=campaign, annotator=each) for each in people]
    for index in range(36):
        pair = factories.lease(enrolments[index % 12])
        factories.vote(enrolments[index % 12], pair, factories.pick(pair, 0))
    (shown,) = dashboard_context(campaign_results(campaign))["early_looks"]
    assert shown["says"] == "A preferred"


def test_prompt_with_a_vote_missing_is_left_out_and_nothing_is_claimed(campaign, ana):
    factories.judge_everything(campaign, [ana], lambda assignment: "left")
    looks = campaign_results(campaign).early_looks
    assert {each.look.sequence.state for each in looks} == {stats.State.NO_ANSWERS}
    shown = dashboard_context(campaign_results(campaign))["early_looks"]
    assert {each["says"] for each in shown} == {"No prompt has all its votes yet."}
    assert "(no answers)" in results_table(campaign_results(campaign))


def test_finished_campaign_shows_none(campaign):
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(campaign, people, lambda assignment: "tie")
    results = campaign_results(campaign)
    assert results.early_looks == []
    assert "Voting is not finished" not in offline_dashboard(results)
    assert "By these annotators" not in results_table(results)
