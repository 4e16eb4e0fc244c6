"""How often one person sides with the others about the same images: the human ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..inference.estimates import Estimate
from ..inference.plain import plain
from ..votes.columns import IntColumn, Votes
from ..votes.graded import GradedVotes
from ..votes.pairs import PairVotes
from .rates import share_of, win_rates

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
    both. None where every vote has one image.

    How to read. Nobody can predict a person better than that person's fellows do, so an automatic
    judge is read beside this figure: one that reaches it agrees with the majority as often as a
    person does. It is lower with few others, whose majority is itself a matter of chance.

    Published so beside reward models: ImageReward (Xu et al. 2023) and HPS v2 (Wu et al. 2023)
    print what a person reaches on the same pairs.

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
    lean = _lean_of_others(pairs, graded.item[pairs.vote].astype(np.int64))
    known = np.flatnonzero(lean)
    said = 1 - pairs.outcome.astype(np.int64)
    compared = 1 - np.sign(said[known] * lean[known])
    agreement = None
    if len(known):
        agreement = win_rates(_votes(pairs, compared, known), level).half
    tied = np.where(pairs.outcome == _UNDECIDED, _WITH, _AGAINST)
    return OneAgainstRest(
        agreement=agreement,
        tie_share=share_of(_votes(pairs, tied, np.arange(len(pairs))), level),
        n_pairs=len(pairs),
        n_compared=len(known),
    )


def _lean_of_others(pairs: PairVotes, item: IntColumn) -> IntColumn:
    """(rows,) 1 where more of the others prefer the row's first image, -1 its second, else 0."""
    first, second = pairs.first.astype(np.int64), pairs.second.astype(np.int64)
    turned = first > second
    sign = np.where(turned, -1, 1) * (1 - pairs.outcome.astype(np.int64))
    low, high = np.minimum(first, second), np.maximum(first, second)
    pair = (item * pairs.n_arms + low) * pairs.n_arms + high
    cells, cell = np.unique(pair, return_inverse=True)
    balance = np.bincount(cell, sign, len(cells)).astype(np.int64)
    others: IntColumn = np.sign(balance[cell] - sign) * np.where(turned, -1, 1)
    return others


def _votes(pairs: PairVotes, outcome: IntColumn, rows: IntColumn) -> Votes:
    """Rows as votes; each is an item of its own, since only prompts and people cluster them."""
    return Votes(
        outcome=outcome,
        prompt=pairs.prompt[rows].astype(np.int64),
        annotator=pairs.annotator[rows].astype(np.int64),
        item=np.arange(len(rows)),
    )
