"""Contrasts of group means, each with its interval and with Holm's p over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from .clustering import FloatArray
from .estimates import State, few_clusters
from .intervals import t_p_value, t_quantile
from .means import GradeMeans
from .multiplicity import holm


@dataclass(frozen=True, kw_only=True)
class MeanContrast:
    """A contrast of means, such as one less another.

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


def contrasts_of(
    means: GradeMeans, vectors: Sequence[FloatArray], level: float, *, what: str, largest: float
) -> tuple[MeanContrast, ...]:
    """Estimate contrasts, given as one weight a group, as one family for Holm's p.

    `what` is what reasons call the values; a contrast lies in [-largest, largest].
    """
    found = [_contrast(means, each, level, what, largest) for each in vectors]
    tested = [each.p_value for each in found if each.p_value is not None]
    adjusted = iter(holm(tested).tolist())
    return tuple(
        each if each.p_value is None else replace(each, p_holm=next(adjusted)) for each in found
    )


def _contrast(
    means: GradeMeans, vector: FloatArray, level: float, what: str, largest: float
) -> MeanContrast:
    value = float(vector @ means.means)
    held = means.prompt.n_held(vector), means.annotator.n_held(vector)
    state, reason = few_clusters(what, *held)
    about = MeanContrast(
        value=value, n_prompts=held[0], n_annotators=held[1], state=state, reason=reason
    )
    if state is not State.DEFINED:
        return about
    found = means.variance(vector)
    se = sqrt(found.variance)
    reach = t_quantile(level, found.df) * se
    return replace(
        about,
        se=se,
        low=max(-largest, value - reach),
        high=min(largest, value + reach),
        df=found.df,
        p_value=t_p_value(value / se, found.df),
    )


def difference_of(first: int, second: int, n_groups: int) -> FloatArray:
    """The contrast of one group's mean less another's."""
    made = np.zeros(n_groups)
    made[first], made[second] = 1.0, -1.0
    return made
