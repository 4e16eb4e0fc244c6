"""What people said of one panel, as figures that a trainer reads. Pure.

With k votes a panel no model of choice is fitted: at k = 3 most have no finite maximum. These are
counts and means of what was said, exact and the same at any k.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True)
class PanelFigures:
    """Figures of a panel of n images; lists are by place, as the trainer gave the images.

    Attributes:
        votes: how many count.
        mean_ranks: mean over votes of an image's rank, 1 the best, n the last; images that tie
            share the mean of their ranks (midranks). None without votes.
        borda: mean over votes of the share of the other images that an image was put above, ties
            as half, in [0, 1]: `(n - mean_rank) / (n - 1)`. None without votes, and for one image.
        preferred: `preferred[i][j]` votes put image i above image j. Ties of a pair are `votes`
            less both directions.
        mean_grade: of a form that grades one image, such as 1 to 5. None elsewhere.
    """

    votes: int
    mean_ranks: list[float] | None
    borda: list[float] | None
    preferred: list[list[int]]
    mean_grade: float | None = None


def figures_of(said: Mapping[str, int], n: int) -> PanelFigures:
    """Return the figures of a panel of n images.

    `said`: how many votes gave these grades by place, as a tally keeps it: `{"{1,0,2}": 3}`; higher
    is better. Raises `ValueError` for grades of another number of images.
    """
    votes = sum(said.values())
    preferred = [[0] * n for _ in range(n)]
    total = 0
    for text, count in said.items():
        grades = [int(each) for each in _NUMBER.findall(text)]
        if len(grades) != n:
            raise ValueError(f"grades {text} of a panel of {n} images")
        total += count * grades[0]
        for i in range(n):
            for j in range(n):
                preferred[i][j] += count * (grades[i] > grades[j])
    if n == 1:
        return PanelFigures(votes, None, None, preferred, total / votes if votes else None)
    if not votes:
        return PanelFigures(0, None, None, preferred)
    behind = [
        sum(preferred[j][i] + _ties(preferred, votes, i, j) / 2 for j in range(n) if j != i)
        for i in range(n)
    ]
    return PanelFigures(
        votes=votes,
        mean_ranks=[1 + each / votes for each in behind],
        borda=[1 - each / votes / (n - 1) for each in behind],
        preferred=preferred,
    )


def _ties(preferred: list[list[int]], votes: int, i: int, j: int) -> int:
    return votes - preferred[i][j] - preferred[j][i]
