"""Prompt files of parquet, as a hub's data sets are. Images in other columns are not read."""

from collections.abc import Iterator
from typing import Any

from evalplatform.core.parquet_files import batches, open_parquet, rows_of
from evalplatform.promptsets.reading.columns import Chosen, check_header, fields_of
from evalplatform.promptsets.reading.tables import PromptTable

_ROWS_AT_A_TIME = 1024


def read_parquet(content: bytes, name: str, chosen: Chosen) -> PromptTable:
    """Read the columns that hold our fields, a thousand rows at a time."""
    with open_parquet(content, name) as file:
        names = [str(each) for each in file.schema_arrow.names]
    check_header(names, chosen, name)
    used = sorted(set(fields_of(names, chosen, name).values()))
    others = dict.fromkeys((each for each in names if each not in used), None)
    return PromptTable("row", _rows(content, used, others, name))


def _rows(
    content: bytes, used: list[str], others: dict[str, None], name: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for batch in batches(content, name, used, rows=_ROWS_AT_A_TIME):
        for row in rows_of(batch, name):
            number += 1
            yield number, others | row
