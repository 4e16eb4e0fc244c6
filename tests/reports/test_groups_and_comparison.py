"""Groups of prompts, annotators beside the others, and two campaigns side by side."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.http import QueryDict
from django.urls import reverse

from evalplatform import stats
from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.services import open_campaign
from evalplatform.reports.answers import answers
from evalplatform.reports.comparison import compare_campaigns
from evalplatform.reports.csv_files import GROUP_COLUMNS, MEASURES, groups_csv
from evalplatform.reports.dashboard import dashboard_context, offline_dashboard
from evalplatform.reports.exports import VERDICT_MEASURES, results_json
from evalplatform.reports.image_browser import browser_context
from evalplatform.reports.results import campaign_results
from evalplatform.reports.results_tab import results_context
from evalplatform.reports.serve_order import order_records
from evalplatform.reports.stats_votes import pair_votes
from evalplatform.reports.table import WIDTH, results_table
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def prefer_animals(assignment):
    """A wins on animals, mostly; vehicles are drawn."""
    a_side = factories.pick(assignment, 0)
    animals = assignment.item.image_set.prompt.category == "Animals"
    return a_side if animals and assignment.slot > 1 else "tie"


@pytest.fixture
def people(db):
    return [Annotator.objects.create(is_simulated=index == 0) for index in range(6)]


@pytest.fixture
def voted(people):
    campaign = factories.make_draft(prompts=12)
    open_campaign(campaign=campaign)
    factories.judge_everything(campaign, people, prefer_animals)
    return campaign


@pytest.fixture
def second(voted, people):
    """Other checkpoints on the same prompts, judged by the same people."""
    campaign = factories.make_draft(prompts=0, slug="again", criteria=["visual_appeal"])
    campaign.prompt_sets.set(voted.prompt_sets.all())
    factories.make_samples(campaign)
    open_campaign(campaign=campaign)
    factories.judge_everything(campaign, people, lambda each: "left" if each.slot < 3 else "tie")
    return campaign


def rows_of(context):
    """Return every row of a forest that leads to images, of which it says the votes."""
    forests = [each["votes"] for each in context["duels"]]
    forests += [each["rows"] for each in context["by_group"]]
    return [row for rows in forests for row in rows]


def test_every_row_leads_to_the_images_behind_it(voted):
    """Their votes are as many as the row says."""
    rows = rows_of(results_context(campaign_results(voted)))
    assert [row.label for row in rows[:4]] == ["All", "Stylized"] * 2
    assert len(rows) == 4 + 2 * 3  # two categories and a challenge under each criterion
    for row in rows:
        address, _, query = row.href.partition("?")
        assert address == reverse("reports:images", args=[voted.slug])
        found = browser_context(voted, QueryDict(query))["page"].items
        assert sum(each.votes for each in found) == int(row.n.replace(",", ""))
    assert "criterion=text_faithfulness" in rows[-1].href


def test_offline_no_row_leads_anywhere(voted):
    rows = rows_of(results_context(campaign_results(voted), offline=True))
    assert {row.href for row in rows} == {""}


def test_categories_and_challenges_are_tested_and_adjusted_within_a_criterion(voted):
    found = campaign_results(voted).categories
    assert [(each.criterion, each.test.kind, each.test.name) for each in found] == [
        (criterion, kind, name)
        for criterion in ("visual_appeal", "text_faithfulness")
        for kind, name in (
            ("category", "Animals"),
            ("category", "Vehicles"),
            ("challenge", "Basic"),
        )
    ]
    animals, vehicles, basic = (each.test for each in found[:3])
    assert (animals.rates.net.value, vehicles.rates.net.value) == (0.8, 0.0)
    assert vehicles.p_value == 1.0  # every vote is a tie
    tested = [animals, vehicles, basic]
    expected = stats.holm([each.p_value for each in tested])
    assert [each.p_holm for each in tested] == pytest.approx(expected.tolist())
    assert animals.n_tests == 3


def test_groups_of_few_prompts_are_shown_without_a_claim():
    campaign = factories.make_draft(prompts=8)
    open_campaign(campaign=campaign)
    voters = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(campaign, voters, prefer_animals)
    results = campaign_results(campaign)
    animals = results.categories[0].test
    assert animals.rates.net.value == 0.8
    assert (animals.p_value, animals.p_holm) == (None, None)
    reason = "4 prompts; a claim needs 5 or more"
    assert results_json(results)["exploratory"][0]["untested"] == animals.reason == reason
    rows = csv.DictReader(io.StringIO(groups_csv(results)))
    of_net = [row for row in rows if (row["name"], row["measure"]) == ("Animals", "net")]
    assert {(row["untested"], row["p_value"]) for row in of_net} == {(reason, "")}
    assert "Groups of fewer than 5 prompts have no p" in results_table(results)
    assert reason in offline_dashboard(results)


def test_table_json_and_dashboard_show_the_adjusted_p(voted):
    results = campaign_results(voted)
    animals = results.categories[0].test
    table = results_table(results)
    assert "Holm p" in table
    assert "Animals" in table
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    exported = results_json(results)["exploratory"][0]
    assert (exported["p_holm"], exported["tests_in_family"]) == (animals.p_holm, 3)
    shown = dashboard_context(results)["exploratory"][0]
    assert shown["p_holm"] in ("<0.001", f"{animals.p_holm:.3f}")
    json.dumps(results_json(results), allow_nan=False)


def test_groups_csv_has_a_row_for_each_estimate(voted, client, rania):
    results = campaign_results(voted)
    rows = list(csv.DictReader(io.StringIO(groups_csv(results))))
    assert list(rows[0]) == GROUP_COLUMNS
    estimates = 2 * len(results.groups) + len(results.categories)
    verdicts = len(results.groups) * len(VERDICT_MEASURES)
    people = 2 * len(results.consensus)  # one against the rest, and the share of ties
    assert len(results.consensus) == 2
    beside = len(results.criteria_beside)
    said = len(answers(results))
    orders = len(list(order_records(results)))
    assert (said, orders) == (2, 2)
    assert len(rows) == estimates * len(MEASURES) + verdicts + people + beside + said + orders
    by_place = {(r["criterion"], r["name"], r["estimand"], r["measure"]): r for r in rows}
    net = by_place["visual_appeal", "Animals", "votes", "net"]
    assert (float(net["value"]), net["tests_in_family"], net["simulated"]) == (0.8, "3", "1")
    assert float(net["p_holm"]) == pytest.approx(results.categories[0].test.p_holm)
    assert by_place["visual_appeal", "Animals", "votes", "win"]["p_holm"] == ""
    undefined = by_place["visual_appeal", "Vehicles", "votes", "decided"]
    assert (undefined["value"], undefined["state"]) == ("", "no_decided_votes")
    means = [r for r in rows if r["estimand"] == "prompts" and r["measure"] == "net"]
    assert float(means[0]["value"]) == pytest.approx(results.groups[0].prompt_means.net.value)
    client.force_login(rania)
    response = client.get(reverse("reports:export", args=[voted.slug, "groups.csv"]))
    assert response.content.decode() == groups_csv(campaign_results(voted))


def test_annotators_are_profiled_beside_the_others(voted):
    results = campaign_results(voted)
    assert len(results.profiles) == 6
    exported = results_json(results)["data_quality"]["annotators"]
    for line in exported:
        profile = results.profiles[line["annotator"]]
        assert line["beside_others"]["accuracy"] == profile.accuracy
        assert line["as_majority"]["count"] == profile.agreement.hits
        assert line["ties"]["low"] <= line["ties"]["share"] <= line["ties"]["high"]
        assert profile.left.total + profile.ties.hits == profile.n_votes == line["votes"]


def test_difference_of_two_campaigns_accounts_for_what_they_share(voted, second):
    comparison = compare_campaigns(voted, second)
    (only,) = comparison.criteria
    assert only.criterion == "visual_appeal"
    one, two = vote_columns(voted), vote_columns(second)
    appeal = voted.criteria.get(slug="visual_appeal").pk
    expected = stats.compare_nets(pair_votes(one.where(one.criterion == appeal)), pair_votes(two))
    assert only.difference == expected
    assert (expected.n_shared_prompts, expected.n_shared_annotators) == (12, 6)


def test_command_compares_in_words_and_json(voted, second, capsys):
    call_command("compare_campaigns", voted.slug, second.slug)
    text = capsys.readouterr().out
    assert "Visual appeal" in text
    assert "12, 6" in text
    assert text.startswith("SIMULATED: votes in tuned-vs-plain and again")
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    call_command("compare_campaigns", voted.slug, second.slug, "--format", "json")
    content = json.loads(capsys.readouterr().out)
    difference = content["criteria"][0]["net_difference"]
    first, other = difference["first"]["value"], difference["second"]["value"]
    assert difference["value"] == pytest.approx(first - other)


def test_page_compares_and_says_what_else_differs(voted, second, client, rania):
    client.force_login(rania)
    address = reverse("reports:compare")
    given = {"first": voted.slug, "second": second.slug}
    (criterion,) = client.get(address, given).context["criteria"]
    (compared,) = compare_campaigns(voted, second).criteria
    difference = compared.difference
    assert criterion["difference"].startswith(f"{100 * difference.value:+.1f} [")
    assert [row.value for row in criterion["rows"]] == [
        difference.first.value, difference.second.value,
    ]  # fmt: skip
    assert criterion["caveats"] == []  # the same people, prompts and question
    with factories.thawed():
        second.criteria.update(question="Which one is it?", k=9)
    page = client.get(address, given).content.decode()
    assert "The questions differ: “Which image is more visually appealing?” and “Which one" in page
    assert "The votes wanted on an item differ: “5” and “9”." in page
    stranger = User.objects.create_user("stan")
    client.force_login(stranger)
    page = client.get(address, given).content.decode()
    assert "with votes is in your projects" in page
    assert second.slug not in page


@pytest.mark.parametrize(
    ("other", "problem"),
    [("tuned-vs-plain", "given twice"), ("nothing", "no campaign"), ("empty", "no criterion")],
)
def test_what_cannot_be_compared_is_said(voted, other, problem):
    open_campaign(campaign=factories.make_draft(prompts=2, slug="empty"))
    with pytest.raises(CommandError, match=problem) as raised:
        call_command("compare_campaigns", voted.slug, other)
    assert raised.value.returncode == 2
