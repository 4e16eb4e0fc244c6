"""Figures from other votes beside those reported: of every arm that has votes in either."""

import numpy as np

from evalplatform import stats
from evalplatform.reports.gallery import GradeResult
from evalplatform.reports.other_votes import of_orders


def graded(rows):
    at = np.arange(rows)
    votes = stats.graded_votes(
        item=at, prompt=at // 3, annotator=at % 2, arm=(at % 3)[:, None],
        grade=(1 + at % 5)[:, None], arms=["A", "B", "C"],
    )  # fmt: skip
    return votes, at % 3


def result(votes):
    return GradeResult(
        criterion="looks", criterion_label="Looks", form="rating", prompts="all", depth=0, k=2,
        ratings=stats.rate_arms(votes, grades=range(1, 6)), as_pairs=None, agreement=(),
    )  # fmt: skip


def test_an_arm_that_only_excluded_people_graded_stands_with_their_votes():
    votes, arm = graded(60)
    reported, other = result(votes.where(arm < 2)), result(votes)
    found = {each.arm: each for each in of_orders(reported, other)}
    assert sorted(found) == ["A", "B", "C"]
    assert found["C"].as_reported is None
    assert found["C"].other.value == other.ratings.rating("C").mean.value
