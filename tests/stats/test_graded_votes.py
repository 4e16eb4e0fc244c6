"""Graded votes: columns in, pairs out, and what is refused at the door."""

import time

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    EmptyVotesError,
    ItemAcrossPromptsError,
    LengthMismatchError,
    MissingIdError,
    SelfComparisonError,
    UnknownArmError,
    graded_votes,
)

COLUMNS = {"item": [1, 1, 2], "prompt": [5, 5, 6], "annotator": [8, 9, 8]}
PADDED = {"arm": [[0, 1, -1], [1, 0, -1], [2, 0, 1]], "grade": [[1, 0, 0], [0, 0, 9], [2, 1, 2]]}


def rows_of(votes):
    pairs = votes.pairs()
    names = ("first", "second", "outcome", "prompt", "annotator")
    columns = [getattr(pairs, name).tolist() for name in names]
    return list(zip(*columns, pairs.vote.tolist(), strict=True))


def test_padding_is_no_image():
    votes = graded_votes(**COLUMNS, **PADDED)
    assert votes.sizes.tolist() == [2, 2, 3]
    assert votes.grade.tolist() == [1, 0, 0, 0, 2, 1, 2]


def test_every_pair_inside_a_vote_carries_its_prompt_and_annotator():
    assert rows_of(graded_votes(**COLUMNS, **PADDED)) == [
        (0, 1, 0, 0, 0, 0),
        (1, 0, 1, 0, 1, 1),
        (2, 0, 0, 1, 0, 2),
        (2, 1, 1, 1, 0, 2),
        (0, 1, 2, 1, 0, 2),
    ]


def test_ids_become_labels_in_ascending_order_and_labels_may_be_given():
    votes = graded_votes(**COLUMNS, **PADDED, arms=["x", "y", "z", "unseen"])
    assert (votes.arms, votes.prompts, votes.annotators) == (
        ("x", "y", "z", "unseen"),
        (5, 6),
        (8, 9),
    )
    assert votes.votes_by_arm.tolist() == [3, 3, 1, 0]
    assert (len(votes), votes.n_items, votes.n_prompts, votes.n_annotators) == (3, 2, 2, 2)


def test_ratings_have_no_pairs():
    votes = graded_votes(**COLUMNS, arm=[[0], [1], [0]], grade=[[5], [4], [3]])
    assert votes.pairs() is None


def test_pairs_of_grade_both_and_neither_are_ties():
    votes = graded_votes(
        item=[1, 1], prompt=[1, 1], annotator=[1, 2], arm=[[0, 1]] * 2, grade=[[1, 1], [0, 0]]
    )
    assert votes.pairs().outcome.tolist() == [1, 1]


def test_a_mask_keeps_whole_votes_and_all_ids():
    votes = graded_votes(**COLUMNS, **PADDED).where([False, True, True])
    assert votes.arm.tolist() == [1, 0, 2, 0, 1]
    assert votes.start.tolist() == [0, 2, 5]
    assert votes.prompts == (5, 6)
    with pytest.raises(EmptyVotesError, match="leaves no vote"):
        votes.where([False, False])
    with pytest.raises(LengthMismatchError, match="mask has 3"):
        votes.where([True, False, True])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"item": []}, LengthMismatchError, "item has 0"),
        ({"item": [], "prompt": [], "annotator": []}, EmptyVotesError, "no vote"),
        ({"prompt": [5, 6, 6]}, ItemAcrossPromptsError, "row 1"),
        ({"prompt": [5.0, 5.0, 6.0]}, ColumnTypeError, "prompt has 1 dimensions of float64"),
        ({"arm": [[0, 1, -1], [1, 0, -1], [2, 0, 2]]}, SelfComparisonError, "Arm 2.*row 2"),
        ({"arm": [[0, 1, -1], [-1, -1, -1], [2, 0, 1]]}, ColumnTypeError, "Vote 1 has 0 images"),
        ({"arm": [[0, 1], [1, 0], [2, 0]]}, ColumnTypeError, "one grade per image"),
        ({"arms": ["x", "y"]}, UnknownArmError, r"arm is 2, beyond the 2 ids.*row 4"),
        ({"arms": ["x", "y", "x"]}, ColumnTypeError, "arms lists 'x' twice"),
        ({"annotators": ["ana"]}, UnknownArmError, "annotator is 8"),
        ({"arm": [[0, 1]] * 2, "grade": [[0, 1]] * 2}, LengthMismatchError, "arm has 2"),
        (
            {"arm": [[*range(9)]] * 3, "grade": [[0] * 9] * 3},
            ColumnTypeError,
            "Vote 0 has 9 images; a set has 1 to 8",
        ),
        ({"item": np.ma.masked_equal([1, 1, 2], 2)}, MissingIdError, "item is masked"),
    ],
)
def test_columns_that_mean_nothing_are_refused(change, error, words):
    with pytest.raises(error, match=words):
        graded_votes(**(COLUMNS | PADDED | change))


def test_half_a_million_votes_are_read_well_under_a_second():
    n = 500_000
    rng = np.random.default_rng(1)
    a = rng.integers(0, 6, n)
    columns = {
        "item": rng.integers(0, n, n),
        "prompt": np.zeros(n, dtype=np.int64),
        "annotator": rng.integers(0, 500, n),
        "arm": np.stack([a, (a + rng.integers(1, 6, n)) % 6], axis=1),
        "grade": rng.integers(0, 2, (n, 2)),
    }
    started = time.process_time()
    votes = graded_votes(**columns)
    pairs = votes.pairs()
    assert time.process_time() - started < 1.0
    assert len(pairs) == n
