"""Sums of long tables of a few columns: quick, and to the last digit those of numpy."""

import numpy as np
import pytest

from evalplatform.stats.votes.chunking import column_sums, row_sums


@pytest.mark.parametrize("width", range(2, 11))
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_are_those_of_numpy_to_the_last_digit(width, order):
    table = np.array(np.random.default_rng(width).normal(size=(2000, width)), order=order)
    assert row_sums(table).tobytes() == table.sum(axis=1).tobytes()
    rows = np.ascontiguousarray(table)
    assert column_sums(rows).tobytes() == rows.sum(axis=0).tobytes()


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64])
def test_whole_numbers_do_not_run_over(kind):
    table = np.full((3, 4), 200).astype(kind)
    assert row_sums(table).tolist() == table.astype(np.int64).sum(axis=1).tolist()
