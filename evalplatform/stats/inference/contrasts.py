"""Contrasts of groups, each with its interval and with Holm's p over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from .clustering import FloatArray
from .estimates import State, few_clusters
from .intervals import t_p_value, t_quantile
from .least_squares import GroupContrast
from .multiplicity import holm


@dataclass(frozen=True, kw_only=True)
class MeanContrast:
    """A contrast of means or of effects, such as one less another.

    Attributes:
        value: in the unit of what is averaged.
        se, low, high, df: standard error, t interval at the level asked, degrees of freedom.
        p_value: two-sided, of a value of 0; p_holm: adjusted for all contrasts of the family.
        n_prompts, n_annotators: prompts and annotators whose values are in it.
        state, reason: DEFINED, or why there is nothing but the value.
    """

    value: float
    se: float | None = None
    low: float | None = None
    high: float | None = None
    df: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    n_prompts: int
    n_annotators: int
    state: State = State.DEFINED
    reason: str = ""


def contrast_of(found: GroupContrast, level: float, *, what: str, largest: float) -> MeanContrast:
    """Give a contrast its interval and test.

    `what` is what reasons call the values; the contrast lies in [-largest, largest].
    """
    held = found.n_prompts, found.n_annotators
    state, reason = few_clusters(what, *held)
    about = MeanContrast(
        value=found.value, n_prompts=held[0], n_annotators=held[1], state=state, reason=reason
    )
    if found.variance is None or found.df is None:
        return about
    se = sqrt(found.variance)
    reach = t_quantile(level, found.df) * se
    return replace(
        about,
        se=se,
        low=max(-largest, found.value - reach),
        high=min(largest, found.value + reach),
        df=found.df,
        p_value=t_p_value(found.value / se, found.df),
    )


def as_family(found: Sequence[MeanContrast]) -> tuple[MeanContrast, ...]:
    """The contrasts with Holm's p over all of them that have a p."""
    tested = [each.p_value for each in found if each.p_value is not None]
    adjusted = iter(holm(tested).tolist())
    return tuple(
        each if each.p_value is None else replace(each, p_holm=next(adjusted)) for each in found
    )


def difference_of(first: int, second: int, n_groups: int) -> FloatArray:
    """The contrast of one group's mean less another's."""
    made = np.zeros(n_groups)
    made[first], made[second] = 1.0, -1.0
    return made
