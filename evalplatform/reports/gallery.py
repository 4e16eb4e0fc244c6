"""Results where more than two arms meet, or single images are graded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.campaigns.designs import Design
from evalplatform.campaigns.models import Campaign, Criterion, arm_letter
from evalplatform.core.integer_columns import Array
from evalplatform.reports.planned_votes import PlannedVotes, planned_votes
from evalplatform.reports.prompts import GROUPS, Prompts


@dataclass(frozen=True)
class GalleryResult:
    """One criterion on one set of prompts, asked of pairs or rankings of many arms.

    Arms are named by their letters, annotators by pseudonym. `by_group` and `early` are of all
    prompts alone: each two arms by category and challenge, and while votes are missing. So are
    `places`, what the place of showing moves, None where an import does not tell where images
    stood, and `drift`, what the time of showing moves, None of all imported votes.
    """

    criterion: str
    criterion_label: str
    form: str
    prompts: str
    depth: int  # 0 holds all prompts; a deeper group is part of the last shallower one before it
    k: int
    ranking: stats.ArmRanking
    agreement: tuple[stats.GradedAgreement, ...]
    by_group: tuple[stats.ArmGroupTest, ...] = ()
    early: tuple[stats.ArmLook, ...] = ()
    places: stats.PlaceEffect | None = None
    drift: stats.ArmsDrift | None = None
    is_open: bool = False  # votes are missing

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
    by_group: tuple[stats.ArmGroupTest, ...] = ()  # of the same comparisons
    early: tuple[stats.ArmLook, ...] = ()  # in grades
    drift: stats.ArmsDrift | None = None
    is_open: bool = False

    @property
    def n_votes(self) -> int:
        return self.ratings.n_votes


class Gallery:
    """The sets of a campaign and who stands in them: what turns answers into graded votes.

    `is_open`: votes are missing, and results are looked at before the end.
    """

    def __init__(
        self,
        campaign: Campaign,
        prompts: Prompts,
        people: dict[int, str],
        arms: ArmColumns | None = None,
        *,
        planned: Callable[[Criterion], PlannedVotes | None] | None = None,
        is_open: bool = False,
    ) -> None:
        self._campaign, self._is_open = campaign, is_open
        self._planned = planned or partial(planned_votes, campaign)
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
            "is_open": self._is_open,
        }
        scale = scale_of(criterion)
        agreement = stats.graded_agreement(graded, grades=scale)
        if scale is None:
            ranking = stats.rank_arms(graded)
            return GalleryResult(**shared, ranking=ranking, agreement=agreement)
        compared = _compared(graded)
        return GradeResult(
            **shared,
            ratings=stats.rate_arms(graded, grades=scale),
            as_pairs=stats.rank_arms(compared) if compared else None,
            agreement=agreement,
        )

    def detailed(
        self, found: GalleryResult | GradeResult, criterion: Criterion, votes: AnswerColumns
    ) -> GalleryResult | GradeResult:
        """Return a result on all prompts with each two arms by group, order, and early looks."""
        graded = self.graded(votes)
        _, prompts = stats.positions(votes.prompt)
        labels: dict[str, stats.Labels] = {
            kind: self._prompts.labels_of(prompts, kind) for kind in GROUPS
        }
        drift = None if self._campaign.imported_from else stats.arms_drift(graded)
        if isinstance(found, GradeResult):
            compared = _compared(graded)
            tests = stats.arm_group_tests(compared, labels) if compared else ()
            early = self._early_grades(graded, prompts, criterion) if self._is_open else ()
            return replace(found, by_group=tests, early=early, drift=drift)
        return replace(
            found,
            by_group=stats.arm_group_tests(graded, labels),
            early=self._early(graded, prompts, criterion) if self._is_open else (),
            places=self._places(graded, votes),
            drift=drift,
        )

    def _places(self, graded: stats.GradedVotes, votes: AnswerColumns) -> stats.PlaceEffect | None:
        if not self._campaign.knows_sides:
            return None
        return stats.place_effect(graded, self._columns.shown_at(votes))

    def _early(
        self, graded: stats.GradedVotes, prompts: Array, criterion: Criterion
    ) -> tuple[stats.ArmLook, ...]:
        count = len(self._arms)
        against = Design.parse(self._campaign.design).kind == "against"
        n_pairs = count - 1 if against else count * (count - 1) // 2
        planned = self._planned(criterion)
        if planned is None:
            return stats.arm_looks(graded, criterion.k, n_pairs)
        return stats.arm_looks(
            graded,
            lambda first, second: planned.of_two(self._columns, first, second, prompts),
            n_pairs,
        )

    def _early_grades(
        self, graded: stats.GradedVotes, prompts: Array, criterion: Criterion
    ) -> tuple[stats.ArmLook, ...]:
        scale, planned = scale_of(criterion), self._planned(criterion)
        assert scale is not None
        if planned is None:
            return stats.rating_looks(graded, criterion.k, scale)
        return stats.rating_looks(
            graded, lambda arm: planned.of_arm(self._columns, arm, prompts), scale
        )


def scale_of(criterion: Criterion) -> list[int] | None:
    """Return the grades that a form of single images offers, worst first; None for other forms."""
    shape = criterion.shape
    if shape.most > 1:
        return None
    return sorted(shape.grades(button, (0,))[0] for button in shape.buttons)


def _compared(graded: stats.GradedVotes) -> stats.GradedVotes | None:
    """Ratings as comparisons; None where nobody rated two arms on one prompt."""
    try:
        return stats.pairs_from_ratings(graded)
    except stats.EmptyVotesError:
        return None
