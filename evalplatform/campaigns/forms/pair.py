"""Two images side by side, with a tie: the A/B comparison."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evalplatform.campaigns.forms.base import Form, Grades, Order

_GRADES: dict[str, Grades] = {
    "left": (1, 0),
    "tie": (0, 0),
    "right": (0, 1),
    "both": (1, 1),
    "neither": (0, 0),
}


@dataclass(frozen=True)
class PairForm(Form):
    """Both forms of a pair: `both` and `neither` keep apart what a tie throws together."""

    @property
    def page(self) -> str:
        """One page for both."""
        return "pair"

    def grades_by_position(self, answer: str, n: int) -> Grades:
        """Return (1, 0), (0, 1), or equal grades for every kind of tie."""
        return _GRADES[answer]

    def orders(
        self, *, k: int, sizes: Sequence[int], rng: np.random.Generator
    ) -> Iterator[list[Order]]:
        """Yield for each pair which of the two images is on the left, for each of its k slots."""
        for surplus in surplus_sides(len(sizes), rng):
            yield plan_sides(k=k, surplus=surplus, rng=rng)


def surplus_sides(count: int, rng: np.random.Generator) -> list[bool]:
    """Return for each pair whether the first image has the left side once more, where k is odd.

    Of two pairs in a row one has: both sides are used equally. Which one is random; were it every
    second, a pair's place would tell on which side an arm is likelier to stand.
    """
    first = rng.integers(2, size=-(-count // 2)).astype(bool)
    return [bool(side) for side in np.stack([first, ~first], axis=1).ravel()[:count]]


def plan_sides(*, k: int, surplus: bool, rng: np.random.Generator) -> list[Order]:
    """Return for each of k slots which image is on the left: place 0 in k // 2 of them.

    In random order; for odd k once more with `surplus`.
    """
    on_left = k // 2 + (k % 2) * surplus
    sides = np.arange(k) < on_left
    return [(0, 1) if side else (1, 0) for side in rng.permutation(sides)]


PAIR = PairForm("pair", "left, right or tie", 2, 2, ("left", "tie", "right"))
PAIR_BOTH_NEITHER = PairForm(
    "pair_both_neither", "left, right, both or neither", 2, 2, ("left", "both", "neither", "right")
)
