"""How often one person sides with the others about the same images: the human ceiling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray, cluster_sums, outcome_table
from ..inference.effective_votes import Clustering, Differing, EffectiveVotes, crossed
from ..inference.estimates import Basis, Estimate, estimate_of
from ..inference.plain import plain
from ..votes.columns import IntColumn, Votes, check_lengths, group
from ..votes.errors import RowsError
from ..votes.graded import GradedVotes
from ..votes.pairs import PairVotes
from .rates import NET, half_of, share_of, win_rates

_WITH, _UNDECIDED, _AGAINST = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class OneAgainstRest:
    """One person against the rest, see `one_against_rest`.

    Attributes:
        agreement: the share of judgements that side with the majority of the others, a tie counting
            half; in [0, 1], .5 is chance. None where the others never lean to one side.
        tie_share: the share of pairs of images inside a vote that it ties.
        n_pairs: judgements of two images, of all votes.
        n_compared: of these, those about which the others lean to one side.
    """

    agreement: Estimate | None
    tie_share: Estimate
    n_pairs: int
    n_compared: int

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries for JSON, under the names of the fields."""
        made: dict[str, Any] = plain(self)
        return made


def one_against_rest(graded: GradedVotes, level: float = 0.95) -> OneAgainstRest | None:
    """Compare every judgement of two images with what the other people say of the same two.

    Formula. A vote on n images holds n (n - 1) / 2 judgements. Of the others' votes on the same
    item, more put image i before j than j before i, or it is not compared. A judgement for the same
    image counts 1, a tie 1/2, one for the other image 0. The mean, and the share of ties, have the
    intervals of `win_rates`, clustered by prompt and annotator; all judgements of a vote share
    both. A person enters the mean twice, by their own judgements and as one of the others: their
    score is what the mean would lose without them, the majorities of all others made anew (a
    jackknife of people). Own judgements alone gave intervals that held 87 % where
    people rank by strong habits of their own. None where every vote has one image.

    How to read. Nobody can predict a person better than that person's fellows do, so an automatic
    judge is read beside this figure: one that reaches it agrees with the majority as often as a
    person does. It is lower with few others, whose majority is itself a matter of chance.

    Published so beside reward models: ImageReward (Xu et al. 2023) and HPS v2 (Wu et al. 2023)
    print what a person reaches on the same pairs. The score of a person as what the result loses
    without them: Efron and Stein (1981), Annals of Statistics 9:586-596.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 0, 0], prompt=[0, 0, 0], annotator=[0, 1, 2],
    ...                      arm=[[0, 1]] * 3, grade=[[1, 0], [1, 0], [0, 1]])
    >>> found = one_against_rest(votes)  # the first two see one with, one against: no majority
    >>> found.n_pairs, found.n_compared, found.agreement.value, found.tie_share.value
    (3, 1, 0.0, 0.0)
    """
    pairs = graded.pairs()
    if pairs is None:
        return None
    said = Said.of(pairs, graded.item[pairs.vote].astype(np.int64))
    known = np.flatnonzero(said.lean)
    tied = np.where(pairs.outcome == _UNDECIDED, _WITH, _AGAINST)
    return OneAgainstRest(
        agreement=_agreement(pairs, said, known, level) if len(known) else None,
        tie_share=share_of(_votes(pairs, tied, np.arange(len(pairs))), level),
        n_pairs=len(pairs),
        n_compared=len(known),
    )


@dataclass(frozen=True, eq=False)
class Said:
    """What each row of `PairVotes` says, and what the others say of the same two images.

    Attributes:
        sign: (rows,) 1, 0, -1: for the image of the lower arm, a tie, for the other.
        counts: (rows, 3) votes of everybody on the same two images that say -1, 0 and 1.
        lean: (rows,) 1, 0, -1: to where the others lean, most votes first.
    """

    sign: IntColumn
    counts: IntColumn
    lean: IntColumn

    @classmethod
    def of(cls, pairs: PairVotes, item: IntColumn) -> Said:
        first, second = pairs.first.astype(np.int64), pairs.second.astype(np.int64)
        sign = np.where(first > second, -1, 1) * (1 - pairs.outcome.astype(np.int64))
        low, high = np.minimum(first, second), np.maximum(first, second)
        pair = (item * pairs.n_arms + low) * pairs.n_arms + high
        cells, cell = np.unique(pair, return_inverse=True)
        counts = np.bincount(cell * 3 + sign + 1, minlength=3 * len(cells)).reshape(-1, 3)[cell]
        return cls(sign, counts, np.sign(counts[:, 2] - counts[:, 0] - sign))

    def taken_away(self, judge: IntColumn | None = None) -> tuple[IntColumn, IntColumn]:
        """How much the sum of agreements (1, 0, -1) and how many are compared fall without a row.

        With the row goes its own agreement, and what it did to the majorities that the others are
        held against. `judge` (rows,) is what a judge says in place of each row's person.
        """
        balance = self.counts[:, 2] - self.counts[:, 0]
        credit = (self.sign if judge is None else judge) * self.lean
        compared = np.abs(self.lean)
        for sign in (-1, 0, 1):
            others = self.counts[:, sign + 1] - (self.sign == sign)
            before, after = np.sign(balance - sign), np.sign(balance - sign - self.sign)
            credit = credit + others * (sign if judge is None else judge) * (before - after)
            compared = compared + others * (np.abs(before) - np.abs(after))
        return credit, compared


def judge_against_rest(
    graded: GradedVotes, scores: npt.ArrayLike, level: float = 0.95
) -> Estimate | None:
    """How often a judge sides with the same majorities as `one_against_rest`, a tie half.

    `scores` (E,) are the judge's of each image of each vote, in the order of `graded.arm`: any
    finite numbers, larger is better. For each judgement that is compared the judge stands in for
    its person, so that both shares are of the same cases. None where the others never lean.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 0, 1, 1], prompt=[0, 0, 1, 1], annotator=[0, 1, 0, 1],
    ...                      arm=[[0, 1]] * 4, grade=[[1, 0], [1, 0], [1, 0], [0, 1]])
    >>> judge_against_rest(votes, [0.7, 0.2, 0.7, 0.2, 0.1, 0.4, 0.1, 0.4]).value
    0.75
    """
    told = np.asarray(scores, dtype=np.float64)
    check_lengths(images=graded.arm, scores=told)
    wrong = np.flatnonzero(~np.isfinite(told))
    if len(wrong):
        raise RowsError("scores are not finite", wrong, "Leave out what cannot be scored.")
    order = np.unique(told, return_inverse=True)[1].astype(np.int64)
    pairs, judged = graded.pairs(), replace(graded, grade=order).pairs()
    if pairs is None or judged is None:
        return None
    item = graded.item[pairs.vote].astype(np.int64)
    said = Said.of(pairs, item)
    known = np.flatnonzero(said.lean)
    return _agreement(pairs, said, known, level, Said.of(judged, item).sign) if len(known) else None


def _agreement(
    pairs: PairVotes, said: Said, known: IntColumn, level: float, judge: IntColumn | None = None
) -> Estimate:
    """The mean agreement, with what people do to each other's majorities in its variance."""
    sign = said.sign if judge is None else judge
    votes = _votes(pairs, 1 - sign[known] * said.lean[known], known)
    alone = win_rates(votes, level).half
    if not alone.has_interval:
        return alone
    total = np.bincount(votes.outcome, minlength=3).astype(np.float64)
    basis = Basis(
        n_votes=alone.n_votes,
        n_prompts=alone.n_prompts,
        n_annotators=alone.n_annotators,
        estimand=alone.estimand,
        level=level,
    )
    net = estimate_of(
        NET,
        total,
        _worth(pairs, votes, total, said.taken_away(judge)),
        degrees="Satterthwaite",
        clustering="two-way clustered by prompt and annotator, others' majorities included",
        basis=basis,
    )
    return half_of(net)


def _worth(
    pairs: PairVotes, votes: Votes, total: FloatArray, lost: tuple[IntColumn, IntColumn]
) -> EffectiveVotes:
    """For how many independent judgements `votes` count; `lost` is what each row takes away."""
    credit, compared = lost
    scores = (credit - NET.of(total) * compared) / len(votes)
    scores -= scores.mean()
    prompts, people = group(pairs.prompt.astype(np.int64)), group(pairs.annotator.astype(np.int64))
    cells = group(prompts.codes * people.count + people.codes)
    by_pair = cluster_sums(cells, scores)
    return crossed(
        Differing.of(NET, total, votes.by_pair.count),
        Clustering.of(NET, outcome_table(votes.prompt_codes, votes.outcome)),
        Clustering.scored(cluster_sums(people, scores), cluster_sums(people)),
        float(by_pair @ by_pair) * cells.count / (cells.count - 1.0),
        only_added=True,
    )


def _votes(pairs: PairVotes, outcome: IntColumn, rows: IntColumn) -> Votes:
    """Rows as votes; each is an item of its own, since only prompts and people cluster them."""
    return Votes(
        outcome=outcome,
        prompt=pairs.prompt[rows].astype(np.int64),
        annotator=pairs.annotator[rows].astype(np.int64),
        item=np.arange(len(rows)),
    )
