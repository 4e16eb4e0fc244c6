"""Who meets whom: which arms' images of one prompt make a set. Pure; a design is a line of text.

`all-pairs` · `against=NAME` (each with a baseline) · `random=M` (M pairs a prompt) · `together`.
A single image makes a set of its own wherever a form asks for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted

Places = tuple[int, ...]  # of arms, ascending
ACCEPTED = "all-pairs, against=NAME, random=M or together"
LEAST_TOGETHER, MOST_TOGETHER = 3, 8
MOST_PAIRS = 10**6 - 1  # a prompt, at random


@dataclass(frozen=True)
class Design:
    """A checked design.

    Attributes:
        kind: `all-pairs`, `against`, `random` or `together`.
        baseline: the name of the arm that all others meet; of `against` alone.
        sets: pairs a prompt; of `random` alone.
    """

    kind: str
    baseline: str = ""
    sets: int = 0

    @classmethod
    def parse(cls, given: str) -> Self:
        """Read a design. Raises `BadInputError` for anything else."""
        kind, _, value = given.partition("=")
        if given in ("all-pairs", "together"):
            return cls(given)
        if kind == "against" and value:
            return cls(kind, baseline=value)
        if (
            kind == "random"
            and value.isascii()
            and value.isdigit()
            and len(value) < 10
            and 0 < int(value) <= MOST_PAIRS
        ):
            return cls(kind, sets=int(value))
        raise BadInputError(f"no design {given[:100]!r}; accepted are {ACCEPTED}.")

    def __str__(self) -> str:
        value = self.baseline or (str(self.sets) if self.sets else "")
        return f"{self.kind}={value}" if value else self.kind

    @property
    def size(self) -> int | None:
        """How many images a set has: 2, or None for all of them."""
        return None if self.kind == "together" else 2

    def check(self, names: Sequence[str]) -> None:
        """Raise `BadInputError` where arms of these names cannot meet so."""
        count = len(names)
        if self.kind == "together" and not LEAST_TOGETHER <= count <= MOST_TOGETHER:
            raise BadInputError(
                f"the design together shows all {count} at once; it takes {LEAST_TOGETHER} to "
                f"{MOST_TOGETHER}. Use all-pairs, against=NAME or random=M."
            )
        if self.kind == "against" and self.baseline not in names:
            raise BadInputError(
                f"the design against={self.baseline}: that is none of the arms "
                f"({', '.join(names)}); name one of them."
            )
        pairs = count * (count - 1) // 2
        if self.kind == "random" and self.sets > pairs:
            raise BadInputError(
                f"the design random={self.sets}: {count} arms make only "
                f"{counted(pairs, 'pair')}; use all-pairs."
            )

    def plan(
        self, names: Sequence[str], prompts: int, rng: np.random.Generator
    ) -> list[list[Places]]:
        """Return for each prompt the sets of arms that meet on it.

        Raises `BadInputError` where some arms would never meet the others, even through third
        ones, naming them.
        """
        pairs: list[Places] = list(combinations(range(len(names)), 2))
        if self.kind == "together":
            planned = [[tuple(range(len(names)))]] * prompts
        elif self.kind == "against":
            base = names.index(self.baseline)
            planned = [[pair for pair in pairs if base in pair]] * prompts
        elif self.kind == "random":
            planned = _dealt(pairs, self.sets, prompts, rng)
        else:
            planned = [pairs] * prompts
        refuse_unconnected(names, {each for sets in planned for each in sets})
        return planned

    def refuse_newcomer(self) -> None:
        """Raise `BadInputError` where no arm can join: all are shown together."""
        if self.kind == "together":
            raise BadInputError(
                "this campaign shows all its arms together, so none can join; begin another one "
                "with the design together and all of them."
            )

    def joining(
        self, names: Sequence[str], prompts: int, rng: np.random.Generator
    ) -> list[list[Places]]:
        """Return for each prompt the sets in which the last of these arms meets the others.

        Raises `BadInputError` as `refuse_newcomer` does.
        """
        self.refuse_newcomer()
        there = len(names) - 1
        if self.kind == "against":
            return [[(names.index(self.baseline), there)]] * prompts
        if self.kind == "random" and self.sets < there:
            return [
                [(int(place), there) for place in sorted(rng.permutation(there)[: self.sets])]
                for _ in range(prompts)
            ]
        return [[(place, there) for place in range(there)]] * prompts


def _dealt(
    pairs: Sequence[Places], each: int, prompts: int, rng: np.random.Generator
) -> list[list[Places]]:
    """Deal so many pairs to every prompt from a shuffled deck, so that all come equally often."""
    dealt, deck = [], list[int]()
    for _ in range(prompts):
        hand: list[int] = []
        while len(hand) < each:
            if not deck:
                deck = [int(i) for i in rng.permutation(len(pairs))]
            fresh = next((i for i in deck if i not in hand), None)
            if fresh is None:  # what is left of the deck is all in hand: put a new one under it
                deck += [int(i) for i in rng.permutation(len(pairs))]
                continue
            deck.remove(fresh)
            hand.append(fresh)
        dealt.append([pairs[i] for i in sorted(hand)])
    return dealt


def refuse_unconnected(names: Sequence[str], sets: set[Places]) -> None:
    """Raise `BadInputError` where the arms fall into groups that never meet."""
    group = list(range(len(names)))
    for places in sets:
        joined = {group[place] for place in places}
        group = [min(joined) if each in joined else each for each in group]
    apart = [
        ", ".join(name for name, each in zip(names, group, strict=True) if each == one)
        for one in sorted(set(group))
    ]
    if sets and len(apart) > 1:
        raise BadInputError(
            f"with this design {' | '.join(apart)} never meet, so they cannot be ranked together; "
            "use more prompts, a larger random=M, or all-pairs."
        )
