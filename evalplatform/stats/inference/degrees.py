"""Degrees of freedom of a clustered variance: how well V itself is known.

An interval of value -+ t * sqrt(V) takes its t quantile from a chi-squared distribution that
varies as much as V does. Two things decide how much that is.

*How unlike the clusters are.* With cluster g holding the share w_g of what is counted and cluster
effects of one variance, V of one clustering (see `clustering`) is a quadratic form e'Me of the
effects, with M = C' diag(w^2 / c) C, C = I - 1w' and c_g the divisor of its score, and

    df = trace(M)^2 / trace(M^2)

which is G - 1 for G clusters of one size and about 1 where one of them holds most votes (Bell and
McCaffrey 2002; here for a mean).

*Which term V is made of.* For V = max(Vp + Va - Vpa, Vp, Va, Vpa), Satterthwaite (1946) gives

    df = V^2 / (Vp^2 / df_p + Va^2 / df_a)

with Vpa's own share, of about as many degrees of freedom as there are votes, left out; the fewer
of df_p and df_a is the lower bound. Vp and Va enter the sum with Vpa at least, which is what they
are where clusters do not differ: people who come to the same share by luck are no better known
for it. The formula stands on the floors too. The exact rule there, that of the floor alone, was
tried: one vote more or less moves V onto the floor, the quantile jumps from 2.8 to 2.0, and p
across any line, in either direction. Now a vote more for A raises the p-value of a lead of A by a
factor of 2.5 at most (50 votes or more). The price is width where few annotators do not differ at
all: with five of them 98 % of intervals hold the truth.

Another rule was worse too: the excess Va - Vpa in place of Va goes down to 90.7 %. How well the
rule holds is measured in `make bench-stats`.

References. Satterthwaite (1946), Biometrics Bulletin 2:110-114; Bell and McCaffrey (2002), Survey
Methodology 28:169-181; Imbens and Kolesar (2016), Review of Economics and Statistics 98:701-712.
"""

from __future__ import annotations

import numpy as np

from .clustering import FloatArray, score_divisors


def one_way_df(size: FloatArray) -> float:
    """Bell and McCaffrey's degrees of freedom for clusters that hold this much; at least 1.

    `size` has one entry from 0 up per cluster; two or more must be above 0.

    >>> one_way_df(np.full(10, 4.0)), round(one_way_df(np.array([91.0] + [1.0] * 9)), 2)
    (9.0, 1.0)
    """
    held = np.sort(size[size > 0.0])[::-1]
    w = held / held.sum()
    divisor = score_divisors(held)
    m = w**2 / divisor
    s2 = float((w**2).sum())
    # (CC')_gh is s2 - w_g - w_h off the diagonal and c_g on it. The largest cluster, whose m may
    # be thousands, is summed by itself: in the closed form of the others little then cancels.
    first = (w[1:] ** 2).sum() - w[0] * (1.0 - w[0]) - w[1:]
    squared = (m[0] * divisor[0]) ** 2 + 2.0 * m[0] * float(m[1:] @ first**2)
    w, m, divisor = w[1:], m[1:], divisor[1:]
    m0, m1, m2 = float(m.sum()), float(m @ w), float(m @ w**2)
    squared += float((m**2) @ (divisor**2 - (s2 - 2.0 * w) ** 2))
    squared += s2**2 * m0**2 + 2.0 * m0 * m2 + 2.0 * m1**2 - 4.0 * s2 * m0 * m1
    return max(round(s2**2 / float(squared), 9), 1.0)


def two_way_df(
    variance: float, prompt: tuple[float, float], annotator: tuple[float, float]
) -> float:
    """Degrees of freedom of `variance` made of two clusterings' (V, df), as above.

    >>> two_way_df(3.0, (2.0, 199.0), (2.0, 4.0)) < two_way_df(2.2, (2.0, 199.0), (0.4, 4.0))
    True
    """
    spread = prompt[0] ** 2 / prompt[1] + annotator[0] ** 2 / annotator[1]
    return max(variance**2 / spread, min(prompt[1], annotator[1]))
