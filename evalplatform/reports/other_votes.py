"""Figures of the results beside those from other votes: with the excluded, without a ring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Criterion
from evalplatform.reports.gallery import GalleryResult, GradeResult


@dataclass(frozen=True)
class Figure:
    """One number with its interval, None where there is none; shares are in [0, 1]."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, found: stats.Estimate | stats.Standing | Figure) -> Figure:
        return cls(found.value, found.low, found.high)


@dataclass(frozen=True)
class OtherVotes:
    """One figure of the results as reported, and as it is from more or fewer votes.

    `measure` is "net", or "strength" or "mean grade" with `arm` the letter of whose it is; a figure
    is None where there is no vote. `votes` is by how many the two differ.
    """

    criterion: str
    criterion_label: str
    prompts: str
    measure: str
    arm: str
    as_reported: stats.Estimate | Figure | None
    other: stats.Estimate | Figure | None
    votes: int

    @property
    def is_share(self) -> bool:
        return self.measure == "net"


def of_net(
    criterion: Criterion,
    prompts: str,
    reported: stats.Estimate | None,
    other: stats.Estimate | None,
) -> OtherVotes:
    """The net of two arms on these prompts."""
    counts = [each.n_votes if each else 0 for each in (reported, other)]
    return OtherVotes(
        criterion.slug, criterion.label, prompts, "net", "", reported, other,
        abs(counts[0] - counts[1]),
    )  # fmt: skip


def of_orders(
    reported: GalleryResult | GradeResult | None, other: GalleryResult | GradeResult | None
) -> Iterator[OtherVotes]:
    """The strengths or mean grades of all arms, from votes of which one is part of the other."""
    known = reported or other
    assert known
    counts = [each.n_votes if each else 0 for each in (reported, other)]
    figures = [_by_arm(each) if each else {} for each in (reported, other)]
    for arm in dict.fromkeys([*figures[0], *figures[1]]):  # an arm may have votes in one alone
        yield OtherVotes(
            criterion=known.criterion,
            criterion_label=known.criterion_label,
            prompts=known.prompts,
            measure="strength" if isinstance(known, GalleryResult) else "mean grade",
            arm=arm,
            as_reported=figures[0].get(arm),
            other=figures[1].get(arm),
            votes=abs(counts[0] - counts[1]),
        )


def _by_arm(found: GalleryResult | GradeResult) -> dict[str, Figure]:
    if isinstance(found, GalleryResult):
        return {str(each.arm): Figure.of(each) for each in found.ranking.standings}
    return {str(each.arm): Figure.of(each.mean) for each in found.ratings.ratings}


def outside(votes: AnswerColumns, annotators: list[int]) -> AnswerColumns:
    """The votes of all other annotators."""
    return votes.where(~np.isin(votes.annotator, annotators))
