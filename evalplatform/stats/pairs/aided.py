"""People + reward: votes on a part of the prompts, what a reward predicts on all of them.

People's votes alone say what is true; a reward that follows them says how far the prompts that
have votes happen to lie from all the others. Naming: `f` is what the reward predicts of a prompt,
a number that is larger the more it favours A, on any scale; a win is a win of A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray, Ratio
from ..inference.estimates import Basis, Estimate, State, without_interval
from ..inference.intervals import check_level
from ..inference.plain import plain
from ..votes.columns import IntColumn, Votes, check_lengths, integers
from ..votes.errors import ColumnTypeError, RowsError, UnknownOptionError
from .aided_variance import AidedMean, aided_estimate
from .rates import LOSE, NET, TIE, WIN, WinRates, half_of, win_rates

FEWEST_PROMPTS = 10
"""With votes, and as many without: below, how the reward goes with votes is hardly known."""


@dataclass(frozen=True, kw_only=True)
class AidedShare:
    """A share from votes and a reward, see `aided_rates`.

    Attributes:
        estimate: from both, with its interval.
        alone: from the votes alone, as `win_rates` gives it.
        tuning: lambda, the part of the reward's difference that is taken: its mean over prompts,
            in the share's unit by the reward's. 0 where the reward is of no use.
    """

    estimate: Estimate
    alone: Estimate
    tuning: float | None = None

    @property
    def votes_worth(self) -> float | None:
        """Variance alone over variance with the reward: 2 means as sure as twice the prompts."""
        if not self.estimate.se or not self.alone.se:
            return None
        return (self.alone.se / self.estimate.se) ** 2


@dataclass(frozen=True, kw_only=True)
class AidedRates:
    """Shares seen from A, by people's votes and a reward, see `aided_rates`.

    Attributes:
        win, tie, lose, net, half: as in `WinRates`.
        n_prompts, n_voted: prompts that the reward scored, and those of them with a vote.
        apart: how many standard errors the mean f of prompts with votes lies from that of the
            others. Beyond 3 the prompts with votes are hardly a draw from all.
        state, reason: why there is no estimate from both, if so.
    """

    win: AidedShare
    tie: AidedShare
    lose: AidedShare
    net: AidedShare
    half: AidedShare
    n_prompts: int
    n_voted: int
    apart: float | None = None
    state: State = State.DEFINED
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries for JSON, under the names of the fields."""
        made: dict[str, Any] = plain(self)
        for name in ("win", "tie", "lose", "net", "half"):
            made[name]["votes_worth"] = getattr(self, name).votes_worth
        return made


def aided_rates(
    votes: Votes,
    *,
    prompt: npt.ArrayLike,
    predicted: npt.ArrayLike,
    level: float = 0.95,
    tuning: float | None = None,
) -> AidedRates:
    """Estimate win, tie, lose, net and half of all prompts, most of which nobody judged.

    `prompt` (N,) are ids as in `votes`, each once; `predicted` (N,) what the reward says of each,
    any finite number, larger in favour of A: of the whole only what follows the votes is used.

    Formula (prediction-powered inference). With y = 1, 0, -1 (of a share 1, 0), n votes on the
    prompts L, and the rest R of the prompts without votes,

        estimate = (1 / n) sum over votes of (y - lambda_p (f_p - mean of f over R))

    so the votes' mean is moved by as much as the reward says that the prompts with votes differ
    from the others. Whatever the reward does, good or biased, what is estimated is what people
    say: its mean is subtracted on one side and added on the other. lambda minimises the variance,

        lambda = sum_g s_g(y) s_g(f) / (sum_g s_g(f)^2 + var(f) / |R|)

    with s_g a prompt's score (see `clustering`), for each prompt from all *other* prompts
    (lambda_p), so a reward does not pass for useful by chance: with one that tells nothing it is
    0 but for noise. It may be negative: a reward that is upside down tells as much.

    The variance is that of the votes' residuals, two-way clustered by prompt and annotator, plus
    lambda^2 var(f) / |R|; steadied, and with the intervals, of `win_rates`, whose result it is at
    lambda = 0. `tuning` fixes lambda for all prompts (1: plain prediction-powered
    inference).

    How to read. "If other people judged other prompts of these kinds": the same question as
    `win_rates`, answered with a narrower interval where the reward orders prompts as people do.
    What people differ in, and the luck of a single vote, no reward mends. The prompts with votes
    must be a draw from all (not the easy ones, not those the reward was unsure of), and the reward
    must not have learned from these votes: it then knows their luck, and the interval is too
    narrow.

    References. Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), Prediction-powered
    inference, Science 382:669-674; Angelopoulos, Duchi and Zrnic (2023), PPI++, arXiv:2311.01453,
    for lambda (there clipped to [0, 1], since f is on y's scale); Wu and Gagnon-Bartsch (2018),
    Evaluation Review 42:458-488, for leaving one out; Cameron, Gelbach and Miller (2011), JBES
    29:238-249.

    >>> prompts = np.arange(60)
    >>> people = Votes(np.where(prompts[:20] % 4 < 3, 0, 2), prompts[:20], prompts[:20] % 5,
    ...                prompts[:20])
    >>> told = aided_rates(people, prompt=prompts, predicted=np.where(prompts % 4 < 3, 1.0, -1.0))
    >>> told.n_prompts, told.n_voted, round(told.net.estimate.value, 3), round(told.net.tuning, 2)
    (60, 20, 0.487, 0.67)
    """
    check_level(level)
    if tuning is not None and not np.isfinite(tuning):
        raise UnknownOptionError(f"tuning is {tuning}; give a finite number, or None to tune it.")
    ids, f = _checked(prompt, predicted)
    place = _places(votes.prompt, ids)
    voted = np.zeros(len(ids), dtype=np.bool_)
    voted[place] = True
    rates = win_rates(votes, level)
    state, reason = _state_of(f, voted, rates)
    if state is not State.DEFINED:
        return _without(rates, state, reason, voted)
    mean = AidedMean.of(votes, f[place], f[~voted], tuning)
    net = _share(NET, rates.net, mean)
    return AidedRates(
        win=_share(WIN, rates.win, mean),
        tie=_share(TIE, rates.tie, mean),
        lose=_share(LOSE, rates.lose, mean),
        net=net,
        half=_half(net, rates.half),
        n_prompts=len(ids),
        n_voted=int(voted.sum()),
        apart=_apart(f, voted),
    )


def _share(ratio: Ratio, alone: Estimate, mean: AidedMean) -> AidedShare:
    estimate, tuning = aided_estimate(ratio, alone, mean)
    return AidedShare(estimate=estimate, alone=alone, tuning=tuning)


def _half(net: AidedShare, alone: Estimate) -> AidedShare:
    tuning = None if net.tuning is None else net.tuning / 2.0
    return AidedShare(estimate=half_of(net.estimate), alone=alone, tuning=tuning)


def _checked(prompt: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[IntColumn, FloatArray]:
    """Ids in ascending order with what is predicted of each."""
    ids = integers("prompt", prompt).astype(np.int64)
    f = np.asarray(predicted)
    if f.ndim != 1 or f.dtype.kind not in "fiu":
        raise ColumnTypeError(
            f"predicted has {f.ndim} dimensions of {f.dtype}; give a column of numbers."
        )
    check_lengths(prompt=ids, predicted=f)
    wrong = np.flatnonzero(~np.isfinite(f))
    if len(wrong):
        raise RowsError("predicted is not finite", wrong, "Leave out what cannot be scored.")
    order = np.argsort(ids, kind="stable")
    twice = order[1:][np.diff(ids[order]) == 0]
    if len(twice):
        raise RowsError("prompt is there twice", twice, "Give one number a prompt.")
    return ids[order], f[order].astype(np.float64)


def _places(prompt: IntColumn, ids: IntColumn) -> IntColumn:
    """Where the prompt of each vote stands in `ids`."""
    place = np.minimum(np.searchsorted(ids, prompt), max(len(ids) - 1, 0))
    wrong = np.flatnonzero(ids[place] != prompt) if len(ids) else np.arange(len(prompt))
    if len(wrong):
        raise RowsError(
            "Votes are on prompts of which nothing is predicted",
            wrong,
            "Score these prompts too, or leave their votes out.",
        )
    return place


def _state_of(f: FloatArray, voted: npt.NDArray[np.bool_], rates: WinRates) -> tuple[State, str]:
    if not rates.net.has_interval:
        return rates.net.state, rates.net.reason
    n_voted, n_rest = int(voted.sum()), int((~voted).sum())
    if not n_rest:
        reason = "Every prompt has votes, so a reward has nothing to add."
        return State.NOTHING_TO_ADD, reason
    if min(n_voted, n_rest) < FEWEST_PROMPTS:
        reason = (
            f"{n_voted} prompts have votes and {n_rest} have none; "
            f"with fewer than {FEWEST_PROMPTS} of either nothing can be made of a reward."
        )
        return State.FEW_PROMPTS, reason
    if np.ptp(f[voted]) == 0.0:
        return State.NO_VARIATION, "The reward is the same for every prompt with votes."
    return State.DEFINED, ""


def _without(
    rates: WinRates, state: State, reason: str, voted: npt.NDArray[np.bool_]
) -> AidedRates:
    def share(alone: Estimate) -> AidedShare:
        basis = Basis(
            n_votes=alone.n_votes,
            n_prompts=alone.n_prompts,
            n_annotators=alone.n_annotators,
            estimand=alone.estimand,
            level=alone.level,
        )
        return AidedShare(estimate=without_interval(None, state, reason, basis), alone=alone)

    return AidedRates(
        win=share(rates.win),
        tie=share(rates.tie),
        lose=share(rates.lose),
        net=share(rates.net),
        half=share(rates.half),
        state=state,
        reason=reason,
        n_prompts=len(voted),
        n_voted=int(voted.sum()),
    )


def _apart(f: FloatArray, voted: npt.NDArray[np.bool_]) -> float:
    one, other = f[voted], f[~voted]
    error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    return float((one.mean() - other.mean()) / error)
