"""Errors raised at the door of the statistics: what was given, what is accepted, what to do.

Refusing is for input that means nothing (an unknown outcome, columns of different length).
Input that means something but cannot carry an estimate (one annotator, no decided vote) is no
error: the result then holds a named `State` and a reason.
"""

from __future__ import annotations

from collections.abc import Iterable

_ROWS_SHOWN = 5


class StatsError(ValueError):
    """Base class of every error this package raises on purpose."""


class RowsError(StatsError):
    """Some rows of a column are wrong; `rows` holds all their positions, counted from 0."""

    def __init__(self, problem: str, rows: Iterable[int], cure: str) -> None:
        self.rows: tuple[int, ...] = tuple(int(row) for row in rows)
        super().__init__(f"{problem} ({_name_rows(self.rows)}). {cure}")


class EmptyVotesError(StatsError):
    """There is no vote at all, so there is nothing to estimate."""


class LengthMismatchError(StatsError):
    """Columns that describe the same rows have different lengths."""

    def __init__(self, lengths: dict[str, int]) -> None:
        self.lengths = dict(lengths)
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        super().__init__(f"Columns differ in length: {listed} rows. Give one entry per vote.")


class ColumnTypeError(StatsError):
    """A column is not a one-dimensional column of the type that is asked for."""


class UnknownOutcomeError(RowsError):
    """An outcome is neither A, TIE nor B; it is never counted as a tie."""


class MissingIdError(RowsError):
    """A prompt, annotator or item id is None or NaN."""


class ItemAcrossPromptsError(RowsError):
    """The votes of one item lie on more than one prompt."""


class SelfComparisonError(RowsError):
    """A vote compares an arm with itself."""


class UnknownArmError(RowsError):
    """A position lies beyond the list of arms, prompts or annotators that it points into."""


class UnknownOptionError(StatsError):
    """An option (estimand, rule, level, replicates) lies outside what the function offers."""


def _name_rows(rows: tuple[int, ...]) -> str:
    shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
    more = len(rows) - _ROWS_SHOWN
    label = "row" if len(rows) == 1 else "rows"
    return f"{label} {shown}" + (f" and {more} more" if more > 0 else "")
