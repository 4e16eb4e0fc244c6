"""The shape of an estimate, how it is made from a variance, and the states of one that is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from .clustering import FloatArray, Ratio
from .effective_votes import EffectiveVotes
from .intervals import net_interval, null_error, t_p_value, t_quantile, wilson


class State(StrEnum):
    """Whether a result is whole; every state but DEFINED comes with a reason in words."""

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
    NOTHING_TO_ADD = "nothing_to_add"
    FEW_PROMPTS = "few_prompts"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its uncertainty and with all that is needed to read it.

    Attributes:
        value: the estimate; a share in [0, 1], a difference of shares in [-1, 1], or a mean
            grade. None only where nothing was counted.
        se: standard error in the same unit. 0.0 means that no variation was seen, not certainty:
            read the interval.
        low, high: interval at `level`, inside the range of the value.
        level: nominal coverage of the interval, e.g. 0.95.
        df: degrees of freedom of the t quantile, whole or not; see `degrees`.
        se_null: of a net, the standard error it would have were its true value 0; the test of
            that is `t` and `p_value`. None of a share.
        n_votes: votes (or verdicts) that enter the value; for `decided`, the decided ones.
        n_prompts, n_annotators: prompts and annotators among them; n_prompts is None where the
            question does not speak of prompts.
        n_effective: the number of independent votes the interval is made for, see
            `effective_votes`.
        design_effect: variance over the variance that as many independent votes would have; 4
            means that four votes tell as much as one independent vote.
        method: how variance and interval were made, in words fit for a table's footnote.
        estimand: what is averaged: "votes", "prompts" (each prompt counts once) or "verdicts".
        state: DEFINED, or why there is no interval: everything but the value and the counts is
            then None, never NaN.
        reason: the state in words, empty when defined.
    """

    value: float | None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    level: float
    df: float | None = None
    se_null: float | None = None
    n_votes: int
    n_prompts: int | None
    n_annotators: int
    n_effective: float | None = None
    design_effect: float | None = None
    method: str = "none"
    estimand: str
    state: State = State.DEFINED
    reason: str = ""

    @property
    def has_interval(self) -> bool:
        return self.state is State.DEFINED

    @property
    def t(self) -> float | None:
        """The statistic of the test that a net is 0."""
        return None if self.value is None or not self.se_null else self.value / self.se_null

    @property
    def p_value(self) -> float | None:
        """Two-sided, of a net of 0; below 1 - level exactly where the interval leaves out 0."""
        return None if self.t is None or self.df is None else t_p_value(self.t, self.df)


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What an estimate rests on and speaks of; the fields are those of `Estimate`."""

    n_votes: int
    n_prompts: int | None
    n_annotators: int
    estimand: str
    level: float


def few_clusters(what: str, n_prompts: int, n_annotators: int) -> tuple[State, str]:
    """DEFINED, or why votes (`what` in words) tell nothing of other prompts or people."""
    if n_prompts < 2:
        return State.ONE_PROMPT, f"All {what} are on one prompt: nothing tells of other prompts."
    if n_annotators < 2:
        reason = f"All {what} are by one annotator: nothing tells of other people."
        return State.ONE_ANNOTATOR, reason
    return State.DEFINED, ""


def without_interval(value: float | None, state: State, reason: str, basis: Basis) -> Estimate:
    """An estimate that says nothing of others, for the reason given; its value describes."""
    return Estimate(value=value, state=state, reason=reason, **vars(basis))


def estimate_of(
    ratio: Ratio,
    total: FloatArray,
    worth: EffectiveVotes,
    *,
    degrees: str,
    clustering: str,
    basis: Basis,
) -> Estimate:
    """Wrap a ratio and what its votes are worth: Wilson's interval, and for net a score interval.

    `total` is the weight of A, tie and B. `degrees` and `clustering` are words for `method`.
    """
    value, spread = ratio.of(total), ratio.spread(total)
    quantile = t_quantile(basis.level, worth.df)
    se_null = None
    if ratio.is_signed:
        decided = float(total[[0, 2]].sum() / total.sum())
        low, high = net_interval(value, decided, worth.number, quantile)
        se_null = null_error(decided, worth.number, quantile)
        form = "score interval with n_effective = spread / V"
    else:
        low, high = wilson(value, worth.number, quantile)
        form = "Wilson interval with n_effective = p(1-p)/V"
    return Estimate(
        value=value,
        se=sqrt(spread / worth.number),
        low=low,
        high=high,
        df=worth.df,
        se_null=se_null,
        n_effective=worth.number,
        design_effect=(basis.n_votes - 1.0) / worth.number,
        method=f"{clustering}; {form}; t with {worth.df:.4g} df ({degrees}){worth.note}",
        **vars(basis),
    )
