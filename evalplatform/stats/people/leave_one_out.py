"""What the others said of the same item, for each vote; medians and sums by person."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray
from ..votes.chunking import row_sums
from ..votes.columns import BoolColumn, IntColumn, Outcome, group
from ..votes.errors import LengthMismatchError, UnknownOutcomeError

N_OUTCOMES = len(Outcome)


def majority_of_others(
    item: npt.ArrayLike, outcome: npt.ArrayLike, counts: npt.ArrayLike | None = None
) -> tuple[IntColumn, BoolColumn]:
    """What more than half of the other votes on an item say, and for which votes there is such.

    `item` holds integer ids, `outcome` 0, 1, 2, one entry per vote; nobody has two votes on an
    item. Where `counts` is given and False, a vote is compared but is nobody's "other". Two
    results of the same length: the majority's outcome, and True where there are at least two other
    votes and more than half of them say the same. Where it is False the outcome means nothing.

    >>> majority, known = majority_of_others([1, 1, 1, 1, 2, 2], [0, 0, 0, 2, 1, 1])
    >>> majority.tolist(), known.tolist()
    ([0, 0, 0, 0, 1, 1], [True, True, True, True, False, False])
    """
    items, outcomes = _integers(item), _integers(outcome)
    counted = np.ones(len(items), np.bool_) if counts is None else np.asarray(counts, np.bool_)
    lengths = {"item": len(items), "outcome": len(outcomes), "counts": len(counted)}
    if len(set(lengths.values())) > 1:
        raise LengthMismatchError(lengths)
    if not len(items):
        return outcomes, counted
    others = votes_of_others(items, outcomes, counted)
    most = others.max(axis=1)
    total = row_sums(others)
    return others.argmax(axis=1), (total >= 2) & (2 * most > total)


def votes_of_others(item: IntColumn, outcome: IntColumn, counted: BoolColumn) -> IntColumn:
    """Votes x 3: how many other counted votes on the same item say A, tie and B."""
    wrong = np.flatnonzero((outcome < 0) | (outcome >= N_OUTCOMES))
    if len(wrong):
        raise UnknownOutcomeError(f"Unknown outcome {outcome[wrong[0]]}", wrong, "Give 0, 1 or 2.")
    items = group(item)
    cell = items.codes * N_OUTCOMES + outcome
    table = np.bincount(cell[counted], minlength=items.count * N_OUTCOMES)
    others: IntColumn = table.reshape(items.count, N_OUTCOMES)[items.codes]
    others[np.arange(len(item)), outcome] -= counted
    return others


def medians_by(ids: npt.ArrayLike, values: npt.ArrayLike) -> tuple[IntColumn, FloatArray]:
    """The ids, ascending, and the median of the values of each; values that are NaN are left out.

    >>> who, middle = medians_by([7, 7, 7, 3], [1.0, 9.0, 2.0, 5.0])
    >>> who.tolist(), middle.tolist()
    ([3, 7], [5.0, 2.0])
    """
    people, numbers = _integers(ids), np.asarray(values, dtype=np.float64)
    if len(people) != len(numbers):
        raise LengthMismatchError({"ids": len(people), "values": len(numbers)})
    known = ~np.isnan(numbers)
    people, numbers = people[known], numbers[known]
    order = np.lexsort((numbers, people))
    who, first, count = np.unique(people[order], return_index=True, return_counts=True)
    ranked = numbers[order]
    return who, (ranked[first + (count - 1) // 2] + ranked[first + count // 2]) / 2.0


def _integers(column: npt.ArrayLike) -> IntColumn:
    array: IntColumn = np.asarray(column, dtype=np.int64)
    return array


def sums_by(code: IntColumn, values: npt.NDArray[Any], count: int) -> FloatArray:
    """The sum of the values of each code 0 ... count - 1.

    >>> sums_by(np.array([1, 1, 0]), np.array([2.0, 3.0, 4.0]), 3).tolist()
    [4.0, 5.0, 0.0]
    """
    return np.bincount(code, values, count).astype(np.float64, copy=False)
