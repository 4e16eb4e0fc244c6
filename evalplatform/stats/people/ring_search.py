"""Finding the set of accounts that is most likely a ring, and how likely chance finds one.

A scan statistic (Arias-Castro and Verzelen 2014, Annals of Statistics 42:940-969): over sets S of
m of n accounts, the largest evidence(S) - log (n choose m). The same is done among the quarter,
the sixteenth ... of accounts that follow what others see least: a ring that answers by a rule of
its own is among these, and there are far fewer sets. The search is greedy from the pairs with most
evidence, then adds, drops and swaps accounts; what it does not find, it does not claim.

How far chance gets: by Markov's inequality a set of m accounts has evidence above x with a chance
of at most e^-x, so that e^-excess, times the number of scans and m (m - 1) for sizes, bounds the
p-value. Where that does not decide, votes are drawn anew by the honest model, with two camps of
like-minded people, and searched alike; largest values of many sets have Gumbel's distribution.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from ..inference.clustering import FloatArray
from ..votes.columns import IntColumn
from .honest_model import HonestModel
from .ring_evidence import pair_evidence, ring_evidence

_Table = npt.NDArray[np.float32]

_STARTS = 1500  # pairs of accounts the search begins with
_KEPT = 4  # sets that are improved
_MOVES = 30
_LARGEST_SHARE = 0.2  # of the accounts: more are no ring but how people are here
_MOST_MEMBERS = 40
_FEWEST_TO_SCAN = 8
_NARROWING = 4  # each scan looks at so many times fewer accounts
_NULLS = 12
_CLEAR = 1e-3  # p-values below need no simulation
_FAR = -1e9


def log_sets(n: int, m: IntColumn | int) -> FloatArray:
    """log (n choose m)."""
    found: FloatArray = (
        special.gammaln(n + 1.0) - special.gammaln(m + 1.0) - special.gammaln(n - m + 1.0)
    )
    return found


def likeliest_ring(
    model: HonestModel, kappa: float, free: np.ndarray
) -> tuple[float, IntColumn | None]:
    """The largest excess of evidence and its accounts, among the accounts that are `free`."""
    evidence = pair_evidence(model, kappa)
    order = np.argsort(model.following[: len(free)], kind="stable")
    order = order[free[order]]
    best: tuple[float, IntColumn | None] = (-np.inf, None)
    n = everybody = len(order)
    while n >= _FEWEST_TO_SCAN:
        part = order[:n]
        most = max(2, min(_MOST_MEMBERS, int(_LARGEST_SHARE * everybody), n - 1))
        for at in _scan(evidence[np.ix_(part, part)], most):
            members = np.sort(part[at])
            excess = ring_evidence(model, members, kappa) - float(log_sets(n, len(members)))
            if excess > best[0]:
                best = (excess, members)
        n //= _NARROWING
    return best


def chance_of(
    model: HonestModel, kappa: float, excess: float, m: int, rng: np.random.Generator
) -> float:
    """How often chance alone finds a set with at least this excess of evidence, m accounts."""
    n = model.answers.n_compared
    scans = 1 + int(np.log(max(n / _FEWEST_TO_SCAN, 1.0)) / np.log(_NARROWING))
    bound = float(scans * m * (m - 1) * np.exp(-min(excess, 700.0)))
    if excess < 0.0 or bound <= _CLEAR:
        return min(bound, 1.0)
    all_free = np.ones(model.answers.n_compared, dtype=np.bool_)
    found = np.array([
        likeliest_ring(model.with_labels(_drawn(model, kappa, rng)), kappa, all_free)[0]
        for _ in range(_NULLS)
    ])  # fmt: skip
    scale = max(1.0, float(found.std(ddof=1)) * np.sqrt(6.0) / np.pi)
    mode = float(found.mean()) - np.euler_gamma * scale
    return float(-np.expm1(-np.exp(-(excess - mode) / scale)))


def _scan(evidence: FloatArray, most: int) -> list[IntColumn]:
    """Up to two sets with high sums of pair evidence."""
    n = len(evidence)
    table = evidence.astype(np.float32)
    sets = sorted(_grown(table, most), key=lambda each: -each[0])[:_KEPT]
    improved = {}
    for _, members in sets:
        inside = np.zeros(n, dtype=np.bool_)
        inside[members] = True
        score = _improve(table, inside, most)
        improved[tuple(np.flatnonzero(inside))] = score
    best = sorted(improved, key=lambda each: -improved[each])[:2]
    return [np.array(each) for each in best]


def _grown(table: _Table, most: int) -> list[tuple[float, IntColumn]]:
    """Sets grown from pairs, the account with most evidence at a time: the best of each size."""
    n = len(table)
    i, j = np.triu_indices(n, 1)
    pair = table[i, j]
    starts = min(_STARTS, len(pair))
    first = np.argpartition(-pair, starts - 1)[:starts]
    members = np.stack([i[first], j[first]], axis=1)
    total = pair[first].copy()
    joining = table[members[:, 0]] + table[members[:, 1]]
    np.put_along_axis(joining, members, _FAR, axis=1)
    found, best = [], -np.inf
    for m in range(2, most + 1):
        at = int(total.argmax())
        score = float(total[at]) - float(log_sets(n, m))
        found.append((score, members[at].copy()))
        best = max(best, score)
        if m == most or (m > 4 and score < best - 15.0):
            break
        if m % 3 == 0 and len(total) > 100:  # the better half goes on
            half = np.argpartition(-total, len(total) // 2)[: len(total) // 2]
            joining, members, total = joining[half], members[half], total[half]
        rows, joins = np.arange(len(total)), joining.argmax(axis=1)
        total = total + joining[rows, joins]
        joining += table[joins]
        joining[rows, joins] = _FAR
        members = np.concatenate([members, joins[:, None]], axis=1)
    return found


def _improve(table: _Table, inside: np.ndarray, most: int) -> float:
    """Add, drop or swap one account while it raises the score; changes `inside`."""
    n, score = len(inside), -np.inf
    for _ in range(_MOVES):
        m, joining = int(inside.sum()), table[:, inside].sum(axis=1)
        total = float(joining[inside].sum()) / 2.0
        score = total - float(log_sets(n, m))
        members, rest = np.flatnonzero(inside), np.flatnonzero(~inside)
        rest = rest[np.argsort(-joining[rest])[:40]]
        leaves = int(members[joining[members].argmin()])
        swap = joining[rest][None, :] - table[np.ix_(members, rest)] - joining[members][:, None]
        add = total + float(joining[rest[0]]) - float(log_sets(n, m + 1)) if m < most else _FAR
        drop = total - float(joining[leaves]) - float(log_sets(n, m - 1)) if m > 2 else _FAR
        exchange = score + float(swap.max())
        best = max(add, drop, exchange)
        if best <= score + 1e-6:
            break
        if best == exchange:
            out, into = divmod(int(swap.argmax()), len(rest))
            inside[members[out]], inside[rest[into]] = False, True
        elif best == add:
            inside[rest[0]] = True
        else:
            inside[leaves] = False
    return score


def _drawn(model: HonestModel, kappa: float, rng: np.random.Generator) -> IntColumn:
    """Answers of honest people in two camps: one votes after another, see `honest_model`."""
    answers = model.answers
    n = len(answers)
    camp = (rng.random(answers.n_annotators) < 0.5).astype(np.int64)
    order = np.lexsort((rng.random(n), answers.item))
    item = answers.item[order]
    is_first = np.r_[True, item[1:] != item[:-1]]
    turn = np.arange(n) - np.maximum.accumulate(np.where(is_first, np.arange(n), 0))
    label = np.zeros(n, dtype=np.int64)
    given = np.zeros((2, *model.counts.shape))
    for each in range(int(turn.max()) + 1):
        votes = order[turn == each]
        at, side = answers.item[votes], camp[answers.who[votes]]
        chance = model.chances(votes, model.alpha[answers.kind[votes]] + given[:, at].sum(axis=0))
        mates = given[side, at]
        total = mates.sum(axis=1, keepdims=True)
        follows = (1.0 - kappa) * chance + kappa * mates / np.maximum(total, 1.0)
        chance = np.where(total > 0.0, follows, chance)
        level = rng.random(len(votes))[:, None] * chance.sum(axis=1, keepdims=True)
        last = chance.shape[1] - 1 - (chance[:, ::-1] > 0.0).argmax(axis=1)
        label[votes] = np.minimum((chance.cumsum(axis=1) < level).sum(axis=1), last)
        given[side, at, label[votes]] += 1.0
    return label
