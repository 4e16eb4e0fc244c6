"""What the demo says of its simulated annotators."""

import re

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.demo.rehearsal import copied_share, rehearsal_lines
from evalplatform.reports.results import campaign_results
from evalplatform.simulation.group import draw_group, measure_ceiling
from evalplatform.simulation.tastes import CURATORS
from tests import factories
from tests.simulation import drawings

pytestmark = pytest.mark.django_db

STOPPED = {
    "picked_by": "rule",
    "picked_step": 60,
    "rule": "the latest candidate that fits",
    "signals": {"step": 60, "copied_share": 0.25},
    "held_out_captions": 42,
    "cautions": [],
    "none_fits": False,
}


def mostly_a(assignment):
    """Four of an item's five say A, one cannot tell."""
    if assignment.slot == 1:
        return "tie"
    return factories.pick(assignment, 0)


@pytest.fixture
def text(campaign, tmp_path):
    factories.judge_everything(campaign, [Annotator.objects.create() for _ in range(6)], mostly_a)
    group = draw_group(
        5,
        seed=1,
        curation=drawings.write(tmp_path / "data"),
        picked=drawings.write_picks(tmp_path / "picks.tsv"),
        references=drawings.write(tmp_path / "held-out", styles=("flat",), hand=1),
    )
    tuned = campaign.contenders[0].checkpoint
    tuned.training = {"early_stopping": STOPPED}
    results = campaign_results(campaign)
    return "\n".join(rehearsal_lines(results, group, measure_ceiling(group, seed=1), tuned))


def test_it_says_whose_taste_it_is_and_how_well_it_was_learned(text):
    assert CURATORS in text
    assert re.search(r"tell picked drawings of things they did not learn from in \d+ %", text)


def test_the_ceiling_stands_beside_the_result(text):
    for criterion in ("Visual appeal", "Text faithfulness"):
        found = re.search(
            rf"{criterion}: net \+80\.0 \[.*\] %; on real drawings \+(\d+\.\d) \[", text
        )
        assert found, text
        assert float(found[1]) > 50


def test_ties_and_agreement_stand_beside_peoples(text):
    # One tie in each comparison of five: never all of one mind, and less agreement than by chance.
    assert text.count("nominal alpha -0.19 (people rating images: 0.27 to 0.77)") == 2
    assert text.count("ties 20 % (people: 25 % to 54 %)") == 2


def test_where_tuning_stopped_and_what_it_copied_is_said(text):
    assert "stopped at step 60 by its rule, measured on 42 captions" in text
    assert "25 % of its samples of tuning captions are copied" in text


def test_stopping_at_the_first_because_none_fits_is_said():
    tuned = Checkpoint(training={"early_stopping": STOPPED | {"none_fits": True}})
    assert "at step 60 as the first candidate, since none fits its rule" in copied_share(tuned)
