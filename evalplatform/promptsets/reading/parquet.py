"""Prompt files of parquet, as a hub's data sets are. Images in other columns are not read."""

from collections.abc import Iterator
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.columns import Chosen, check_header, fields_of
from evalplatform.promptsets.reading.tables import PromptTable
from evalplatform.promptsets.reading.words import one_line

_ROWS_AT_A_TIME = 1024


def read_parquet(content: bytes, name: str, chosen: Chosen) -> PromptTable:
    """Read the columns that hold our fields, a thousand rows at a time."""
    from pyarrow import ArrowException, BufferReader, parquet

    try:
        file = parquet.ParquetFile(BufferReader(content), pre_buffer=False)
        names = [str(each) for each in file.schema_arrow.names]
    except (ArrowException, OSError, ValueError, MemoryError) as error:
        raise _unreadable(name, error) from error
    check_header(names, chosen, name)
    used = sorted(set(fields_of(names, chosen, name).values()))
    others = dict.fromkeys((each for each in names if each not in used), None)
    return PromptTable("row", _rows(file, used, others, name))


def _rows(
    file: Any, used: list[str], others: dict[str, None], name: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    from pyarrow import ArrowException

    number = 0
    try:
        for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=used, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield number, others | row
    except (ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: BaseException) -> BadInputError:
    said = one_line(str(error), 160) or type(error).__name__
    return BadInputError(f"{name} cannot be read as parquet ({said}); write the file again.")
