"""What means nothing is refused with a clear error, whatever array or table it comes from."""

import warnings

import numpy as np
import pandas as pd
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    MissingIdError,
    PairVotes,
    RowsError,
    StatsError,
    Votes,
    agreement,
    annotators,
    fleiss_kappa,
    gwet_ac1,
    nominal_alpha,
    ordinal_alpha,
    percent_agreement,
)

from .crossed_votes import grid_votes

MISSING = [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), np.ma.masked]


def columns(**changed):
    given = {"outcome": [0, 1, 2], "prompt": [1, 2, 3], "annotator": [1, 2, 3], "item": [1, 2, 3]}
    return given | changed


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("column", ["prompt", "annotator", "item"])
def test_missing_id_is_refused_whoever_wrote_it(column, missing):
    with pytest.raises(MissingIdError, match=f"{column} is missing .row 1"):
        Votes.from_columns(**columns(**{column: [1, missing, 3]}))


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_arm_of_a_gallery_is_refused(missing):
    with pytest.raises(MissingIdError, match="second is missing"):
        PairVotes.from_columns(
            first=["x", "x"], second=["y", missing], outcome=[0, 1], prompt=[1, 2],
            annotator=[1, 2],
        )  # fmt: skip


@pytest.mark.parametrize("column", ["outcome", "prompt", "annotator", "item"])
@pytest.mark.parametrize("build", [Votes, Votes.from_columns])
def test_masked_rows_are_refused_and_not_unmasked(build, column):
    masked = np.ma.masked_array([0, 1, 2], mask=[False, True, False])
    with pytest.raises(MissingIdError, match=f"{column} is masked .row 1"):
        build(**columns(**{column: masked}))
    whole = np.ma.masked_array([0, 1, 2], mask=False)
    assert len(build(**columns(**{column: whole}))) == 3


def test_masked_rows_of_a_gallery_are_refused():
    masked = np.ma.masked_array([1, 2], mask=[False, True])
    with pytest.raises(MissingIdError, match="prompt is masked"):
        PairVotes.from_columns(
            first=[1, 1], second=[2, 2], outcome=[0, 1], prompt=masked, annotator=[1, 2]
        )


def test_large_unsigned_ids_beside_signed_ones_stay_apart():
    big = 2**63
    votes = PairVotes.from_columns(
        first=np.array([big + 1, big + 2, big + 1], dtype=np.uint64),
        second=np.array([1, 1, 2], dtype=np.int64),
        outcome=[0, 2, 1],
        prompt=[1, 2, 3],
        annotator=[1, 2, 3],
    )
    assert set(votes.arms) == {big + 1, big + 2, 1, 2}


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


@pytest.mark.parametrize(
    "coefficient", [nominal_alpha, ordinal_alpha, percent_agreement, fleiss_kappa, gwet_ac1]
)
@pytest.mark.parametrize("odd", [np.inf, np.nan, -1.0])
def test_counts_that_are_no_counts_are_refused_without_a_warning(coefficient, odd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ColumnTypeError, match="items x categories"):
            coefficient(np.array([[2.0, 1.0], [odd, 2.0]]))
