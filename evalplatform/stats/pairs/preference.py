"""Is there any preference at all? Tests of "A and B are equally liked"."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from ..inference.estimates import Estimate, State
from ..votes.columns import Votes
from .rates import Tally, win_rates

_AS_IF = "exact sign test on decided votes, as if votes were independent"


@dataclass(frozen=True)
class ExactSignTest:
    """Binomial test of win = 1/2 among decided votes; `label` must travel with the p-value."""

    p_value: float | None
    n_win: int
    n_decided: int
    label: str
    state: State
    reason: str


@dataclass(frozen=True)
class SignTest:
    """Two tests of no preference, see `sign_test`.

    Attributes:
        net: win - lose with its two-way interval; the t test is about this number.
        t, df, p_value: the two-way clustered t test of net = 0, two-sided; None if undefined.
        exact: the test peers report, for comparison only.
        state, reason: why the t test has no value, if so.
    """

    net: Estimate
    t: float | None
    df: float | None
    p_value: float | None
    exact: ExactSignTest
    state: State
    reason: str


def sign_test(votes: Votes, level: float = 0.95) -> SignTest:
    """Test that A wins as often as B, with and without regard to shared prompts and people.

    Formula. t = net / se with the standard error that `win_rates` gives a net of 0 in votes that
    share prompts and annotators, and its degrees of freedom; ties count as 0. Exact: two-sided
    binomial test of wins among decided votes.

    How to read. `p_value` is the one to report. `exact.p_value` takes every vote as independent
    and is far too small when votes share annotators or prompts; it is there because other
    evaluations report it, and its `label` says so.

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Dixon and Mood (1946), JASA
    41:557-566 for the sign test.

    >>> votes = Votes(outcome=[0, 0, 0, 1, 0, 2, 0, 0, 2], prompt=[1, 1, 1, 2, 2, 2, 3, 3, 3],
    ...               annotator=[1, 2, 3] * 3, item=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    >>> test = sign_test(votes)
    >>> test.exact.n_win, test.exact.n_decided, round(test.exact.p_value, 3), test.df
    (6, 8, 0.289, 2.0)
    """
    rates = win_rates(votes, level)
    net, exact = rates.net, exact_sign_test(rates.tally)
    return SignTest(net, net.t, net.df, net.p_value, exact, net.state, net.reason)


def exact_sign_test(counts: Tally) -> ExactSignTest:
    """Two-sided binomial test of win = 1/2 among decided votes taken as independent.

    >>> exact_sign_test(Tally(win=9, tie=4, lose=1)).p_value
    0.021484375
    """
    n_decided = counts.win + counts.lose
    if n_decided == 0:
        state, reason = State.NO_DECIDED_VOTES, "Every vote is a tie."
        return ExactSignTest(None, 0, 0, _AS_IF, state, reason)
    fewer = min(counts.win, counts.lose)
    p_value = min(1.0, 2.0 * float(special.bdtr(fewer, n_decided, 0.5)))
    return ExactSignTest(p_value, counts.win, n_decided, _AS_IF, State.DEFINED, "")
