"""For how many independent votes a study counts, also where hardly any vote differs.

Wilson's interval wants a number of independent votes. From a variance V of a share p whose single
votes have the spread s^2 = p (1 - p), that is n_effective = s^2 / V. Two things go wrong near 0 and
1, where V rests on a handful of votes: at exactly 0 there is no V at all, and with one vote that
differs V is that of an independent vote, whoever cast it. So each term of V is drawn towards the
one it would have were a stated share of the spread the prompts' and the annotators' own,

    V_0 = s^2 (icc sum_g w_g^2 + (1 - icc) / (n - 1))        w_g: the share of cluster g
    icc = 0.1 (4 s^2)^0.6

by the weight of two votes against the x = n s^2 there are: V* = (x V + 2 V_0) / (x + 2). With 100
votes that differ that moves a term by 2 % of its distance from V_0; with none, V_0 is all there is.
The power says how fast shared taste fades from rare answers: 0.6 follows the correlation of two
answers that lie beyond one far threshold on a common normal scale with correlation 0.15, from 1/2
down to 1/1000. Both are ours, and of the size that studies of preference show; `make bench-stats`
has designs of rare ties and of near unanimity.

The spread within icc is that of n + 4 votes with one that differs, so that it is never 0. n counts
pairs of prompt and annotator: who answers one prompt twice is no second vote.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clustering import FloatArray, Ratio, one_way_variance, score_divisors
from .degrees import one_way_df, two_way_df

ASSUMED_SHARE = 0.1  # of the spread of an evenly split vote, for prompts and for annotators
_FADES = 0.6
_WEIGHT = 2.0  # votes
_WORTH_SAYING = 0.05  # share of the assumed in the whole, from which on `method` tells of it


@dataclass(frozen=True)
class Clustering:
    """One clustering of what is counted.

    Attributes:
        variance: of the share, clustered so.
        df: its degrees of freedom.
        concentration: sum of squared shares of the clusters; 1 / G for G of one size.
    """

    variance: float
    df: float
    concentration: float

    @classmethod
    def of(cls, ratio: Ratio, table: FloatArray) -> Clustering:
        """The clustering of a table of A, tie and B by cluster."""
        return cls.sized(one_way_variance(ratio, table), table @ np.array(ratio.counted))

    @classmethod
    def scored(cls, scores: FloatArray, size: FloatArray) -> Clustering:
        """The clustering of clusters with these scores (see `clustering`) that hold this much."""
        held = size > 0.0
        variance = (scores[held] ** 2 / score_divisors(size[held])).sum()
        return cls.sized(float(variance), size)

    @classmethod
    def sized(cls, variance: float, size: FloatArray) -> Clustering:
        """A clustering of this variance whose clusters hold this much."""
        return cls(variance, one_way_df(size), float((size**2).sum() / size.sum() ** 2))


@dataclass(frozen=True)
class EffectiveVotes:
    """What a study is worth.

    Attributes:
        number: of independent votes; a share's variance is its spread over this.
        df: degrees of freedom of that variance.
        assumed: the share, in [0, 1], that the assumed variance has in it.
    """

    number: float
    df: float
    assumed: float

    @property
    def note(self) -> str:
        """What a reader must know of it, for the end of `method`; mostly nothing."""
        if self.assumed < _WORTH_SAYING:
            return ""
        return (
            f"; few votes differ, so {100 * self.assumed:.0f} % of the variance is assumed: "
            f"{ASSUMED_SHARE:g} of the spread each for prompts and annotators"
        )


@dataclass(frozen=True)
class Differing:
    """How many votes there are and how they differ: n, and the spread s^2 of a single one.

    `scale` is the spread that one differing vote adds: 4 for a net, whose votes are 1 and -1.
    """

    n: int
    spread: float
    scale: float

    @classmethod
    def of(cls, ratio: Ratio, total: FloatArray, n: int) -> Differing:
        return cls(n, ratio.spread(total), 4.0 if ratio.is_signed else 1.0)

    @property
    def votes(self) -> float:
        """x of the module's formula."""
        return self.n * self.spread / self.scale

    @property
    def assumed(self) -> float:
        return _WEIGHT / (self.votes + _WEIGHT)

    def steadied(self, variance: float, concentration: float) -> float:
        """V* / s^2 of a clustering with this V and this sum of squared shares."""
        spread = (self.votes + 1.0) / (self.n + 4.0)
        icc = ASSUMED_SHARE * min(1.0, 4.0 * spread) ** _FADES
        assumed = icc * concentration + (1.0 - icc) / max(self.n - 1.0, 1.0)
        seen = self.n * variance / self.scale  # x V / s^2, which needs no s^2 above 0
        return (seen + _WEIGHT * assumed) / (self.votes + _WEIGHT)


def crossed(
    differing: Differing,
    prompt: Clustering,
    annotator: Clustering,
    pair_variance: float,
    *,
    only_added: bool = False,
) -> EffectiveVotes:
    """Of votes crossed by prompt and annotator: V = max(Vp + Va - Vpa, Vp, Va, Vpa), steadied.

    The floors keep the interval at least as wide as that of either clustering alone, and no study
    worth more than its votes, as one where by chance (or by design) every prompt and everybody
    comes to the same share would be. `only_added=True` is for a Va that speaks only of what
    annotators add to the prompts' V: then Vp alone is a floor.
    """
    by_prompt = differing.steadied(prompt.variance, prompt.concentration)
    by_annotator = differing.steadied(annotator.variance, annotator.concentration)
    by_pair = differing.steadied(pair_variance, 1.0 / max(differing.n - 1.0, 1.0))
    whole = max(by_prompt + by_annotator - by_pair, by_prompt)
    if not only_added:
        whole = max(whole, by_annotator, by_pair)
    df = two_way_df(
        whole,
        (max(by_prompt, by_pair), prompt.df),
        (max(by_annotator, by_pair), annotator.df),
    )
    return EffectiveVotes(1.0 / whole, df, differing.assumed)


def nested(differing: Differing, clustering: Clustering) -> EffectiveVotes:
    """Of votes in one clustering."""
    whole = differing.steadied(clustering.variance, clustering.concentration)
    return EffectiveVotes(1.0 / whole, clustering.df, differing.assumed)
