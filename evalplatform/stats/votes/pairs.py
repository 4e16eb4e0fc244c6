"""Votes on a gallery: many arms, compared two at a time.

Columns are codes without gaps in the smallest unsigned integers that hold them (7 to 8 bytes a
vote in most studies), beside the ids they stand for. Functions read them in chunks, so they need
little memory beyond the columns.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .chunking import Codes, n_present, smallest_unsigned
from .columns import BoolColumn, IntColumn, checked_mask

Labels = tuple[Hashable, ...]

_COLUMNS = ("first", "second", "outcome", "prompt", "annotator", "vote")


@dataclass(frozen=True, eq=False)
class PairVotes:
    """Every pair of arms inside each vote, a row a pair: made by `GradedVotes.pairs`.

    Attributes:
        first, second: the two arms compared, as positions in `arms`.
        outcome: 0 (first wins), 1 (tie) or 2 (second wins), see `Outcome`.
        prompt: position of the prompt in `prompts`.
        annotator: position of the person who voted in `annotators`.
        vote: position of the graded vote that the row comes from.
        arms, prompts, annotators: the ids behind the positions.
    """

    first: Codes
    second: Codes
    outcome: Codes
    prompt: Codes
    annotator: Codes
    vote: IntColumn
    arms: Labels
    prompts: Labels
    annotators: Labels

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def n_arms(self) -> int:
        return len(self.arms)

    @property
    def n_prompts(self) -> int:
        """Prompts with at least one vote."""
        return n_present(self.prompt)

    @property
    def n_annotators(self) -> int:
        """Annotators with at least one vote."""
        return n_present(self.annotator)

    def where(self, mask: npt.ArrayLike) -> PairVotes:
        """The votes for which `mask` is true; ids and positions stay as they are."""
        kept = checked_mask(mask, self.outcome)
        return replace(self, **{name: getattr(self, name)[kept] for name in _COLUMNS})

    def among(self, arms: IntColumn) -> PairVotes:
        """The votes on two of these positions, with no other arm listed."""
        place = np.full(self.n_arms, len(arms), dtype=smallest_unsigned(len(arms) + 1))
        place[arms] = np.arange(len(arms))
        first, second = place[self.first], place[self.second]
        kept: BoolColumn = (first < len(arms)) & (second < len(arms))
        return replace(
            self.where(kept),
            first=first[kept],
            second=second[kept],
            arms=tuple(self.arms[at] for at in arms),
        )

    def cells(self, rows: slice | IntColumn) -> Codes:
        """(first * M + second) * 3 + outcome of some votes, for M arms.

        In the smallest integers: arithmetic on these is several times as fast.
        """
        small = smallest_unsigned(self.n_arms**2 * 3)
        cells = self.first[rows].astype(small)
        cells *= small.type(self.n_arms)
        cells += self.second[rows]
        cells *= small.type(3)
        cells += self.outcome[rows]
        return cells
