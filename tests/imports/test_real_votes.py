"""Ratings that people gave (GenAI-Bench, `tests/stats/real_votes`), imported in both ways."""

import numpy as np
import pytest

from evalplatform.annotation.answer_columns import TIE, vote_columns
from evalplatform.stats.ranking.gallery_report import rank_arms
from evalplatform.stats.ranking.rating_pairs import pairs_from_ratings
from evalplatform.stats.ranking.ratings import rate_arms
from evalplatform.stats.votes.graded import GradedVotes, graded_votes
from tests.stats.real_votes import ratings

# Strengths as pairs, in natural log units.
STRENGTHS = {
    "DALLE_3": 0.99, "Midjourney_6": 0.54, "DeepFloyd_I_XL_v1": -0.08, "SDXL_Base": -0.26,
    "SDXL_Turbo": -0.33, "SDXL_2_1": -0.87,
}  # fmt: skip


def graded(campaign) -> GradedVotes:
    """The stored votes, as the statistics of galleries read them."""
    votes = vote_columns(campaign)
    places = _places(campaign)
    arm = np.array([places[each] for each in votes.image_set.tolist()])
    grade = (
        votes.said[:, None] if arm.shape[1] == 1
        else np.stack([votes.said < TIE, votes.said > TIE], axis=1).astype(int)
    )  # fmt: skip
    return graded_votes(
        item=votes.item, prompt=votes.prompt, annotator=votes.annotator, arm=arm, grade=grade,
        arms=[each.name for each in campaign.contenders],
    )  # fmt: skip


def _places(campaign) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    rows = campaign.image_sets.order_by("pk", "images__place")
    for image_set, place in rows.values_list("pk", "images__arm__place"):
        found.setdefault(image_set, []).append(place)
    return found


def test_ratings_and_pairs_of_them_give_one_order(desk):
    path = desk.csv(
        [
            {"prompt_id": f"{prompt:05}", "model": model}
            | {f"rating_{rater}": int(given) for rater, given in enumerate(row, start=1)}
            for model, rows in ratings().items() for prompt, row in enumerate(rows)
        ]
    )  # fmt: skip
    rated = desk.take(path, campaign="rated")
    paired = desk.take(path, "--as-pairs", campaign="paired")

    assert rated.assignments.count() == 9_486
    assert paired.assignments.count() == 527 * 15 * 3
    means = sorted(rate_arms(graded(rated)).ratings, key=lambda each: each.rank)
    found = rank_arms(graded(paired))
    standings = sorted(found.standings, key=lambda each: each.rank)
    assert [each.arm for each in means] == [each.arm for each in standings] == [*STRENGTHS]
    assert {each.arm: round(each.value, 2) for each in standings} == STRENGTHS
    best = standings[0]
    assert (best.low, best.high) == pytest.approx((0.66, 1.31), abs=0.005)
    # What the import makes is what the statistics make of the ratings themselves.
    again = rank_arms(pairs_from_ratings(graded(rated)))
    assert {each.arm: each.value for each in again.standings} == pytest.approx(
        {each.arm: each.value for each in standings}
    )
