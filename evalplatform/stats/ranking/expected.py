"""How far apart two strengths of a gallery must lie to be told apart, before there are votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from ..inference.components import Components
from ..inference.intervals import check_level, t_quantile
from ..votes.errors import UnknownOptionError


@dataclass(frozen=True, kw_only=True)
class PlannedPair:
    """Two arms that will meet: on how many prompts, and how many votes compare them.

    Attributes:
        first, second: positions of the arms.
        prompts, votes: above 0; a ranking of n counts as 2/n of a vote on each of its pairs.
    """

    first: int
    second: int
    prompts: int
    votes: float


@dataclass(frozen=True, kw_only=True)
class ExpectedIntervals:
    """Half-widths of the interval of a difference of two strengths, natural log units.

    Attributes:
        narrowest, typical, widest: over all pairs of arms; typical is their median.
        level: of the intervals.
    """

    narrowest: float
    typical: float
    widest: float
    level: float


def expected_intervals(
    pairs: Sequence[PlannedPair],
    *,
    arms: int,
    annotators: int,
    components: Components,
    tie: float,
    level: float = 0.95,
) -> ExpectedIntervals:
    """The intervals that differences of strengths will have where all arms are about equal.

    Formula. For arms of equal strength the net of a pair moves by (1 - tie) / 2 for each unit of
    d = theta_i - theta_j (Davidson), so d, from this pair alone, has variance v = (2 / (1 - tie))^2
    V with V of `Components.variance`. Pairs then join as conductances 1 / v: the variance of a
    difference is (e_i - e_j)' L+ (e_i - e_j) with the Laplacian L of the gallery. t with
    min(P, J) - 1 degrees of freedom, P the prompts of the pair that meets on fewest.

    Approximation. Pairs are taken as independent, though they share people and prompts; arms that
    differ much have wider intervals. It is for choosing a size, not for a report.

    Units. Natural log units of strength, as `rank`.

    >>> from ..inference.components import stated_components
    >>> pilot = stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05)
    >>> met = [PlannedPair(first=i, second=j, prompts=200, votes=1000)
    ...        for i, j in [(0, 1), (0, 2), (1, 2)]]
    >>> found = expected_intervals(met, arms=3, annotators=40, components=pilot, tie=0.2)
    >>> round(found.typical, 2), round(found.widest, 2)
    (0.19, 0.19)
    """
    check_level(level)
    if not 0.0 <= tie < 1.0:
        raise UnknownOptionError(f"ties {tie}; give a share from 0 up and below 1.")
    if not pairs or annotators < 2:
        raise UnknownOptionError("no two arms meet, or fewer than two annotators judge them.")
    laplacian = np.zeros((arms, arms))
    for pair in pairs:
        net = components.variance(pair.prompts, annotators, pair.votes)
        held = 1.0 / ((2.0 / (1.0 - tie)) ** 2 * max(net, 1e-12))
        laplacian[pair.first, pair.first] += held
        laplacian[pair.second, pair.second] += held
        laplacian[pair.first, pair.second] -= held
        laplacian[pair.second, pair.first] -= held
    if np.linalg.matrix_rank(laplacian) < arms - 1:
        raise UnknownOptionError("some arms never meet the others, even through third ones.")
    inverse = np.linalg.pinv(laplacian)
    fewest = min(pair.prompts for pair in pairs)
    quantile = t_quantile(level, max(1, min(fewest, annotators) - 1))
    widths = sorted(
        quantile * sqrt(inverse[i, i] + inverse[j, j] - 2.0 * inverse[i, j])
        for i, j in combinations(range(arms), 2)
    )
    return ExpectedIntervals(
        narrowest=widths[0], typical=float(np.median(widths)), widest=widths[-1], level=level
    )
