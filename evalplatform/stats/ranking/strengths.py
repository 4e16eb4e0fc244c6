"""Strengths of a gallery of arms from votes on pairs of them.

Naming: a strength is on the natural log scale and has sum 0 over the gallery; a arm that is
1 stronger wins e = 2.7 times as often as it loses. `nu` is the weight of a tie.
"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State, few_clusters
from ..inference.intervals import check_level, t_quantile
from ..votes.chunking import Codes, chunks
from ..votes.columns import IntColumn
from ..votes.pairs import Labels, PairVotes
from .davidson import Fit, PairCounts, Ties, fit, pair_counts
from .existence import existence
from .results import Ranking, Strength, TieWeight, t_interval
from .sandwich import ClusteredCovariance, clustered_covariance, difference_variances

_DECIMALS = 9  # of a strength; what differs less differs by the rounding of the fit
_NO_VARIATION = 1e-12  # share of the model's variance below which a variance is rounding error


def rank(votes: PairVotes, level: float = 0.95, *, ties: Ties = "davidson") -> Ranking:
    """Estimate the strengths of all arms, with two-way clustered intervals.

    Formula. ties="davidson": for d = theta_i - theta_j, the chances of a win of i, a tie and a
    win of j stand as exp(d / 2) : nu : exp(-d / 2), fitted by maximum likelihood.
    ties="half": the model of Bradley and Terry, where nu = 0 and a tie is half a win of either,
    as public arenas do; it takes no notice of how often people see no difference. Covariance
    V = Vp + Va - Vpa (see `sandwich`), every variance at least that of either clustering alone,
    t with the fewer degrees of freedom of the two clusterings: min(P, J) - 1 for P prompts and J
    annotators with as many votes each, fewer where a few give most votes, and fewer for an arm that
    a few of them judged (see `arm_clusters`).

    Units. Strengths in natural log units with sum 0; times 400 / ln 10 = 173.7 they are Elo
    points.

    How to read. "If other people judged other prompts of these kinds, the strength would lie in
    the interval in 95 of 100 such studies." The votes need not follow the model exactly: the
    strengths are then those of the model nearest to them. Overlap of two intervals says little:
    read `difference` for a pair named beforehand and `rank_sets` for the order of all.

    States. DISCONNECTED: groups of arms that no vote links. SEPARATED: a group that never
    loses to the rest, so that its lead is unbounded; more votes cure it. NO_DECIDED_VOTES: all
    ties. ONE_PROMPT, ONE_ANNOTATOR (of all votes, or of those on one arm), NO_VARIATION: strengths
    but no intervals. Nothing is refused for these; `UnknownOptionError` refuses a level outside
    (0, 1).

    References. Davidson (1970), JASA 65:317-328; Bradley and Terry (1952), Biometrika
    39:324-345; Cameron, Gelbach and Miller (2011), JBES 29:238-249; Ford (1957), American
    Mathematical Monthly 64(8):28-33.

    >>> from ..votes.graded import graded_votes
    >>> arm = [[0, 1], [1, 2], [2, 0]] * 4
    >>> grade = [[1, 0], [1, 0], [0, 1], [1, 0], [0, 0], [0, 0],
    ...          [0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]
    >>> votes = graded_votes(item=range(12), prompt=[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4],
    ...                      annotator=[7, 8] * 6, arm=arm, grade=grade, arms=["x", "y", "z"])
    >>> ranking = rank(votes.pairs())
    >>> [(one.arm, round(one.value, 2)) for one in ranking.strengths]
    [('x', 0.64), ('y', -0.21), ('z', -0.43)]
    >>> ranking.difference("x", "z").p_value < 0.05, ranking.df
    (False, 1.0)
    """
    check_level(level)
    pairs = pair_counts(votes)
    fitted, state, reason = _fitted(pairs, votes.arms, ties)
    if fitted is None:
        return Ranking(
            arms=votes.arms, level=level, ties=ties, state=state, reason=reason,
            interval_state=state, interval_reason=reason,
        )  # fmt: skip
    covariance, state, reason = _covariance(votes, fitted)
    m = votes.n_arms
    return Ranking(
        arms=votes.arms,
        strengths=_strengths(votes.arms, fitted, covariance, level),
        nu=_tie_weight(ties, fitted, covariance, level),
        values=_frozen(fitted.strengths.copy()),
        covariance=_frozen(_clipped(covariance.two_way[:m, :m])) if covariance else None,
        difference_se=_frozen(np.sqrt(covariance.differences(m))) if covariance else None,
        difference_df=_frozen(covariance.difference_df()) if covariance else None,
        level=level,
        df=covariance.df if covariance else None,
        ties=ties,
        method=_method(ties, fitted, covariance),
        interval_state=state,
        interval_reason=reason,
    )


def _fitted(pairs: PairCounts, arms: Labels, ties: Ties) -> tuple[Fit | None, State, str]:
    """Return the fit, or why there is none."""
    state, reason = existence(pairs, arms, ties)
    if state is not State.DEFINED:
        return None, state, reason
    found = fit(pairs, ties)
    if not found.converged.all():
        reason = "The fit did not converge; some arm almost always wins or loses."
        return None, State.NOT_CONVERGED, reason
    return found, state, reason


def _covariance(votes: PairVotes, fitted: Fit) -> tuple[ClusteredCovariance | None, State, str]:
    state, reason = few_clusters("votes", votes.n_prompts, votes.n_annotators)
    if state is State.DEFINED:
        state, reason = _few_clusters_of_an_arm(votes)
    if state is not State.DEFINED:
        return None, state, reason
    covariance = clustered_covariance(votes, fitted)
    m = votes.n_arms
    pair = np.triu_indices(m, 1)
    iid = difference_variances(covariance.model[:m, :m])
    still = covariance.differences(m)[pair] <= _NO_VARIATION * iid[pair]
    if still.any():
        one = int(np.flatnonzero(still)[0])
        a, b = (votes.arms[side[one]] for side in pair)
        why = f"The votes on {a!r} and {b!r} show no variation between prompts and annotators."
        return None, State.NO_VARIATION, why
    return covariance, State.DEFINED, ""


def _few_clusters_of_an_arm(votes: PairVotes) -> tuple[State, str]:
    """DEFINED, or of which arm the votes tell nothing of other prompts or people.

    All scores of an arm that one person judged lie in one cluster, whose sum the fit makes 0: what
    this person has of their own would pass for no variation.
    """
    for at in _in_one_cluster(votes, votes.prompt):
        return few_clusters(f"votes on {votes.arms[at]!r}", 1, votes.n_annotators)
    for at in _in_one_cluster(votes, votes.annotator):
        return few_clusters(f"votes on {votes.arms[at]!r}", votes.n_prompts, 1)
    return State.DEFINED, ""


def _in_one_cluster(votes: PairVotes, codes: Codes) -> IntColumn:
    """The arms of which all votes have one code."""
    low, high = np.full(votes.n_arms, np.iinfo(np.int64).max), np.full(votes.n_arms, -1)
    for rows in chunks(len(votes)):
        code = codes[rows].astype(np.int64)
        for arm in (votes.first[rows], votes.second[rows]):
            np.minimum.at(low, arm, code)
            np.maximum.at(high, arm, code)
        if (low < high).all():
            break
    return np.flatnonzero(low == high)


def _method(ties: Ties, fitted: Fit, covariance: ClusteredCovariance | None) -> str:
    model = "Bradley-Terry, a tie as half a win of either"
    if ties == "davidson":
        model = "Davidson's model with ties"
        if fitted.log_nu is None:
            model += "; no vote is a tie, so nu = 0 and the model is Bradley-Terry's"
    if covariance is None:
        return f"{model}; no intervals"
    clusters = "two-way clustered by prompt and annotator"
    df = covariance.strength_df()
    low, high = f"{df.min():.4g}", f"{df.max():.4g}"
    said = f"t with {high} df, the fewer of prompts and annotators"
    if low != high:
        said = f"t with {low} to {high} df, the fewer of the prompts and annotators of an arm"
    return f"{model}; {clusters}; {said}"


def ranks_of(strengths: FloatArray) -> IntColumn:
    """Rank 1 for the largest of the last axis; equal ones share the better rank.

    >>> ranks_of(np.array([0.3, -1.0, 0.3, 0.1])).tolist()
    [1, 4, 1, 3]
    """
    if strengths.ndim > 1:
        return np.stack([ranks_of(one) for one in strengths])
    weakness = -np.round(strengths, _DECIMALS)
    return np.asarray(1 + np.searchsorted(np.sort(weakness), weakness, side="left"), np.int64)


def _strengths(
    labels: Labels,
    fitted: Fit,
    covariance: ClusteredCovariance | None,
    level: float,
) -> tuple[Strength, ...]:
    m = len(labels)
    ranks = ranks_of(fitted.strengths)
    variances = dfs = None
    if covariance is not None:
        variances = covariance.floored(np.eye(m, len(covariance.two_way)))
        dfs = covariance.strength_df()
    made = []
    for position in np.lexsort((np.arange(m), ranks)):
        value = float(fitted.strengths[position])
        se = low = high = df = None
        if variances is not None and dfs is not None:
            se, df = sqrt(float(variances[position])), float(dfs[position])
            low, high = t_interval(value, se, t_quantile(level, df))
        made.append(
            Strength(
                arm=labels[position],
                rank=int(ranks[position]),
                value=value,
                se=se,
                low=low,
                high=high,
                df=df,
            )
        )
    return tuple(made)


def _tie_weight(
    ties: Ties, fitted: Fit, covariance: ClusteredCovariance | None, level: float
) -> TieWeight | None:
    if ties == "half":
        return None
    if fitted.log_nu is None:
        return TieWeight(value=0.0, low=None, high=None)
    log_nu = float(fitted.log_nu)
    if covariance is None:
        return TieWeight(value=exp(log_nu), low=None, high=None)
    contrast = np.zeros((1, len(covariance.two_way)))
    contrast[0, -1] = 1.0
    se, reach = sqrt(float(covariance.floored(contrast)[0])), t_quantile(level, covariance.df)
    low, high = t_interval(log_nu, se, reach)
    return TieWeight(value=exp(log_nu), low=exp(low), high=exp(high))


def _clipped(covariance: FloatArray) -> FloatArray:
    """The nearest covariance without negative eigenvalues."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    clipped: FloatArray = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return clipped


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array
