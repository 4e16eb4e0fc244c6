"""Results where more than two arms meet, or single images are graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.campaigns.models import Campaign, Criterion, arm_letter
from evalplatform.reports.prompts import Prompts


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

    @property
    def n_votes(self) -> int:
        return self.ranking.n_votes


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

    @property
    def n_votes(self) -> int:
        return self.ratings.n_votes


class Gallery:
    """The sets of a campaign and who stands in them: what turns answers into graded votes."""

    def __init__(
        self,
        campaign: Campaign,
        prompts: Prompts,
        people: dict[int, str],
        arms: ArmColumns | None = None,
    ) -> None:
        self._arms = [arm_letter(arm.place) for arm in campaign.contenders]
        self._prompts, self._people = prompts, people
        self._columns = arms or ArmColumns.of(campaign)

    def graded(self, votes: AnswerColumns) -> stats.GradedVotes:
        """Return the votes as grades of arms. Raises `stats.EmptyVotesError` without any."""
        arm, grade = self._columns.graded(votes)
        (prompt,), prompts = stats.positions(votes.prompt)
        (annotator,), people = stats.positions(votes.annotator)
        return stats.graded_votes(
            item=votes.item,
            prompt=prompt,
            annotator=annotator,
            arm=arm,
            grade=grade,
            arms=self._arms,
            prompts=self._prompts.names(prompts),
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
