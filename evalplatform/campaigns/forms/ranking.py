"""Three to eight images in order of preference, ties allowed.

The answer names positions from best to worst, `>` between tiers and `=` within one: `2=1>0` says
that the third and the second image tie, both above the first.
"""

from dataclasses import dataclass

from evalplatform.campaigns.forms.base import Form, Grades
from evalplatform.core.errors import BadInputError

_QUOTED = 40  # characters of a wrong answer that are repeated


@dataclass(frozen=True)
class RankingForm(Form):
    """Grades are tiers: the last tier has 0, the one above it 1, and so on."""

    def check(self, answer: str, n: int) -> None:
        """Raise `BadInputError` unless every position stands in the answer exactly once."""
        named = [each for tier in answer.split(">") for each in tier.split("=")]
        wanted = [str(position) for position in range(n)]
        missing = [each for each in wanted if each not in named]
        unknown = [each for each in named if each not in wanted]
        if unknown:
            what = f"{unknown[0]!r} is no image of this set of {n}"
        elif missing:
            what = f"image {missing[0]} has no place"
        elif len(named) != n:
            what = "an image has two places"
        else:
            return
        raise BadInputError(
            f"{answer[:_QUOTED]!r} is no ranking: {what}; name each of {', '.join(wanted)} once, "
            "best first, with > between places and = between equals."
        )

    def grades_by_position(self, answer: str, n: int) -> Grades:
        """Return the tier of each position."""
        tiers = answer.split(">")
        grade = {
            int(position): len(tiers) - 1 - rank
            for rank, tier in enumerate(tiers)
            for position in tier.split("=")
        }
        return tuple(grade[position] for position in range(n))


RANKING = RankingForm("ranking", "rank all, ties allowed", 3, 8, ())
