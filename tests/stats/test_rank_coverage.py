"""Nominal 95 % intervals of rank differences hold the true one in about 95 % of studies.

The wider table is printed by `make bench-stats`.
"""

import pytest

from .bench.coverage import measure_late_arm, measure_ranks
from .bench.rankings import RANKINGS, measure_rankings
from .crossed_galleries import GALLERY_DESIGNS, LATE_ARMS

SIMULATIONS = 150  # with six pairs each; a cell then has a standard error of about 0.013
QUICK = ("base", "strong annotator habits", "five annotators", "independent")


@pytest.fixture(scope="module")
def coverage():
    return {
        name: {
            method: cell[0]
            for method, cell in measure_ranks(GALLERY_DESIGNS[name], SIMULATIONS).items()
        }
        for name in QUICK
    }


@pytest.mark.parametrize("design", QUICK)
def test_two_way_intervals_of_differences_cover(coverage, design):
    assert 0.91 <= coverage[design]["two-way rank difference"] <= 0.99


@pytest.mark.parametrize("design", ["base", "strong annotator habits", "five annotators"])
def test_intervals_of_independent_votes_do_not(coverage, design):
    assert coverage[design]["rank difference, as if independent"] < 0.88


@pytest.mark.parametrize("design", ["strong annotator habits", "five annotators"])
def test_intervals_by_prompt_do_not_where_people_have_habits(coverage, design):
    assert coverage[design]["rank difference, by prompt"] < 0.75


@pytest.mark.parametrize("design", list(RANKINGS)[:3])
def test_intervals_of_differences_cover_in_rankings_of_four(design):
    assert 0.91 <= measure_rankings(RANKINGS[design], 60) <= 0.99


@pytest.mark.parametrize("design", ["2 of 20 people", "3 of 20 people", "5 of 20 people"])
def test_intervals_cover_where_few_of_the_people_judged_the_newest_arm(design):
    for coverage, _ in measure_late_arm(LATE_ARMS[design], 60).values():
        assert coverage >= 0.92
