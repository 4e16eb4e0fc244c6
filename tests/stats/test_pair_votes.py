"""The pairs inside graded votes as columns: masks, and the votes among some arms."""

import numpy as np
import pytest

from evalplatform.stats import ColumnTypeError, LengthMismatchError
from evalplatform.stats.votes.chunking import count_codes, positions

from .crossed_galleries import pair_votes


def votes_of_three():
    return pair_votes(
        first=["x", "y", "x", "z"],
        second=["y", "z", "z", "x"],
        outcome=["A", "TIE", "B", "A"],
        prompt=[7, 7, 9, 9],
        annotator=["ana", "ben", "ana", "ben"],
    )


@pytest.mark.parametrize("far", [10**12, -(10**12), 2**63 - 1])
def test_ids_far_apart_are_coded_too(far):
    (codes,), ids = positions(np.array([5, far]))
    assert ids[codes].tolist() == [5, far]
    assert codes.dtype == np.uint8


def test_many_ids_take_wider_integers():
    prompt, annotator = np.arange(70_000) % 300, np.arange(70_000)
    (small,), _ = positions(prompt)
    (wide,), _ = positions(annotator)
    assert (small.dtype, wide.dtype) == (np.uint16, np.uint32)
    assert (wide == annotator).all()
    assert (count_codes(small, 300) == np.bincount(prompt)).all()


def test_columns_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        votes_of_three().outcome[0] = 1


def test_a_mask_keeps_votes_and_ids():
    votes = votes_of_three()
    kept = votes.where([True, False, True, False])
    assert kept.arms == votes.arms
    assert (kept.outcome.tolist(), kept.n_annotators, kept.n_prompts) == ([0, 2], 1, 2)
    assert kept.vote.tolist() == [0, 2]
    with pytest.raises(LengthMismatchError, match="mask has 1"):
        votes.where([True])
    with pytest.raises(ColumnTypeError, match="True and False"):
        votes.where([0, 1, 2, 3])


def test_votes_among_some_arms_list_no_other():
    kept = votes_of_three().among(np.array([0, 2]))
    assert kept.arms == ("x", "z")
    assert (kept.first.tolist(), kept.second.tolist()) == ([0, 1], [1, 0])
    assert (kept.outcome.tolist(), kept.vote.tolist()) == ([2, 0], [2, 3])
    nothing = votes_of_three().where([True, False, False, False]).among(np.array([0, 2]))
    assert (len(nothing), nothing.n_prompts) == (0, 0)
