"""One image alone: a rating from 1 to 5, keep and reject, or what another wrote of it approved."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalplatform.campaigns.forms.base import Form, Grades


@dataclass(frozen=True)
class SingleForm(Form):
    """A form of one image, each of whose answers has a grade.

    Attributes:
        scale: the grade of each answer.
        tolerance: how far from the expected grade an answer to gold may lie.
        has_heads: whether what is wrong with the image can be marked.
    """

    scale: tuple[int, ...]
    tolerance: int
    has_heads: bool = False

    @property
    def takes_heads(self) -> bool:
        """Whether what is wrong with the image can be marked."""
        return self.has_heads

    @property
    def worst(self) -> int:
        """The lowest grade of the scale."""
        return min(self.scale)

    def grades_by_position(self, answer: str, n: int) -> Grades:
        """Return the one grade."""
        return (self.scale[self.buttons.index(answer)],)

    def is_right(self, grades: Sequence[int], expected: Sequence[int]) -> bool:
        """Whether the grade is the expected one, or near enough on a fine scale."""
        return abs(grades[0] - expected[0]) <= self.tolerance


# Absolute category rating, ITU-T P.910 section 8.1: 5 is excellent, 1 is bad.
RATING = SingleForm(
    "rating", "rate from 1 to 5", 1, 1, ("1", "2", "3", "4", "5"), (1, 2, 3, 4, 5), 1
)
KEEP_REJECT = SingleForm(
    "keep_reject", "keep, unsure or reject", 1, 1, ("keep", "unsure", "reject"), (2, 1, 0), 0, True
)
# What another person wrote of the image is shown in place of its prompt.
APPROVE = SingleForm("approve", "approve or reject", 1, 1, ("approve", "reject"), (1, 0), 0)
