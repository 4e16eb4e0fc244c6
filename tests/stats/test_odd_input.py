"""What means nothing is refused with a clear error, whatever array or table it comes from."""

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    MissingIdError,
    RowsError,
    StatsError,
    Votes,
    agreement,
    annotators,
    graded_votes,
)

from .crossed_votes import grid_votes


def columns(**changed):
    given = {"outcome": [0, 1, 2], "prompt": [1, 2, 3], "annotator": [1, 2, 3], "item": [1, 2, 3]}
    return given | changed


@pytest.mark.parametrize("column", ["outcome", "prompt", "annotator", "item"])
def test_masked_rows_are_refused_and_not_unmasked(column):
    masked = np.ma.masked_array([0, 1, 2], mask=[False, True, False])
    with pytest.raises(MissingIdError, match=f"{column} is masked .row 1"):
        Votes(**columns(**{column: masked}))
    whole = np.ma.masked_array([0, 1, 2], mask=False)
    assert len(Votes(**columns(**{column: whole}))) == 3


def test_masked_rows_of_a_gallery_are_refused():
    masked = np.ma.masked_array([1, 2], mask=[False, True])
    with pytest.raises(MissingIdError, match="prompt is masked"):
        graded_votes(
            item=[1, 2], prompt=masked, annotator=[1, 2], arm=[[0, 1]] * 2, grade=[[1, 0]] * 2
        )


def test_side_of_a_decided_vote_must_be_left_or_right():
    votes = grid_votes("AB", "TA")
    for side in (np.nan, 0.5, 2.0):
        with pytest.raises(RowsError, match="for a vote that is no tie"):
            annotators(votes, chosen_left=[1.0, side, np.nan, 0.0])
    assert annotators(votes, chosen_left=[1.0, 0.0, np.nan, 0.0])


def test_gold_annotators_must_be_ids():
    votes = grid_votes("AB", "TA")
    with pytest.raises(ColumnTypeError, match="gold_annotator holds float64"):
        annotators(votes, gold_annotator=[0.7], gold_right=[1])
    assert annotators(votes, gold_annotator=[], gold_right=[])


@pytest.mark.parametrize(
    "ask",
    [
        lambda votes: agreement(votes, replicates=1.5),
        lambda votes: agreement(votes, replicates="many"),
        lambda votes: annotators(votes, response_ms=5),
        lambda votes: annotators(votes, chosen_left=[[1, 0], [0, 1]]),
    ],
)
def test_options_of_another_type_are_errors_of_ours(ask):
    with pytest.raises(StatsError):
        ask(grid_votes("AB", "AB"))
