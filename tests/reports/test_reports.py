"""From votes to table, JSON, CSV and dashboard: the numbers agree and the stamp is everywhere."""

import csv
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.figures import all_figures
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import WIDTH, results_table
from evalplatform.reports.votes_csv import VOTE_COLUMNS, votes_csv
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def prefer_a(assignment):
    """Tie on the first slot, otherwise choose whichever side A is on."""
    if assignment.slot == 1:
        return "tie"
    return factories.pick(assignment, 0)


@pytest.fixture
def voted():
    """8 items with five votes each: one tie and four for A on every one."""
    campaign = factories.make_draft(prompts=4)
    open_campaign(campaign=campaign)
    annotators = [Annotator.objects.create() for _ in range(6)]
    assert factories.judge_everything(campaign, annotators, prefer_a) == 40
    return campaign


@pytest.fixture
def simulated():
    """The same with one simulated annotator among six, who casts some of the votes."""
    campaign = factories.make_draft(prompts=4)
    open_campaign(campaign=campaign)
    robot = Annotator.objects.create(
        is_simulated=True, simulated_behaviour={"model": "any/1", "says": "robots that like red"}
    )
    annotators = [robot, *(Annotator.objects.create() for _ in range(5))]
    factories.judge_everything(campaign, annotators, prefer_a)
    return campaign


def test_shares_are_those_of_the_votes(voted):
    results = campaign_results(voted)
    group = results.groups[0]
    assert (group.rates.tally.win, group.rates.tally.tie, group.rates.tally.lose) == (16, 4, 0)
    assert group.rates.win.value == pytest.approx(0.8)
    assert group.rates.net.value == pytest.approx(0.8)
    assert (group.verdicts.tally.win, group.verdicts.tally.total) == (4, 4)
    assert results.completeness.is_complete
    assert results.n_annotators == 6


def test_groups_cover_criteria_sets_and_the_stylized_part(voted):
    groups = campaign_results(voted).groups
    name = f"{voted.prompt_sets.get().name}@1"
    assert [(group.criterion, group.prompts) for group in groups] == [
        ("visual_appeal", name),
        ("visual_appeal", f"{name} (stylized)"),
        ("text_faithfulness", name),
        ("text_faithfulness", f"{name} (stylized)"),
    ]
    assert groups[1].rates.tally.total == 10


def test_all_prompts_come_first_and_each_part_after_what_it_is_part_of():
    campaign = factories.make_draft(prompts=4, criteria=["visual_appeal"])
    first = campaign.prompt_sets.get().name
    campaign.prompt_sets.add(factories.make_prompt_set("zoo", 2))
    factories.make_samples(campaign)
    open_campaign(campaign=campaign)
    factories.judge_everything(
        campaign, [Annotator.objects.create() for _ in range(6)], lambda slot: "left"
    )
    assert [(each.prompts, each.depth) for each in campaign_results(campaign).groups] == [
        ("all prompts", 0),
        (f"{first}@1", 1),
        (f"{first}@1 (stylized)", 2),
        ("zoo@1", 1),
        ("zoo@1 (stylized)", 2),
    ]


def test_retracted_vote_does_not_count(voted):
    from django.utils import timezone

    from evalplatform.annotation.models import Vote

    Vote.objects.filter(pk=Vote.objects.first().pk).update(retracted_at=timezone.now())
    counted = sum(
        g.rates.tally.total for g in campaign_results(voted).groups if "(" not in g.prompts
    )
    assert counted == 39


def test_table_says_the_numbers(voted):
    table = results_table(campaign_results(voted))
    assert "40 of 40 votes on 8 items by 6 annotators" in table
    assert "SIMULATED" not in table
    assert re.search(r"Visual appeal +votes +20 +80\.0 ", table)
    assert re.search(r"verdicts +4 +100\.0 ", table)
    assert max(len(line) for line in table.splitlines()) <= WIDTH


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_table_wraps_at_any_width_and_cuts_nothing(voted, width):
    """A p-value that ends in an ellipsis is another p-value."""
    from evalplatform.promptsets.models import PromptSet

    with factories.thawed():
        PromptSet.objects.update(name="a-set-of-prompts-" + 63 * "y")
    results = campaign_results(voted)
    table = results_table(results, width=width)
    assert "…" not in table
    assert max(len(line) for line in table.splitlines()) <= max(width, 80)
    wide = results_table(results, width=300)
    numbers = re.findall(r"[-+]?\d+\.\d+", wide)
    assert sorted(re.findall(r"[-+]?\d+\.\d+", table)) == sorted(numbers)
    assert table.count("y") == wide.count("y")


def test_json_holds_every_number_and_no_nan(voted):
    content = results_json(campaign_results(voted))
    text = json.dumps(content, allow_nan=False)
    assert json.loads(text)["groups"][0]["votes"]["win"]["value"] == pytest.approx(0.8)
    assert content["protocol_sha256"] == voted.protocol_sha256
    assert content["protocol"]["arms"][0]["sha256"] == voted.contenders[0].sha256
    assert content["simulated"] is False


def test_csv_has_a_row_for_each_vote(voted):
    rows = list(csv.DictReader(io.StringIO(b"".join(votes_csv(voted)).decode())))
    assert len(rows) == 40
    assert list(rows[0]) == VOTE_COLUMNS
    assert {row["outcome"] for row in rows} == {"A", "TIE"}
    for row in rows:
        at = {"left": 0, "right": 2}.get(row["answer"])
        assert row["outcome"] == ("TIE" if at is None else "AB"[int(row["order"][at])])
        assert row["grades"] == {"A": "1 0", "B": "0 1", "TIE": "0 0"}[row["outcome"]]
        assert row["arm_names"] == "|".join(arm.name for arm in voted.contenders)


def test_dashboard_opens_offline(voted):
    """Nothing in the file is fetched from anywhere."""
    html = offline_dashboard(campaign_results(voted))
    markup = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:)', markup)
    assert "Plotly.newPlot" in html
    assert voted.protocol_sha256 in html


@pytest.mark.parametrize("kind", ["table", "json", "csv", "html"])
def test_simulated_votes_are_stamped_in_every_format(simulated, capsys, kind):
    call_command("report", simulated.slug, "--format", kind)
    out = capsys.readouterr().out
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        marks = [row["is_simulated"] for row in rows]
        assert (marks.count("1"), marks.count("0")) == (7, 33)
        said = {(row["is_simulated"], row["simulated_as"]) for row in rows}
        assert said == {("1", "robots that like red"), ("0", "")}
    elif kind == "json":
        content = json.loads(out)
        assert content["simulated"] is True
        assert content["simulated_votes"] == 7
        assert content["simulated_note"].endswith("not by people (robots that like red).")
    else:
        stamp = (
            "SIMULATED: 7 of 40 votes were cast by simulated annotators, not by people (robots "
            "that like red)."
        )
        assert stamp in out.replace("\n", " ")


def test_simulated_votes_are_stamped_inside_every_figure(simulated):
    figures = all_figures(campaign_results(simulated))
    assert set(figures) == {"figure-net", "figure-votes", "figure-verdicts"}
    for figure in figures.values():
        texts = [note["text"] for note in figure["layout"]["annotations"]]
        assert any("SIMULATED" in text for text in texts)


def test_pages_are_stamped_and_for_signed_in_people_only(simulated, client, rania):
    page = reverse("reports:dashboard", args=[simulated.slug])
    assert client.get(page).status_code == 302
    assert client.get(reverse("reports:campaign_list")).status_code == 302
    client.force_login(rania)
    assert "SIMULATED: 7 of 40" in client.get(page).content.decode()
    assert "simulated votes" in client.get(reverse("reports:campaign_list")).content.decode()


@pytest.mark.parametrize("kind", ["results.json", "votes.csv", "checks.csv", "dashboard.html"])
def test_exports_are_downloads_for_signed_in_people_only(voted, client, rania, kind):
    url = reverse("reports:export", args=[voted.slug, kind])
    assert client.get(url).status_code == 302
    client.force_login(rania)
    response = client.get(url)
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{voted.slug}-{kind}"'


def test_unknown_export_is_not_there(voted, client, rania):
    client.force_login(rania)
    assert client.get(reverse("reports:export", args=[voted.slug, "x.exe"])).status_code == 404


def test_campaign_without_votes_is_reported_empty(campaign, client, rania):
    results = campaign_results(campaign)
    assert results.groups == []
    assert "0 of 40 votes" in results_table(results)
    assert results_json(results)["groups"] == []
    assert "No votes yet" in offline_dashboard(results)


def test_one_annotator_gives_a_named_undefined_result(campaign, ana):
    factories.judge_everything(campaign, [ana], lambda assignment: "left")
    results = campaign_results(campaign)
    assert "one annotator" in results_table(results)
    win = results_json(results)["groups"][0]["votes"]["win"]
    assert win["state"] == "one_annotator"
    assert win["reason"]
    json.dumps(results_json(results), allow_nan=False)
    assert "one annotator" in offline_dashboard(results)


def test_output_goes_to_a_file(voted, tmp_path, capsys):
    call_command("report", voted.slug, "--format", "json", "--output", str(tmp_path / "r.json"))
    assert json.loads((tmp_path / "r.json").read_text())["campaign"] == voted.slug


def test_unknown_campaign_lists_the_known(voted):
    with pytest.raises(CommandError, match=f"known: {voted.slug}") as raised:
        call_command("report", "nothing")
    assert raised.value.returncode == 2
