"""The door: what is accepted as votes, and how the rest is refused."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    EmptyVotesError,
    ItemAcrossPromptsError,
    LengthMismatchError,
    Outcome,
    StatsError,
    UnknownOutcomeError,
    Votes,
    factorise,
)


def columns(**changed):
    """Three votes on two prompts; name a column to change it."""
    return {
        "outcome": [0, 1, 2],
        "prompt": [5, 5, 9],
        "annotator": [1, 2, 1],
        "item": [3, 3, 4],
    } | (changed)


def test_columns_are_kept_and_counted():
    votes = Votes(**columns())
    assert votes.outcome.tolist() == [Outcome.A, Outcome.TIE, Outcome.B]
    assert votes.prompt.tolist() == [5, 5, 9]
    assert (len(votes), votes.n_prompts, votes.n_annotators, votes.n_items) == (3, 2, 2, 2)


def test_votes_cannot_be_changed_nor_change_with_their_source():
    source = np.array([0, 1, 2])
    votes = Votes(**columns(outcome=source))
    source[0] = 2
    assert votes.outcome[0] == Outcome.A
    with pytest.raises(FrozenInstanceError):
        votes.outcome = source
    with pytest.raises(ValueError, match="read-only"):
        votes.outcome[0] = 1


def test_unknown_outcome_is_refused_with_its_rows_never_counted_as_a_tie():
    with pytest.raises(UnknownOutcomeError, match=r"Unknown outcome 3 \(rows 1, 2\)") as caught:
        Votes(**columns(outcome=[0, 3, -1]))
    assert caught.value.rows == (1, 2)


def test_long_lists_of_offending_rows_are_shortened_in_words_but_kept_whole():
    with pytest.raises(UnknownOutcomeError, match="rows 0, 1, 2, 3, 4 and 5 more") as caught:
        Votes([9] * 10, [0] * 10, [0] * 10, [0] * 10)
    assert caught.value.rows == tuple(range(10))


def test_columns_of_different_length_are_refused_by_name():
    with pytest.raises(LengthMismatchError, match="annotator has 2") as caught:
        Votes(**columns(annotator=[1, 2]))
    assert caught.value.lengths == {"outcome": 3, "prompt": 3, "annotator": 2, "item": 3}


def test_no_votes_are_refused():
    with pytest.raises(EmptyVotesError, match="outcome is empty"):
        Votes([], [], [], [])
    with pytest.raises(EmptyVotesError):
        Votes(**columns()).where([False, False, False])


@pytest.mark.parametrize("prompt", [[0.5, 1.0, 2.0], ["a", "b", "c"], [[1, 2, 3]], [True] * 3])
def test_columns_of_other_types_are_refused(prompt):
    with pytest.raises(ColumnTypeError, match="prompt"):
        Votes(**columns(prompt=prompt))


def test_item_on_two_prompts_is_refused_with_the_rows_that_leave_its_first_prompt():
    with pytest.raises(ItemAcrossPromptsError) as caught:
        Votes(**columns(item=[3, 3, 3]))
    assert caught.value.rows == (2,)


def test_every_error_is_a_stats_error():
    assert issubclass(EmptyVotesError, StatsError)
    assert issubclass(UnknownOutcomeError, StatsError)
    assert issubclass(StatsError, ValueError)


def test_integer_ids_are_kept_so_that_results_match_database_keys():
    keys = [10**12, 10**12, -4]
    votes = Votes(**columns(prompt=keys, item=keys))
    assert votes.prompt.tolist() == keys
    assert votes.by_prompt.codes.tolist() == [1, 1, 0]


def test_integers_too_large_for_a_column_are_refused():
    wide = np.array([2**63, 2**63, 2**63 + 1], dtype=np.uint64)
    with pytest.raises(ColumnTypeError, match="above"):
        Votes(**columns(annotator=wide))


def test_groups_have_no_gaps():
    votes = Votes(**columns(prompt=[50, 50, 7], item=[50, 50, 7]))
    assert votes.by_prompt.codes.tolist() == [1, 1, 0]
    assert votes.by_prompt.count == 2


def test_pairs_are_the_intersection_of_prompt_and_annotator():
    votes = Votes([0] * 5, [1, 1, 1, 2, 2], [1, 1, 2, 1, 2], [1, 1, 1, 2, 2])
    assert votes.by_pair.count == 4
    assert votes.by_pair.codes[0] == votes.by_pair.codes[1]


def test_where_keeps_ids_and_refuses_other_masks():
    kept = Votes(**columns()).where([True, False, True])
    assert kept.prompt.tolist() == [5, 9]
    assert kept.outcome.tolist() == [0, 2]
    with pytest.raises(LengthMismatchError):
        Votes(**columns()).where([True])
    with pytest.raises(ColumnTypeError):
        Votes(**columns()).where([0, 2, 1])


def test_factorise_gives_codes_and_labels():
    codes, labels = factorise(["dog", "cat", "dog"])
    assert codes.tolist() == [0, 1, 0]
    assert labels == ("dog", "cat")


@pytest.mark.parametrize("step", [1, 10**12])
def test_factorise_codes_integers_of_an_array_as_those_of_a_list(step):
    ids = np.random.default_rng(4).integers(-20, 20, 300) * step
    (codes, labels), (listed, names) = factorise(ids), factorise(ids.tolist())
    assert codes.tolist() == listed.tolist()
    assert labels == names
    assert {type(each) for each in labels} == {int}
