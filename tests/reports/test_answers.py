"""The sentence at the top: it says what the table's numbers say, and no more."""

import dataclasses
import random

import pytest

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.reports.answers import answers
from evalplatform.reports.dashboard import dashboard_context, offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import results_table
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def preferring(side):
    """Answer for this side three times in four, and a tie now and then."""
    draws = random.Random(5)

    def choose(slot):
        draw = draws.random()
        if draw < 0.1:
            return "tie"
        is_a = (draw < 0.85) == (side == "A")
        return factories.pick(slot, 0 if is_a else 1)

    return choose


def judged(choose, *, prompts=12, people=6, simulated=0, k=5, votes=None):
    campaign = factories.make_draft(prompts=prompts, k=k, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    annotators = [Annotator.objects.create(is_simulated=i < simulated) for i in range(people)]
    if votes is None:
        factories.judge_everything(campaign, annotators, choose)
    else:
        enrolments = [factories.enrol(campaign=campaign, annotator=each) for each in annotators]
        for index in range(votes):
            enrolment = enrolments[index % people]
            pair = factories.lease(enrolment)
            factories.vote(enrolment, pair, choose(pair))
    return campaign


def sentence_of(campaign):
    (answer,) = answers(campaign_results(campaign))
    return answer.leader, answer.sentence


@pytest.mark.parametrize(
    ("choose", "leader", "order"),
    [(preferring("A"), "A", "A over B"), (preferring("B"), "B", "B over A")],
)
def test_preference_is_said_with_the_tables_numbers(choose, leader, order):
    campaign = judged(choose)
    results = campaign_results(campaign)
    net = results.groups[0].rates.net
    said = f"People prefer {order}: net {100 * net.value:+.1f} % [{100 * net.low:+.1f}, "
    assert sentence_of(campaign) == (leader, f"{said}{100 * net.high:+.1f}].")
    row = dashboard_context(results)["rows"][0]
    assert row["net"].startswith(f"{100 * net.value:+.1f} [")


def test_interval_that_holds_zero_shows_no_preference():
    campaign = judged(lambda slot: "left")
    leader, said = sentence_of(campaign)
    assert leader == ""
    assert said.startswith("People show no preference between A and B: net ")


def test_simulated_votes_are_never_said_to_be_peoples():
    _, said = sentence_of(judged(preferring("A"), simulated=6))
    assert said.startswith("Simulated annotators prefer A over B")


def test_some_simulated_votes_are_told_too():
    _, said = sentence_of(judged(preferring("A"), simulated=1))
    assert said.startswith("Annotators, some of them simulated, prefer A over B")


def test_unfinished_voting_claims_only_what_holds_at_every_look():
    leader, said = sentence_of(judged(preferring("A"), votes=30))
    assert (leader, said.split(";")[0]) == ("", "Not decided yet: voting is not finished")


@pytest.mark.parametrize(
    ("people", "leader", "begins"),
    [
        (4, "", "No claim yet, voting is not finished: these annotators prefer A over B so far"),
        (12, "A", "People prefer A over B: net +100.0 % ["),
    ],
)
def test_early_look_speaks_of_others_only_where_enough_people_judged(people, leader, begins):
    campaign = judged(
        lambda slot: factories.pick(slot, 0), prompts=40, k=1, people=people, votes=36
    )
    (answer,) = answers(campaign_results(campaign))
    assert answer.leader == leader
    assert answer.sentence.startswith(begins)
    assert ("10 are needed" in answer.sentence) == (people < 10)


@pytest.mark.parametrize(("people", "warns"), [(1, False), (2, True), (3, True), (4, False)])
def test_two_and_three_annotators_are_warned_of(people, warns):
    campaign = judged(preferring("A"), k=people, people=people)
    results = campaign_results(campaign)
    caution = f"Only {people} annotators"
    assert (caution in results_table(results)) == warns
    assert (caution in offline_dashboard(results)) == warns


def test_closed_before_the_end_is_said_to_be_stopped():
    campaign = judged(preferring("A"), votes=30)
    close_campaign(campaign=campaign)
    campaign.refresh_from_db()
    assert "voting was stopped before all votes were in" in sentence_of(campaign)[1]


def test_lone_annotator_speaks_for_nobody_else():
    campaign = judged(preferring("A"), k=1, people=1)
    results = campaign_results(campaign)
    group = results.groups[0]
    net = dataclasses.replace(
        group.rates.net, value=0.5, low=None, high=None, state=stats.State.ONE_ANNOTATOR
    )
    group = dataclasses.replace(group, rates=dataclasses.replace(group.rates, net=net))
    (answer,) = answers(dataclasses.replace(results, groups=[group]))
    assert answer.leader == ""
    assert answer.sentence == "One annotator: net +50.0 % of their votes, no interval for others."


def test_table_page_and_json_say_the_same_sentence():
    results = campaign_results(judged(preferring("A")))
    (answer,) = answers(results)
    assert answer.sentence in " ".join(results_table(results).split())
    assert answer.sentence in offline_dashboard(results)
    assert results_json(results)["answers"] == [
        {
            "criterion": "visual_appeal", "criterion_label": "Visual appeal", "leader": "A",
            "sentence": answer.sentence,
        }
    ]  # fmt: skip
