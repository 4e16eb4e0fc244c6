"""One person against the rest, W and tau-b: in table, JSON, CSV and on the Quality tab."""

import csv
import io
import json
import re

import numpy as np
import pytest

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Item
from evalplatform.reports.csv_files import groups_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import WIDTH, results_table

from .test_galleries import voted

pytestmark = pytest.mark.django_db(transaction=True)


def told(campaign):
    results = campaign_results(campaign)
    (found,) = json.loads(json.dumps(results_json(results)))["one_against_rest"]
    rows = {row["measure"]: row for row in csv.DictReader(io.StringIO(groups_csv(results)))}
    page = " ".join(re.sub(r"<[^>]+>", " ", offline_dashboard(results)).split())
    return found, rows, page, " ".join(results_table(results, width=WIDTH).split())


def by_hand(campaign):
    """Judgements of two images that side with the majority of the others, one at a time."""
    credits = []
    for item in Item.objects.filter(image_set__campaign=campaign):
        said = [vote.grades for vote in Vote.objects.filter(assignment__item=item)]
        places = range(len(said[0]))
        for who, own in enumerate(said):
            for i in places:
                for j in range(i + 1, len(own)):
                    rest = sum(np.sign(o[i] - o[j]) for at, o in enumerate(said) if at != who)
                    if rest:
                        own_sign = np.sign(own[i] - own[j])
                        credits.append(0.5 if not own_sign else float(own_sign == np.sign(rest)))
    return credits


@pytest.mark.parametrize("form", ["pair", "ranking"])
def test_every_report_says_how_often_one_person_sides_with_the_rest(form):
    is_pair = form == "pair"
    strengths = (1.0, 0.0) if is_pair else (2.0, 1.0, -1.0)
    design = "all-pairs" if is_pair else "together"
    campaign = voted(form, strengths=strengths, design=design)
    found, rows, page, table = told(campaign)
    credits = by_hand(campaign)
    assert found["n_compared"] == len(credits)
    agreement = found["agreement"]
    assert agreement["value"] == pytest.approx(np.mean(credits))
    assert agreement["low"] < agreement["value"] < agreement["high"]
    shown = f"{100 * agreement['value']:.1f} [{100 * agreement['low']:.1f}"
    assert float(rows["one_against_rest"]["value"]) == agreement["value"]
    assert rows["one_against_rest"]["arm"] == rows["one_against_rest"]["other"] == ""
    assert "How far people agree" in page
    assert shown in page
    assert f"One person against the rest, Visual appeal: {shown}" in table
    if form == "ranking":
        (order,) = found["orders"]
        assert 0 < order["mean_tau"]["value"] < order["kendall_w"]["value"] <= 1
        assert f"W {order['kendall_w']['value']:.2f} [" in page
        assert float(rows["kendall_w_of_3"]["low"]) == order["kendall_w"]["low"]
        assert "tau-b" in table
    else:
        assert found["orders"] == []


def test_single_images_have_nobody_to_side_with():
    results = campaign_results(voted("rating", prompts=3))
    assert results_json(results)["one_against_rest"] == []
    assert "How far people agree" not in offline_dashboard(results)
