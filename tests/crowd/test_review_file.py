"""The reviewed list as spreadsheets and text editors leave it: read as meant, or refused there."""

from decimal import Decimal

import pytest

from evalplatform.core.errors import BadInputError
from evalplatform.crowd.review_file import COLUMNS, Decision, read_review

LINES = [
    ",".join(COLUMNS),
    "a,s1,p1,ann-1,AWAITING REVIEW,2,1.0,,,approve,1.50",
    "a,s2,p2,ann-2,AWAITING REVIEW,2,1.0,,manual,look,",
]


def read(tmp_path, content):
    path = tmp_path / "review.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_review(path, most_bonus=Decimal(20))


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8-sig"), (";", "utf-8-sig"), ("\t", "utf-16")]
)
def test_list_that_a_spreadsheet_saved_is_read(tmp_path, separator, encoding):
    rows = [list(reversed(line.split(","))) for line in LINES]
    rows += [[""] * len(COLUMNS), [""] * len(COLUMNS)]  # cells that were emptied
    content = "\r\n".join(separator.join(row) for row in rows).encode(encoding)
    assert read(tmp_path, content) == (
        "a",
        [
            Decision("s1", True, Decimal("1.50"), "ann-1", 2),
            Decision("s2", False, None, "ann-2", 3),
        ],
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1.50", "1,50", "line 2: 12 cells, and the header has 11; remove the separator"),
        ("1.50", '"1,50"', "line 2: bonus '1,50' is no amount; write 1.50"),
        ("1.50", "$1.50", r"line 2: bonus '\$1.50' is no amount; write 1.50"),
        ("1.50", "1_5", "line 2: bonus '1_5' is no amount"),
        ("status", "bonus", "has two columns 'bonus'; remove one"),
        ("\na,s1", "\n\n\nb,s1", "line 5: campaign 'a'; every row names the same one"),
        ("s2", "s1", "line 3: this submission stands above already, on line 2; keep one"),
    ],
)
def test_list_that_was_spoilt_is_refused_on_its_line(tmp_path, old, new, words):
    with pytest.raises(BadInputError, match=words):
        read(tmp_path, "\n".join(LINES).replace(old, new, 1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; give CSV with a header"),
        (b"PK\x03\x04\x00\xff", "is not text in UTF-8; save the sheet as CSV"),
        (LINES[0].encode() + b"\r\n,,,\r\n", "has no row below its header"),
    ],
)
def test_file_that_is_no_list_says_so(tmp_path, content, words):
    with pytest.raises(BadInputError, match=words):
        read(tmp_path, content)
