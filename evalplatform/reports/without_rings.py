"""What the results would be without the accounts of a ring: nobody is left out of the results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.reports.gallery import GalleryResult, GradeResult


@dataclass(frozen=True)
class Figure:
    """One number with its interval, None where there is none; shares are in [0, 1]."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, found: stats.Estimate | stats.Standing) -> Figure:
        return cls(found.value, found.low, found.high)


@dataclass(frozen=True)
class WithoutRings:
    """One figure of the results as reported, and without the accounts of a ring.

    `measure` is "net", or "strength" or "mean grade" with `arm` the letter of whose it is;
    `without` is None where no other vote is left.
    """

    criterion: str
    criterion_label: str
    prompts: str
    measure: str
    arm: str
    as_reported: Figure
    without: Figure | None
    votes_fewer: int

    @property
    def is_share(self) -> bool:
        return self.measure == "net"


def of_orders(
    reported: GalleryResult | GradeResult, without: GalleryResult | GradeResult | None, fewer: int
) -> Iterator[WithoutRings]:
    """The strengths or mean grades of all arms."""
    measure = "strength" if isinstance(reported, GalleryResult) else "mean grade"
    left = _by_arm(without) if without else {}
    for arm, figure in _by_arm(reported).items():
        yield WithoutRings(
            criterion=reported.criterion,
            criterion_label=reported.criterion_label,
            prompts=reported.prompts,
            measure=measure,
            arm=arm,
            as_reported=figure,
            without=left.get(arm),
            votes_fewer=fewer,
        )


def _by_arm(found: GalleryResult | GradeResult) -> dict[str, Figure]:
    if isinstance(found, GalleryResult):
        return {str(each.arm): Figure.of(each) for each in found.ranking.standings}
    return {str(each.arm): Figure.of(each.mean) for each in found.ratings.ratings}


def outside(votes: AnswerColumns, annotators: list[int]) -> AnswerColumns:
    """The votes of all other annotators."""
    return votes.where(~np.isin(votes.annotator, annotators))
