"""Accounts that favour one arm far beyond what people here do, whatever the images.

Of an annotator j and an arm a: how often their answer favours a (its image is the best of the set;
where images are graded alone, its grade is in the upper half), where the others' answers to the
same items and j's own ways let expect p of vote i. The *favour* b multiplies the odds of each p by
e^b; its maximum-likelihood value is taken for everybody, and the null hypothesis is that

    b <= b0 = median + max(1, 2.5 s)

s is the spread of favours in the middle 80 % of annotators less what noise makes of it. People
differ in taste, and two camps at +/- c give b0 of about 2 c: a taste that many share, or up to
2.7 times the usual odds, is none of a ring's. p-values are exact up to `saddlepoint`, adjusted
over all annotators and arms (Benjamini and Hochberg 1995, JRSS B 57:289-300).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.multiplicity import benjamini_hochberg
from ..votes.chunking import row_sums
from ..votes.columns import IntColumn
from .honest_model import Answers, HonestModel
from .leave_one_out import sums_by
from .saddlepoint import upper_tails

_FEWEST_VOTES = 10  # on one arm
_LEAST_FAVOUR = 1.0
_SPREADS = 2.5
_MIDDLE, _MIDDLE_NORMAL = 0.8, 1.2816  # of |b|, and what it is of a standard normal
_FAVOUR_SD = 2.0  # keeps the favour of who answered always alike finite


@dataclass(frozen=True, eq=False)
class Favours:
    """One row for each account and arm with enough votes.

    Attributes:
        who, arm: codes.
        votes, favoured, expected: on sets with this arm; by the others' answers alone.
        p_value: adjusted for all rows.
    """

    who: IntColumn
    arm: IntColumn
    votes: IntColumn
    favoured: FloatArray
    expected: FloatArray
    p_value: FloatArray


def arm_favours(model: HonestModel, n_arms: int) -> Favours:
    """Test every account that is compared on every arm it judged."""
    who, arm, hit, chance = _events(model)
    cell = who * n_arms + arm
    votes = np.bincount(cell, minlength=model.answers.n_annotators * n_arms)
    tested = np.flatnonzero(votes >= _FEWEST_VOTES)
    tested = tested[tested // n_arms < model.answers.n_compared]
    place = np.full(len(votes), -1)
    place[tested] = np.arange(len(tested))
    kept = place[cell] >= 0
    group, hit, chance = place[cell[kept]], hit[kept], chance[kept]
    favour, error = _favours(group, hit, chance, len(tested))
    limit = _limits(favour, error, tested % n_arms, n_arms)
    odds = chance / (1.0 - chance) * np.exp(limit[group])
    tilted = odds / (1.0 + odds)
    reached = sums_by(group, hit, len(tested))
    p_value = upper_tails(
        group,
        np.stack([1.0 - tilted, tilted], axis=1),
        np.tile([0.0, 1.0], (len(group), 1)),
        reached,
        step=1.0,
    )
    return Favours(
        who=tested // n_arms,
        arm=tested % n_arms,
        votes=votes[tested],
        favoured=reached,
        expected=sums_by(group, chance, len(tested)),
        p_value=benjamini_hochberg(p_value),
    )


def _events(model: HonestModel) -> tuple[IntColumn, IntColumn, FloatArray, FloatArray]:
    """Who, arm, whether the answer favours it and the probability of that, one per vote and arm."""
    answers = model.answers
    usual = np.where(answers.meaning >= 0, model.share[answers.kind], 0.0)
    plural = np.flatnonzero(~answers.single)
    # How often somebody says "none" is theirs; how often they favour an arm is what is asked.
    habit = np.where(answers.arm[plural] >= 0, usual[plural], model.habit[plural])
    chance = _chances(model, plural, habit)
    vote, label = np.nonzero(answers.arm[plural] >= 0)
    parts = [(
        answers.who[plural][vote],
        answers.arm[plural][vote, label],
        (answers.label[plural][vote] == label).astype(np.float64),
        chance[vote, label],
    )]  # fmt: skip
    single = np.flatnonzero(answers.single)
    if len(single):
        chance = _chances(model, single, usual[single] * _rates_elsewhere(model, single))
        upper = _upper_half(answers, single)
        parts.append((
            answers.who[single],
            answers.arm[single, 0],
            upper[np.arange(len(single)), answers.label[single]].astype(np.float64),
            row_sums(chance * upper),
        ))  # fmt: skip
    who, arm, hit, chances = (np.concatenate(each) for each in zip(*parts, strict=True))
    return who, arm, hit, np.clip(chances, 1e-6, 1.0 - 1e-6)


def _chances(model: HonestModel, vote: IntColumn, habit: FloatArray) -> FloatArray:
    kind = model.answers.kind[vote]
    ratio = model.seen(vote) / model.share[kind]
    weight = ratio ** model.following[model.answers.who[vote]][:, None] * habit
    chance: FloatArray = weight / row_sums(weight)[:, None]
    return chance


def _rates_elsewhere(model: HonestModel, single: IntColumn) -> FloatArray:
    """How lenient each account is with other arms than the one a vote grades."""
    answers = model.answers
    who, arm, m = answers.who[single], answers.arm[single, 0], answers.n_labels
    everywhere = np.bincount(who * m + answers.label[single], minlength=answers.n_annotators * m)
    n_arms = int(arm.max()) + 1
    here = np.bincount((who * n_arms + arm) * m + answers.label[single],
                       minlength=answers.n_annotators * n_arms * m)  # fmt: skip
    given = everywhere.reshape(-1, m)[who] - here.reshape(-1, m)[who * n_arms + arm]
    share = np.where(answers.meaning[single] >= 0, model.share[answers.kind[single]], 0.0)
    expected = row_sums(given)[:, None] * share
    rates: FloatArray = (given + 10.0 * share + 1e-9) / (expected + 10.0 * share + 1e-9)
    return rates


def _upper_half(answers: Answers, single: IntColumn) -> np.ndarray:
    """Votes x labels: the grades which at most half of the answers of the kind reach."""
    upper = np.zeros((len(single), answers.n_labels), dtype=np.bool_)
    for kind in np.unique(answers.kind[single]).tolist():
        rows = answers.kind[single] == kind
        shares = np.bincount(answers.label[single][rows], minlength=answers.n_labels) / rows.sum()
        reach = shares[::-1].cumsum()[::-1]
        low = int(np.flatnonzero(reach <= 0.5)[0]) if (reach <= 0.5).any() else len(reach) - 1
        upper[rows, low:] = True
    return upper


def _favours(
    group: IntColumn, hit: FloatArray, chance: FloatArray, n: int
) -> tuple[FloatArray, FloatArray]:
    """b of each row and its standard error, by Newton steps."""
    favour, prior = np.zeros(n), 1.0 / _FAVOUR_SD**2
    odds = chance / (1.0 - chance)
    for _ in range(25):
        tilted = odds * np.exp(favour[group])
        tilted /= 1.0 + tilted
        down = np.bincount(group, tilted * (1.0 - tilted), n) + prior
        step = (np.bincount(group, hit - tilted, n) - favour * prior) / down
        favour = np.clip(favour + np.clip(step, -1.0, 1.0), -8.0, 8.0)
    return favour, 1.0 / np.sqrt(down)


def _limits(favour: FloatArray, error: FloatArray, arm: IntColumn, n_arms: int) -> FloatArray:
    """b0 of each row."""
    limit = np.zeros(len(favour))
    for each in range(n_arms):
        rows = arm == each
        if not rows.any():
            continue
        centre = float(np.median(favour[rows]))
        middle = float(np.quantile(np.abs(favour[rows] - centre), _MIDDLE)) / _MIDDLE_NORMAL
        spread = np.sqrt(max(middle**2 - float(np.median(error[rows] ** 2)), 0.0))
        limit[rows] = centre + max(_LEAST_FAVOUR, _SPREADS * spread)
    return limit
