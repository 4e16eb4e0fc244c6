"""Looking early without harm: a confidence sequence for the mean over prompts.

A 95 % interval read after every prompt until it leaves 0 will leave it sooner or later, whatever
the truth. A confidence sequence holds the truth at all times at once with 95 % chance, so one may
look, and stop, whenever one likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray, outcome_table
from ..inference.estimates import Estimate, State
from ..inference.intervals import check_level
from ..votes.columns import Votes, check_lengths
from ..votes.errors import ColumnTypeError, UnknownOptionError
from .rates import NET, win_rates

ASSUMES = (
    "Prompts are judged in random order and are a random sample of the prompts meant; the "
    "annotators are taken as given, so it does not speak of other annotators."
)
"""What `confidence_sequence` assumes, to be said where it is shown."""

FEWEST_TO_CLAIM = 10
"""Annotators without whom an early look claims nothing of other people."""

_STRICTER = 10.0  # how much smaller than that of the bounds the chance of error of the claim is
_GRID = 2001  # candidate means in [0, 1]
_BLOCK = 256  # prompts whose bets are multiplied at once
_LARGEST_BET = 0.5  # share of what can be lost on one prompt; the paper's c


@dataclass(frozen=True, kw_only=True, eq=False)
class ConfidenceSequence:
    """Bounds that hold at all times at once, see `confidence_sequence`.

    Attributes:
        value: mean over prompts now, in [-1, 1]; None before the first.
        low, high: bounds now.
        lows, highs: bounds after each prompt; they only ever narrow.
        n_prompts: prompts so far.
        level: chance that the truth lies within the bounds at every time.
        decided: whether the bounds leave 0 out: these annotators have a preference. Whether other
            people would is another question, see `early_look`.
        method, assumes: how, and under what.
        state, reason: NO_ANSWERS before the first prompt; UNSTABLE where no mean is left, a sign
            that prompts were not in random order. Bounds are then None.
    """

    value: float | None
    low: float | None
    high: float | None
    lows: FloatArray
    highs: FloatArray
    n_prompts: int
    level: float
    decided: bool
    method: str
    assumes: str
    state: State
    reason: str


def confidence_sequence(prompt_means: npt.ArrayLike, level: float = 0.95) -> ConfidenceSequence:
    """Bounds for the mean of values in [-1, 1] that may be looked at after every one.

    `prompt_means` holds one number per prompt, in the order the prompts were completed: the net
    (A less B, as a share of its votes) of each.

    Formula. Hedged betting. With x in [0, 1] (the value plus 1, halved), a candidate mean m is
    bet against in both directions, with stakes set before each prompt,

        K+ = prod (1 + min(b_t, c / m) (x_t - m)),  K- = prod (1 - min(b_t, c / (1 - m)) (x_t - m))
        b_t = sqrt(2 log(2 / alpha) / (s^2_(t-1) t log(1 + t))),  c = 1/2

    s^2 being the running variance, begun with one value of 1/4. Betting against the truth gains
    nothing on average, so max(K+, K-) / 2 ever reaching 1 / alpha has chance at most alpha. What
    has never reached it is left: the bounds, rounded outward to 0.001.

    How to read. Look as often as you like. It assumes `ASSUMES`: an annotator's habit that runs
    through all prompts is inside the mean, so where nobody's taste differs from nobody's it leaves
    0 in 5 % of campaigns, and in 60 % where five people of ordinary habits judge two checkpoints
    that people at large like equally. At a fixed end it is about 1.5 to 2 times as wide as an
    interval that may be looked at once.

    Reference. Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by
    betting, JRSS B 86:1-27, theorem 3 with the predictable plug-in stakes.

    >>> early = confidence_sequence([1.0, 0.6, 0.2, 0.6] * 10)
    >>> early.decided, round(early.value, 2), early.low > 0.3, round(early.high, 3)
    (True, 0.6, True, 0.741)
    """
    check_level(level)
    values = _bounded(prompt_means)
    if not len(values):
        reason = "No prompt has all its votes yet."
        return _sequence(values, np.zeros(0), np.zeros(0), level, State.NO_ANSWERS, reason)
    lows, highs = _bounds((values + 1.0) / 2.0, 1.0 - level)
    if np.isnan(lows[-1]):
        reason = "No mean is compatible with all prompts so far: their order was not random."
        return _sequence(values, lows, highs, level, State.UNSTABLE, reason)
    return _sequence(values, lows, highs, level, State.DEFINED, "")


@dataclass(frozen=True, kw_only=True)
class EarlyLook:
    """What may be said of a campaign while its votes still come in, see `early_look`.

    Attributes:
        sequence: bounds for what these annotators prefer, by the prompts completed so far.
        net: win - lose of all votes so far with its interval for other people, at the level of the
            claim; of grades the difference of the means. None before the first completed prompt.
        is_claim: whether a preference may be claimed now, and voting stopped.
        reason: why not, in words; empty with a claim.
    """

    sequence: ConfidenceSequence
    net: Estimate | None
    is_claim: bool
    reason: str


def early_look(
    votes: Votes, votes_per_prompt: int | npt.ArrayLike, level: float = 0.95
) -> EarlyLook:
    """Look at a campaign before its end, as often as one likes, without claiming too much.

    `votes` are in the order cast; `votes_per_prompt` is what a complete prompt has: one number, or
    for each vote that of its prompt where prompts differ.

    Rule. A preference is claimed where two things agree: the confidence sequence leaves 0 out (it
    may be looked at always, but takes the annotators as given), and so does the interval of net
    for other people, at a tenth of the chance of error (99.5 % beside 95 %: it is looked at often,
    though people, who change little between looks, are what it mostly speaks of). Fewer than
    `FEWEST_TO_CLAIM` annotators claim nothing. Where people at large have no preference, at most 5
    % of campaigns come to a claim at any of 30 looks (`make bench-stats`: five to a hundred
    people, of ordinary and of strong habits).

    >>> votes = Votes([0, 2] * 20, [p for p in range(20) for _ in "ab"], [1, 2] * 20,
    ...               [p for p in range(20) for _ in "ab"])
    >>> look = early_look(votes, 2)
    >>> look.is_claim, look.reason
    (False, 'the bounds for these annotators hold 0')
    """
    sequence = confidence_sequence(completed_prompt_means(votes, votes_per_prompt), level)
    return look_of(sequence, level, lambda stricter: win_rates(votes, stricter).net)


def look_of(
    sequence: ConfidenceSequence,
    level: float,
    for_others: Callable[[float], Estimate],
    what: str = "net",
) -> EarlyLook:
    """The look by `early_look`'s rule; `for_others` estimates, at a level, for other people."""
    if not sequence.n_prompts:
        return EarlyLook(sequence=sequence, net=None, is_claim=False, reason=sequence.reason)
    net = for_others(1.0 - (1.0 - level) / _STRICTER)
    reason = _why_no_claim(sequence, net, what)
    return EarlyLook(sequence=sequence, net=net, is_claim=not reason, reason=reason)


def _why_no_claim(sequence: ConfidenceSequence, net: Estimate, what: str) -> str:
    if not sequence.decided:
        return "the bounds for these annotators hold 0"
    if net.n_annotators < FEWEST_TO_CLAIM:
        people = "one person" if net.n_annotators == 1 else f"{net.n_annotators} people"
        return f"{people} judged so far; to claim it of others {FEWEST_TO_CLAIM} are needed"
    if net.low is None or net.high is None or net.low <= 0.0 <= net.high:
        return f"whether others agree is open: at {100 * net.level:.4g} % the {what} may still be 0"
    return ""


def completed_prompt_means(votes: Votes, votes_per_prompt: int | npt.ArrayLike) -> FloatArray:
    """The net of each prompt that has all its votes, in the order the last of them came.

    `votes` are in the order cast; a prompt is complete with `votes_per_prompt` votes or more: one
    number, or for each vote that of its prompt.

    >>> votes = Votes([0, 2, 0, 0, 1], [7, 8, 8, 7, 9], [1, 1, 2, 2, 1], [7, 8, 8, 7, 9])
    >>> completed_prompt_means(votes, 2).tolist()
    [0.0, 1.0]
    >>> completed_prompt_means(votes, [2, 3, 3, 2, 1]).tolist()
    [1.0, 0.0]
    """
    wanted = np.asarray(votes_per_prompt)
    if wanted.ndim:
        check_lengths(votes=votes.outcome, votes_per_prompt=wanted)
    if (wanted < 1).any():
        raise UnknownOptionError(f"votes_per_prompt is {wanted.min()}; give 1 or more.")
    table = outcome_table(votes.by_prompt, votes.outcome)
    count = table.sum(axis=1)
    last = np.zeros(len(table), dtype=np.int64)
    last[votes.by_prompt.codes] = np.arange(len(votes))  # the last write stays
    if wanted.ndim:
        wanted = wanted[last]  # the same for all votes of a prompt
    complete = np.flatnonzero(count >= wanted)
    in_order = complete[np.argsort(last[complete])]
    means: FloatArray = (table @ np.array(NET.value))[in_order] / count[in_order]
    return means


def _bounds(x: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Bounds in [-1, 1] after each x in [0, 1]; NaN once no candidate is left."""
    bets = _bets(x, alpha)
    grid = np.linspace(0.0, 1.0, _GRID)
    with np.errstate(divide="ignore"):
        most_up, most_down = _LARGEST_BET / grid, _LARGEST_BET / (1.0 - grid)
    up, down = np.zeros(_GRID), np.zeros(_GRID)
    limit = log(2.0 / alpha)
    left = np.ones(_GRID, dtype=np.bool_)
    lows, highs = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for start in range(0, len(x), _BLOCK):
        part, bet = x[start : start + _BLOCK, None], bets[start : start + _BLOCK, None]
        ups = up + np.cumsum(np.log1p(np.minimum(bet, most_up) * (part - grid)), axis=0)
        downs = down + np.cumsum(np.log1p(-np.minimum(bet, most_down) * (part - grid)), axis=0)
        lost = np.logical_or.accumulate(np.maximum(ups, downs) >= limit, axis=0) | ~left
        up, down, left = ups[-1], downs[-1], ~lost[-1]
        any_left = ~lost.all(axis=1)
        rows = np.arange(start, start + len(part))[any_left]
        first = (~lost).argmax(axis=1)[any_left]
        last = _GRID - 1 - (~lost)[:, ::-1].argmax(axis=1)[any_left]
        # The truth lies between two candidates, so one step further out is kept.
        lows[rows] = 2.0 * grid[np.maximum(first - 1, 0)] - 1.0
        highs[rows] = 2.0 * grid[np.minimum(last + 1, _GRID - 1)] - 1.0
    return lows, highs


def _bets(x: FloatArray, alpha: float) -> FloatArray:
    """The stake on each value, from the values before it."""
    t = np.arange(1, len(x) + 1, dtype=np.float64)
    mean = (0.5 + np.cumsum(x)) / (t + 1.0)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1.0)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: FloatArray = np.sqrt(2.0 * log(2.0 / alpha) / (before * t * np.log1p(t)))
    return bets


def _bounded(prompt_means: npt.ArrayLike) -> FloatArray:
    values = np.asarray(prompt_means, dtype=np.float64)
    if values.ndim != 1:
        raise ColumnTypeError(f"prompt_means has {values.ndim} dimensions; give one per prompt.")
    wrong = np.flatnonzero(~(np.abs(values) <= 1.0))
    if len(wrong):
        raise ColumnTypeError(
            f"prompt_means[{wrong[0]}] is {values[wrong[0]]}; the net of a prompt lies in [-1, 1]."
        )
    return values


def _sequence(
    values: FloatArray, lows: FloatArray, highs: FloatArray, level: float, state: State, reason: str
) -> ConfidenceSequence:
    defined = state is State.DEFINED
    low, high = (float(lows[-1]), float(highs[-1])) if defined else (None, None)
    return ConfidenceSequence(
        value=float(values.mean()) if len(values) else None,
        low=low,
        high=high,
        lows=lows,
        highs=highs,
        n_prompts=len(values),
        level=level,
        decided=low is not None and high is not None and (low > 0.0 or high < 0.0),
        method="betting confidence sequence on the means of completed prompts",
        assumes=ASSUMES,
        state=state,
        reason=reason,
    )
