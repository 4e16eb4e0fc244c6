"""What captions of a paper pack say of all rows of their table."""

import pytest

from evalplatform.exports.paper.tables import _method

BOTH_WAYS = "clustered; t with {} df (Satterthwaite)"
FEW = BOTH_WAYS + "; few votes differ, so {} % of the variance is assumed: 0.1 of the spread"


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ([BOTH_WAYS.format("12.5")] * 2, "Intervals: clustered; t with 12.5 df (Satter"),
        (
            [BOTH_WAYS.format(each) for each in ("12.5", "3.1", "1e+04")],
            "Intervals: clustered; t with 3.1 to 1e+04 df (Satterthwaite). ",
        ),
        (
            ["none", BOTH_WAYS.format("9"), FEW.format("7", "5"), FEW.format("8", "21")],
            "Satterthwaite). In some rows: clustered; t with 7 to 8 df (Satterthwaite); few "
            "votes differ, so 5 to 21 \\% of the variance is assumed: 0.1 of the spread. ",
        ),
        (["none"], ""),
    ],
)
def test_a_caption_speaks_of_every_row_of_its_table(methods, said):
    """The degrees of freedom of the first row alone stood for all."""
    assert said in _method(methods)
