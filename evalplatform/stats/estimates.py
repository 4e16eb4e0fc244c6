"""The shape of an estimate, how it is made from a variance, and the states of one that is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from .clustering import FloatArray, Ratio, independent_variance
from .intervals import clipped_t, t_quantile, wilson

_NO_VARIATION = 1e-12  # share of the independent variance below which V is rounding error


class State(StrEnum):
    """Whether a result has values; every state but DEFINED comes with a reason in words."""

    DEFINED = "defined"
    NO_DECIDED_VOTES = "no_decided_votes"
    ONE_PROMPT = "one_prompt"
    ONE_ANNOTATOR = "one_annotator"
    NO_VARIATION = "no_variation"
    ONE_CATEGORY = "one_category"
    NO_SHARED_ITEMS = "no_shared_items"
    ONE_ITEM = "one_item"
    DISCONNECTED = "disconnected"
    SEPARATED = "separated"
    NOT_CONVERGED = "not_converged"
    NO_LEADER = "no_leader"
    UNBEATABLE = "unbeatable"
    UNSTABLE = "unstable"
    NO_ANSWERS = "no_answers"
    FEW_ANNOTATORS = "few_annotators"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its uncertainty and with all that is needed to read it.

    Attributes:
        value: the estimate; a share in [0, 1], or a difference of shares in [-1, 1].
        se: standard error in the same unit. 0.0 means that no variation was seen, not certainty:
            read the interval.
        low, high: interval at `level`, inside the range of the value.
        level: nominal coverage of the interval, e.g. 0.95.
        df: degrees of freedom of the t quantile, whole or not; see `degrees`.
        n_votes: votes (or verdicts) that enter the value; for `decided`, the decided ones.
        n_prompts, n_annotators: prompts and annotators among them; n_prompts is None where the
            question does not speak of prompts.
        n_effective: the number of independent votes Wilson's interval is made for; None where the
            interval is not Wilson's.
        design_effect: variance over the variance that as many independent votes would have; 4
            means that four votes tell as much as one independent vote. None without variation.
        method: how variance and interval were made, in words fit for a table's footnote.
        estimand: what is averaged: "votes", "prompts" (each prompt counts once) or "verdicts".
        state: DEFINED, or why there are no values; all values are then None, never NaN.
        reason: the state in words, empty when defined.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    df: float | None
    n_votes: int
    n_prompts: int | None
    n_annotators: int
    n_effective: float | None
    design_effect: float | None
    method: str
    estimand: str
    state: State = State.DEFINED
    reason: str = ""

    @property
    def is_defined(self) -> bool:
        return self.state is State.DEFINED


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What an estimate rests on and speaks of; the fields are those of `Estimate`."""

    n_votes: int
    n_prompts: int | None
    n_annotators: int
    estimand: str
    level: float


def undefined_estimate(state: State, reason: str, basis: Basis) -> Estimate:
    """An estimate without values, for the reason given."""
    return Estimate(
        value=None,
        se=None,
        low=None,
        high=None,
        df=None,
        n_effective=None,
        design_effect=None,
        method="none",
        state=state,
        reason=reason,
        **vars(basis),
    )


def estimate_from_variance(
    ratio: Ratio,
    *,
    total: FloatArray,
    variance: float,
    df: float,
    degrees: str,
    n_clusters: int,
    clusters: str,
    clustering: str,
    basis: Basis,
) -> Estimate:
    """Wrap a ratio and its variance: Wilson with n_effective for shares, clipped t for net.

    `df` is of the variance. Where the votes show no variation, `n_clusters` is n_effective and
    gives the degrees of freedom. `degrees`, `clusters` and `clustering` are words for `method`.
    """
    value = ratio.of(total)
    iid = independent_variance(ratio, total, basis.n_votes)
    varies = variance > _NO_VARIATION * iid
    if not varies:
        df, degrees = float(n_clusters - 1), f"{clusters} - 1"
    quantile = t_quantile(basis.level, df)
    se = sqrt(variance) if varies else 0.0
    if varies and ratio.is_signed:
        n_effective, form = None, "t interval clipped to [-1, 1]"
        low, high = clipped_t(value, se, quantile)
    else:
        n_effective, form = float(n_clusters), "Wilson interval with n_effective = p(1-p)/V"
        if varies:
            n_effective = value * (1.0 - value) / variance
        low, high = _wilson_on_scale(ratio, value, n_effective, quantile)
    method = f"{clustering}; {form}; t with {df:.4g} df ({degrees})"
    if not varies:
        method += f"; no variation seen, so n_effective = {clusters} = {n_clusters}"
    return Estimate(
        value=value,
        se=se,
        low=low,
        high=high,
        df=df,
        n_effective=n_effective,
        design_effect=variance / iid if varies else None,
        method=method,
        **vars(basis),
    )


def _wilson_on_scale(
    ratio: Ratio, value: float, n_effective: float, quantile: float
) -> tuple[float, float]:
    """Wilson's interval; a difference of shares d goes through the share (d + 1) / 2."""
    if not ratio.is_signed:
        return wilson(value, n_effective, quantile)
    low, high = wilson((value + 1.0) / 2.0, n_effective, quantile)
    return 2.0 * low - 1.0, 2.0 * high - 1.0
