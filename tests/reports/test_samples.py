"""Cut prompts, images of one colour and the same image twice: in table, JSON, CSV and dashboard."""

import csv
import io
import json

import pytest
from django.core.management import call_command

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.reports.methods import PlainWording, methods
from evalplatform.reports.results import campaign_results
from tests import factories, faulty

pytestmark = pytest.mark.django_db
LET_THROUGH = {"samples": {"allow_constant": 1, "allow_identical": 1, "allow_cut": 1}}
GROUP = "read in full by both"


def judged(**faults):
    """A campaign of six prompts, open and judged by three people: A wins, where nothing was cut."""
    campaign = faulty.make_draft(prompts=6, k=2, rules=LET_THROUGH, **faults)
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create(pseudonym=f"person-{n}") for n in range(3)]
    cut = {*faults.get("cut_a", ()), *faults.get("cut_b", ())}

    def choose(assignment):
        a_wins = assignment.item.image_set.prompt.position not in cut
        return factories.pick(assignment, 0 if a_wins else 1)

    factories.judge_everything(campaign, people, choose)
    return campaign


@pytest.fixture
def cut(db):
    """A cut prompt 1, B prompts 1 and 2; prompt 3 has A's image on both sides, 4 a black one."""
    return judged(cut_a=[1], cut_b=[1, 2], identical=[3], constant=[4])


def report(campaign, format):
    out = io.StringIO()
    call_command("report", campaign.slug, format=format, stdout=out)
    return out.getvalue()


def groups_of(campaign, criterion):
    results = campaign_results(campaign)
    return [each for each in results.groups if each.criterion == criterion]


def test_faithfulness_has_a_group_of_prompts_that_both_read_in_full(cut):
    everything, *parts = groups_of(cut, "text_faithfulness")
    (whole,) = [each for each in parts if each.prompts == GROUP]
    assert (everything.rates.tally.total, whole.rates.tally.total) == (12, 8)
    assert everything.rates.win.value == pytest.approx(8 / 12)
    assert whole.rates.win.value == 1.0
    assert whole.depth == 1


def test_appeal_has_none_for_nobody_was_shown_the_prompt(cut):
    assert GROUP not in {each.prompts for each in groups_of(cut, "visual_appeal")}


@pytest.mark.parametrize("faults", [{}, {"unknown_b": True}, {"cut_a": range(6)}])
def test_there_is_no_group_where_it_would_hold_all_prompts_or_none(faults):
    campaign = judged(**faults)
    assert GROUP not in {each.prompts for each in groups_of(campaign, "text_faithfulness")}


def test_of_several_prompt_sets_the_group_is_a_part_of_all():
    campaign = faulty.make_draft(prompts=2, k=2, rules=LET_THROUGH)
    campaign.prompt_sets.add(factories.make_prompt_set("other", 2))
    factories.make_samples(campaign)  # nothing is known of how these were read
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create(pseudonym=f"person-{n}") for n in range(2)]
    factories.judge_everything(campaign, people, lambda assignment: "tie")
    groups = [(each.prompts, each.depth) for each in groups_of(campaign, "text_faithfulness")]
    assert groups[0] == ("all prompts", 0)
    assert groups[-1] == (GROUP, 1)


def test_table_says_what_was_cut_of_one_colour_and_identical(cut, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    said = " ".join(report(cut, "table").split())
    assert "5 of 6 prompts read in full, 1 cut (61 % of their tokens read); 1 of 6 images" in said
    assert "4 of 6 prompts read in full, 2 cut (61 % of their tokens read); 0 of 6 images" in said
    assert "the same image twice: 1 of 6 sets" in said
    assert "reads in full counts as read in full" in said
    assert "read in full by" in report(cut, "table")


def test_methods_tell_what_was_let_through(cut):
    said = methods(campaign_results(cut), PlainWording())
    assert "longer than they read: 1 of 6 for A, 2 of 6 for B." in said
    assert "Images of one colour were shown: 1 of 6 of A." in said
    assert "1 of 6 sets showed the same image twice." in said


def test_json_has_the_counts_the_shares_and_the_group(cut):
    found = json.loads(report(cut, "json"))
    samples = found["samples"]
    assert (samples["sets"], samples["identical"], samples["read_in_full_by_all"]) == (6, 1, 4)
    assert samples["arms"][0]["of_one_colour"] == 1
    assert samples["arms"][1]["prompts_cut"] == 2
    assert samples["arms"][1]["share_read_of_cut"] == pytest.approx(0.61)
    assert samples["allow_cut"] == 1
    assert "start and end marks" in samples["note"]
    assert GROUP in {each["prompts"] for each in found["groups"]}


def test_csv_says_of_every_image_and_every_vote_how_it_was_read(cut):
    rows = list(csv.DictReader(io.StringIO(report(cut, "samples"))))
    of_a, of_b = ([row for row in rows if row["arm"] == arm] for arm in "AB")
    assert [int(row["prompt_position"]) for row in of_a] == list(range(6))
    assert [row["read_in_full"] for row in of_a] == list("101111")
    assert [row["read_in_full"] for row in of_b] == list("100111")
    assert [row["same_pixels_as"] for row in of_a] == ["", "", "", "B", "", ""]
    assert [row["one_colour"] for row in of_a] == list("000010")
    assert (of_a[1]["prompt_tokens"], of_a[1]["tokens_read"]) == ("100", "61")
    votes = list(csv.DictReader(io.StringIO(report(cut, "csv"))))
    assert len(votes) == 24
    read_b = {row["prompt_position"]: row["tokens_read"].split()[1] for row in votes}
    assert read_b == {"0": "5", "1": "61", "2": "61", "3": "5", "4": "5", "5": "5"}
    groups = list(csv.DictReader(io.StringIO(report(cut, "groups"))))
    assert GROUP in {row["name"] for row in groups}


def test_what_is_unknown_is_said_to_be_and_never_in_full():
    campaign = judged(unknown_b=True)
    assert "whether its text encoders read the prompts in full is unknown" in " ".join(
        report(campaign, "table").split()
    )
    rows = list(csv.DictReader(io.StringIO(report(campaign, "samples"))))
    of_b = [row for row in rows if row["arm"] == "B"]
    assert {(row["read_in_full"], row["tokens_read"]) for row in of_b} == {("", "")}
    votes = list(csv.DictReader(io.StringIO(report(campaign, "csv"))))
    assert {row["tokens_read"] for row in votes} == {"5 ?"}


def test_dashboard_shows_it_on_the_site_and_offline(cut, client, rania):
    client.force_login(rania)
    for page in (
        client.get(f"/campaigns/{cut.slug}/quality/").content.decode(),
        report(cut, "html"),
    ):
        text = " ".join(page.split())
        assert "What annotators were shown" in text
        assert "4 of 6 prompts are known to have been read in full by both. 1 of 6 pairs" in text
        assert GROUP in text
    answer = client.get(f"/campaigns/{cut.slug}/export/samples.csv")
    assert answer.status_code == 200
    assert answer.content.decode() == report(cut, "samples")


def test_before_it_opens_a_campaign_has_nothing_to_say_of_samples():
    draft = faulty.make_draft()
    assert json.loads(report(draft, "json"))["samples"] is None
    assert "Samples:" not in report(draft, "table")
