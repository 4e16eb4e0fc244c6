"""The result of comparing arms by the grades of single images."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..inference.estimates import Estimate, State
from ..inference.plain import plain
from ..votes.errors import UnknownOptionError
from .results import Lead


@dataclass(frozen=True, kw_only=True)
class ArmRating:
    """What single images of one arm were graded, see `rate_arms`.

    Attributes:
        arm: its id.
        mean: mean grade, in grades; its interval stays within the scale.
        shares: by grade, the share of votes that give it, in [0, 1]; of keep / unsure / reject
            those are the grades 2, 1 and 0.
        rank: 1 for the largest mean; equal means share the better rank.
        rank_low, rank_high, tier, rank_chances: as in `Standing`; None without intervals.
    """

    arm: Hashable
    mean: Estimate
    shares: dict[int, Estimate]
    rank: int
    rank_low: int | None
    rank_high: int | None
    tier: int | None
    rank_chances: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class RatingDifference:
    """Mean grade of `arm` less that of `other`, in grades.

    se, low, high, df and p_value are None where either is without an interval. `p_holm` is
    adjusted for all pairs of arms by Holm.
    """

    arm: Hashable
    other: Hashable
    value: float
    se: float | None
    low: float | None
    high: float | None
    df: float | None
    p_value: float | None
    p_holm: float | None


@dataclass(frozen=True, kw_only=True)
class ArmRatings:
    """All arms by the grades of single images, see `rate_arms`.

    Attributes:
        ratings: one per rated arm, best first.
        leads: how far the arm with the largest mean is ahead of each other, best first; empty
            without intervals.
        differences: one per two rated arms, in the order of the arms given.
        never_rated: ids of the arms without a grade.
        grades: the scale, from the worst grade up.
        n_votes, n_items, n_prompts, n_annotators: among votes of one image.
        level: of all intervals. method, rank_method: for a table's footnote.
        state, reason: DEFINED, or ONE_PROMPT, ONE_ANNOTATOR or NO_VARIATION where an arm has no
            interval, so that there are no rank sets.
    """

    ratings: tuple[ArmRating, ...]
    leads: tuple[Lead, ...]
    differences: tuple[RatingDifference, ...]
    never_rated: tuple[Hashable, ...]
    grades: tuple[int, ...]
    n_votes: int
    n_items: int
    n_prompts: int
    n_annotators: int
    level: float
    method: str
    rank_method: str
    state: State
    reason: str

    def rating(self, arm: Hashable) -> ArmRating:
        """The rating of one arm."""
        for one in self.ratings:
            if one.arm == arm:
                return one
        raise UnknownOptionError(f"arm is {arm!r}; rated are {[one.arm for one in self.ratings]}.")

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries and lists for JSON, under the names of the fields."""
        made: dict[str, Any] = plain(self)
        return made
