"""Results where more than two arms meet, or single images are graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns, grades_of
from evalplatform.campaigns.models import Campaign, Criterion, arm_letter
from evalplatform.core.integer_columns import IntegerColumn, read_columns
from evalplatform.reports.prompts import Prompts

_NOWHERE = -1  # in place of an arm, beyond the images of a smaller set
_SHOWN = (
    IntegerColumn("image_set", "m.image_set_id", "int8"),
    IntegerColumn("place", "m.place", "int2"),
    IntegerColumn("arm", "r.place", "int2"),
)


@dataclass(frozen=True)
class GalleryResult:
    """One criterion on one set of prompts, asked of pairs or rankings of many arms.

    Arms are named by their letters in `ranking`, annotators by pseudonym.
    """

    criterion: str
    criterion_label: str
    form: str
    prompts: str
    depth: int  # 0 holds all prompts; a deeper group is part of the last shallower one before it
    k: int
    ranking: stats.ArmRanking
    agreement: tuple[stats.GradedAgreement, ...]


@dataclass(frozen=True)
class GradeResult:
    """One criterion on one set of prompts, asked of single images.

    `as_pairs` reads the same grades as wins, ties and losses of two arms by one annotator on one
    prompt; None where nobody graded two arms there.
    """

    criterion: str
    criterion_label: str
    form: str
    prompts: str
    depth: int
    k: int
    ratings: stats.ArmRatings
    as_pairs: stats.ArmRanking | None
    agreement: tuple[stats.GradedAgreement, ...]


class Gallery:
    """The sets of a campaign and who stands in them: what turns answers into graded votes."""

    def __init__(self, campaign: Campaign, prompts: Prompts, people: dict[int, str]) -> None:
        self._arms = [arm_letter(arm.place) for arm in campaign.contenders]
        self._prompts, self._people = prompts, people
        shown = read_columns(
            _SHOWN,
            "FROM campaigns_imageset i JOIN campaigns_shownimage m ON m.image_set_id = i.id"
            " JOIN campaigns_arm r ON r.id = m.arm_id"
            f" WHERE i.campaign_id = {int(campaign.pk)} AND i.purpose = 'main'",
        )
        self._sets, row = np.unique(shown["image_set"], return_inverse=True)
        most = int(shown["place"].max(initial=-1)) + 1
        self._shown = np.full((len(self._sets), most), _NOWHERE, dtype=np.int64)
        self._shown[row, shown["place"]] = shown["arm"]

    def graded(self, votes: AnswerColumns) -> stats.GradedVotes:
        """Return the votes as grades of arms. Raises `stats.EmptyVotesError` without any."""
        arm = self._shown[np.searchsorted(self._sets, votes.image_set)]
        sizes = (arm != _NOWHERE).sum(axis=1)
        grade = np.zeros_like(arm)
        for n in np.unique(sizes).tolist():
            rows = sizes == n
            grade[rows, :n] = grades_of(votes.said[rows], n)
        prompts, prompt = np.unique(votes.prompt, return_inverse=True)
        people, annotator = np.unique(votes.annotator, return_inverse=True)
        return stats.graded_votes(
            item=votes.item,
            prompt=prompt,
            annotator=annotator,
            arm=arm,
            grade=grade,
            arms=self._arms,
            prompts=[self._prompts.name(key) for key in prompts.tolist()],
            annotators=[self._people[key] for key in people.tolist()],
        )

    def result(
        self, criterion: Criterion, name: str, depth: int, votes: AnswerColumns
    ) -> GalleryResult | GradeResult:
        """Return what these votes on one criterion, of which there is at least one, say of arms."""
        graded = self.graded(votes)
        shared: dict[str, Any] = {
            "criterion": criterion.slug,
            "criterion_label": criterion.label,
            "form": criterion.form,
            "prompts": name,
            "depth": depth,
            "k": criterion.k,
        }
        scale = scale_of(criterion)
        agreement = stats.graded_agreement(graded, grades=scale)
        if scale is None:
            return GalleryResult(**shared, ranking=stats.rank_arms(graded), agreement=agreement)
        return GradeResult(
            **shared,
            ratings=stats.rate_arms(graded, grades=scale),
            as_pairs=_as_pairs(graded),
            agreement=agreement,
        )


def scale_of(criterion: Criterion) -> list[int] | None:
    """Return the grades that a form of single images offers, worst first; None for other forms."""
    shape = criterion.shape
    if shape.most > 1:
        return None
    return sorted(shape.grades(button, (0,))[0] for button in shape.buttons)


def _as_pairs(graded: stats.GradedVotes) -> stats.ArmRanking | None:
    try:
        return stats.rank_arms(stats.pairs_from_ratings(graded))
    except stats.EmptyVotesError:
        return None
