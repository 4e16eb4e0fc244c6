"""What the safety filter took out, wherever results are read."""

import base64
import csv
import io
import json

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.core.thumbnails import thumbnail
from evalplatform.generation.models import Sample
from evalplatform.reports.csv_files import WITHHELD_COLUMNS, withheld_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.safety import NOTE
from evalplatform.reports.table import results_table
from evalplatform.stats import proportion
from tests import factories, safety

pytestmark = pytest.mark.django_db(transaction=True)
WITHHELD = [("apple", "A"), ("cats", "B"), ("lighthouse", "B"), ("train", "A"), ("train", "B")]
SENTENCE = "4 of 8 prompts filtered: 1 for A, 2 for B, 1 for both"


@pytest.fixture
def voted(filtered):
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(filtered, people, lambda assignment: "left")
    return filtered


def test_rates_are_of_all_prompts_and_the_test_is_of_those_that_differ(voted):
    summary = campaign_results(voted).safety
    assert (summary.counts.prompts, summary.counts.filtered) == (8, 4)
    assert summary.unsafe == [("A", proportion(2, 8)), ("B", proportion(3, 8))]
    # One prompt for A alone, two for B alone: binomial, 2 * P(X <= 1) = 2 * (1 + 3) / 8.
    assert summary.p_value == 1.0


def test_difference_is_tested_exactly(red_detector):
    draft = safety.make_draft({(index, "b"): 0.9 for index in range(7)}, prompts=9)
    safety.check(draft)
    open_campaign(campaign=draft)
    assert campaign_results(draft).safety.p_value == pytest.approx(2 / 2**7)


def test_table_and_dashboard_say_it_before_and_after_the_votes(filtered):
    for _ in range(2):
        results = campaign_results(filtered)
        for text in (results_table(results), offline_dashboard(results)):
            words = " ".join(text.split())
            assert SENTENCE in words
            assert NOTE in words
        people = [Annotator.objects.create() for _ in range(5)]
        factories.judge_everything(filtered, people, lambda assignment: "left")


def test_results_json_has_every_image_withheld(voted):
    content = json.loads(json.dumps(results_json(campaign_results(voted)), allow_nan=False))
    found = content["safety_filter"]
    assert (found["detector"], found["version"], found["threshold"]) == ("red", "1", 0.5)
    counts = [(each["arms"], each["prompts"]) for each in found["filtered_for"]]
    assert counts == [(["A"], 1), (["A", "B"], 1), (["B"], 2)]
    assert found["unsafe"][1]["count"] == 3
    images = [(each["prompt"], each["arm"]) for each in found["withheld_images"]]
    assert images == WITHHELD
    assert content["items"] == 8


def test_withheld_csv_leads_to_every_image(voted, capsys):
    call_command("report", voted.slug, "--format=withheld")
    out = capsys.readouterr().out
    assert out == withheld_csv(campaign_results(voted))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == WITHHELD_COLUMNS
    assert [(row["prompt_text"], row["arm"]) for row in rows] == WITHHELD
    sample = Sample.objects.get(pk=rows[0]["sample"])
    assert sample.image_sha256 == rows[0]["image_sha256"]
    assert sample.checkpoint.name == rows[0]["arm_name"]
    assert float(rows[0]["score"]) == pytest.approx(0.9, abs=0.01)


def test_no_filtered_image_is_on_the_dashboard(voted):
    page = offline_dashboard(campaign_results(voted))
    for each in voted.withheld.all():
        with default_storage.open(thumbnail(each.picture.image)) as file:
            assert base64.b64encode(file.read()).decode() not in page
    assert page.count('<img src="data:image/webp;base64,') == 8  # the four pairs that passed


def test_researcher_downloads_the_list(client, rania, voted):
    client.force_login(rania)
    page = client.get(reverse("exports:tab", args=[voted.slug])).content.decode()
    address = reverse("reports:export", args=[voted.slug, "withheld.csv"])
    assert address in page
    assert client.get(address).content.decode().count("\n") == 6


def test_campaign_without_a_filter_says_nothing_of_one(campaign):
    results = campaign_results(campaign)
    assert results.safety is None
    assert results_json(results)["safety_filter"] is None
    for text in (results_table(results), offline_dashboard(results)):
        assert "safety filter" not in text.lower()
    assert withheld_csv(results).count("\n") == 1


def test_filter_that_took_out_nothing_is_reported_too(red_detector):
    draft = safety.make_draft()
    safety.check(draft)
    open_campaign(campaign=draft)
    results = campaign_results(draft)
    assert results.safety.p_value is None
    assert "0 of 8 prompts filtered." in " ".join(results_table(results).split())
    assert "0 of 8 prompts filtered" in offline_dashboard(results)
