"""Votes on a gallery: what is accepted, what is refused and in which words."""

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    EmptyVotesError,
    LengthMismatchError,
    MissingIdError,
    PairVotes,
    SelfComparisonError,
    UnknownOutcomeError,
)
from evalplatform.stats.votes.chunking import count_codes

GOOD = {
    "first": ["x", "y", "x", "z"],
    "second": ["y", "z", "z", "x"],
    "outcome": ["A", "TIE", "B", 0],
    "prompt": [7, 7, 9, 9],
    "annotator": ["ana", "ben", "ana", "ben"],
}


def test_ids_of_any_kind_become_positions_in_the_smallest_integers():
    votes = PairVotes.from_columns(**GOOD)
    assert votes.arms == ("x", "y", "z")
    assert votes.prompts == (7, 9)
    assert votes.first.tolist() == [0, 1, 0, 2]
    assert votes.second.tolist() == [1, 2, 2, 0]
    assert votes.outcome.tolist() == [0, 1, 2, 0]
    assert (len(votes), votes.n_arms, votes.n_prompts, votes.n_annotators) == (4, 3, 2, 2)
    assert votes.nbytes == 5 * 4


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.uint64])
def test_integer_arrays_keep_their_ids_in_order_of_size(dtype):
    columns = {"first": [9, 4], "second": [4, 200], "outcome": [0, 2], "prompt": [3, 1]}
    given = {name: np.array(column, dtype) for name, column in columns.items()}
    votes = PairVotes.from_columns(**given, annotator=np.array([5, 5], dtype))
    assert votes.arms == (4, 9, 200)
    assert (votes.first.tolist(), votes.second.tolist()) == ([1, 0], [0, 2])
    assert votes.prompts == (1, 3)


@pytest.mark.parametrize("far", [10**12, -(10**12), 2**63 - 1])
def test_ids_far_apart_are_coded_too(far):
    votes = PairVotes.from_columns(
        first=np.array([1, 2]),
        second=np.array([2, 1]),
        outcome=np.array([0, 0]),
        prompt=np.array([5, far]),
        annotator=np.array([1, 2]),
    )
    assert votes.prompts == tuple(sorted((5, far)))
    assert votes.n_prompts == 2


def test_many_ids_take_wider_integers():
    n = 70_000
    votes = PairVotes.from_columns(
        first=np.zeros(n, int),
        second=np.ones(n, int),
        outcome=np.zeros(n, int),
        prompt=np.arange(n) % 300,
        annotator=np.arange(n),
    )
    assert (votes.prompt.dtype, votes.annotator.dtype) == (np.uint16, np.uint32)
    assert (votes.annotator == np.arange(n)).all()
    assert (count_codes(votes.prompt, 300) == np.bincount(votes.prompt)).all()


def test_columns_cannot_be_changed():
    votes = PairVotes.from_columns(**GOOD)
    with pytest.raises(ValueError, match="read-only"):
        votes.outcome[0] = 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"outcome": ["A", "TIE", "B"]}, LengthMismatchError, "outcome has 3"),
        ({"outcome": ["A", "tie", "B", "A"]}, UnknownOutcomeError, r"'tie' \(row 1\)"),
        ({"outcome": np.array([0, 1, 3, -1])}, UnknownOutcomeError, r"rows 2, 3\)"),
        ({"second": ["y", "y", "z", "z"]}, SelfComparisonError, r"'y'.*\(rows 1, 3\)"),
        ({"prompt": [7, None, 9, 9]}, MissingIdError, r"prompt is missing \(row 1\)"),
        ({"annotator": np.array([1.0, np.nan, 2, 2])}, MissingIdError, r"annotator.*\(row 1\)"),
        ({"prompt": [[7], [7], [9], [9]]}, ColumnTypeError, "prompt holds ids that cannot be"),
        ({"prompt": np.ones((2, 2), int)}, ColumnTypeError, "prompt has 2 dimensions"),
    ],
)
def test_what_means_nothing_is_refused_with_its_rows(change, error, words):
    with pytest.raises(error, match=words):
        PairVotes.from_columns(**(GOOD | change))


def test_no_votes_are_refused():
    with pytest.raises(EmptyVotesError):
        PairVotes.from_columns(**{name: [] for name in GOOD})
    with pytest.raises(EmptyVotesError):
        PairVotes.from_columns(**GOOD).where([False] * 4)


def test_columns_that_are_no_positions_are_refused():
    votes = PairVotes.from_columns(**GOOD)
    names = ("first", "second", "outcome", "prompt", "annotator")
    labels = (votes.arms, ("only",), votes.annotators)
    with pytest.raises(ColumnTypeError, match=r"prompt holds no positions.*from_columns"):
        PairVotes(*(getattr(votes, name) for name in names), *labels)


def test_a_mask_keeps_votes_and_ids():
    votes = PairVotes.from_columns(**GOOD)
    kept = votes.where([True, False, True, False])
    assert kept.arms == votes.arms
    assert (kept.outcome.tolist(), kept.n_annotators, kept.n_prompts) == ([0, 2], 1, 2)
    with pytest.raises(LengthMismatchError, match="mask has 1"):
        votes.where([True])
    with pytest.raises(ColumnTypeError, match="True and False"):
        votes.where([0, 1, 2, 3])
