"""What a form of judgement is: how many images, which answers, what they say of each image.

An annotator sees an ordered set of n images and returns an answer. Positions are where images
stand on the page (0 is left or first), places are which image it is (0 to n - 1, as stored).
`order[position]` is the place shown there. Grades are by place, higher is better, equal is a tie.

Pure Python: no Django, so that statistics, simulation and tests can use it anywhere. The database
computes the same grades by itself (`annotation/sql/grades.sql`), which a test holds against this.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evalplatform.core.errors import BadInputError

_QUOTED = 40  # characters of a wrong answer that are repeated
Order = tuple[int, ...]
Grades = tuple[int, ...]


@dataclass(frozen=True)
class Form(ABC):
    """One way of judging; each is a file of its own beside this one, named in `registry`.

    Attributes:
        name: as campaigns, votes and pages name it.
        label: for people.
        least, most: how many images a set of this form has.
        buttons: the answers that stand as buttons, in their order on the page; none where an
            answer is built up.
    """

    name: str
    label: str
    least: int
    most: int
    buttons: tuple[str, ...]

    @abstractmethod
    def grades_by_position(self, answer: str, n: int) -> Grades:
        """Return what a checked answer says of the images, by position."""

    def check(self, answer: str, n: int) -> None:
        """Raise `BadInputError` for an answer that this form does not offer for n images."""
        if answer not in self.buttons:
            offered = ", ".join(self.buttons)
            raise BadInputError(f"{answer[:_QUOTED]!r} is not offered here; send one of {offered}.")

    def fault_beside(self, answer: str, prompt: str) -> str | None:
        """Return what is wrong with a checked answer beside its prompt's text; None if nothing.

        Only an answer that is a text can say nothing more than the prompt does.
        """
        return None

    @property
    def is_written(self) -> bool:
        """Whether its answer is a text of the annotator's own, of which nothing can be counted."""
        return False

    @property
    def page(self) -> str:
        """The template and the script that show it: `annotation/forms/PAGE.html` and `PAGE.js`."""
        return self.name

    @property
    def takes_heads(self) -> bool:
        """Whether its page lets a criterion's heads be marked beside the answer."""
        return False

    @property
    def worst(self) -> int:
        """The lowest grade."""
        return 0

    def takes(self, n: int) -> bool:
        """Whether n images make a set of this form."""
        return self.least <= n <= self.most

    def grades(self, answer: str, order: Sequence[int]) -> Grades:
        """Return the grades by place. Raises `BadInputError` for what is no answer."""
        if not self.takes(len(order)):
            raise BadInputError(
                f"{len(order)} images are no set of the form {self.name!r}; it takes {self.least}"
                + (f" to {self.most}." if self.most > self.least else ".")
            )
        self.check(answer, len(order))
        by_position = self.grades_by_position(answer, len(order))
        by_place = [0] * len(order)
        for position, place in enumerate(order):
            by_place[place] = by_position[position]
        return tuple(by_place)

    def is_right(self, grades: Sequence[int], expected: Sequence[int]) -> bool:
        """Whether grades put every two images in the order that is known of gold, both by place.

        A tie is wrong where one of two is known to be better; nothing is asked of two that are
        expected to be equal.
        """
        return all(
            _sign(grades[one] - grades[two]) == _sign(expected[one] - expected[two])
            for one, two in combinations(range(len(expected)), 2)
            if expected[one] != expected[two]
        )

    def orders(
        self, *, k: int, sizes: Sequence[int], rng: np.random.Generator
    ) -> Iterator[list[Order]]:
        """Yield for each set (of so many images) the order of each of its k slots.

        Rows of a Latin square in random order: within a set how often an image stands at a
        position differs by one at most, and over n sets of n images in a row, each place stands
        equally often at each position. The square is another one, at random, whenever its rows
        were all used equally: a set's place in the row does not tell which arm stands where.
        """
        squares: dict[int, np.ndarray] = {}
        turns: dict[int, int] = {}
        for n in sizes:
            turn = turns.get(n, 0)
            if turn % n == 0:
                squares[n] = rng.permutation(n)
            turns[n] = turn + k
            square = squares[n]
            rows = (turn + rng.permutation(k)) % n
            yield [tuple(int(square[(row + p) % n]) for p in range(n)) for row in rows]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def again(order: Sequence[int]) -> Order:
    """Return the order in which a set is shown a second time: turned round, so sides swap."""
    return tuple(reversed(order))
