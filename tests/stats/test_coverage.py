"""Nominal 95 % intervals hold the true share in about 95 % of simulated studies.

The wider table, with more designs and replicates, is printed by `make bench-stats`.
"""

import numpy as np
import pytest

from .bench.coverage import intervals_of_rates, measure
from .crossed_votes import DESIGNS, EDGE_DESIGNS, HARD_DESIGNS, simulate
from .real_votes import REAL_DESIGNS

REPLICATES = 400  # a cell then has a standard error of 0.011 at 0.95


@pytest.fixture(scope="module")
def coverage():
    return {
        name: {method: cell[0] for method, cell in measure(design, REPLICATES).items()}
        for name, design in DESIGNS.items()
    }


@pytest.mark.parametrize("share", ["win", "tie", "net", "half", "decided"])
@pytest.mark.parametrize("design", DESIGNS)
def test_two_way_intervals_cover(coverage, design, share):
    assert coverage[design][f"two-way {share}"] >= 0.92


@pytest.mark.parametrize("design", ["base", "strong annotator habits", "five annotators"])
def test_wilson_on_votes_does_not_cover_when_votes_share_prompts_and_people(coverage, design):
    assert coverage[design]["Wilson on votes"] < 0.88


def test_two_way_intervals_cost_little_when_votes_are_independent(coverage):
    assert coverage["independent"]["two-way win"] <= 0.99
    assert coverage["independent"]["Wilson on votes"] >= 0.92


@pytest.mark.parametrize("design", DESIGNS)
def test_verdict_intervals_cover_other_prompts_and_other_people(coverage, design):
    assert 0.93 <= coverage[design]["verdict win"] <= 0.98


def test_people_of_one_mind_cost_little_width():
    """Five of them on 200 prompts: with the prompts' degrees of freedom it would be 0.114."""
    cells = measure(HARD_DESIGNS["five, weak habits"], 200, intervals_of_rates)
    assert cells["two-way win"][1] <= 0.13


def test_a_few_people_with_most_votes_do_not_make_intervals_too_narrow():
    """With one degree of freedom less than annotators it was 0.913."""
    cells = measure(HARD_DESIGNS["uneven, strong habits"], 1000, intervals_of_rates)
    assert cells["two-way net"][0] >= 0.93


@pytest.mark.parametrize("design", DESIGNS)
def test_true_shares_agree_with_the_simulated_votes(design):
    """The truth is computed, not simulated; a mistake in it would make coverage meaningless."""
    rng = np.random.default_rng(8)
    truth = DESIGNS[design].true_shares()
    wins = [np.mean(simulate(DESIGNS[design], rng).outcome == 0) for _ in range(300)]
    assert np.mean(wins) == pytest.approx(truth["win"], abs=4 * np.std(wins) / np.sqrt(300))


@pytest.mark.parametrize("design", EDGE_DESIGNS)
def test_intervals_hold_where_one_person_or_one_answer_is_nearly_all(design):
    """With one person of 90 or 98 % of the votes they held 26 to 52 % of the truth."""
    cells = measure(EDGE_DESIGNS[design], 200, intervals_of_rates)
    assert min(cells[f"two-way {share}"][0] for share in ("win", "net", "decided")) >= 0.92


@pytest.mark.parametrize("design", REAL_DESIGNS)
def test_intervals_hold_for_votes_of_real_people(design):
    cells = measure(REAL_DESIGNS[design], 200)
    assert min(cell[0] for method, cell in cells.items() if method.startswith("two-way")) >= 0.92
    assert cells["verdict win"][0] >= 0.92
    assert cells["Wilson on votes"][0] < 0.88
