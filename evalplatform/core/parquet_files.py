"""Parquet files that somebody else made: read a few rows at a time, or refused beforehand.

A file of a few kilobytes may unpack to many gigabytes: a page is unpacked whole, a text of a
dictionary may stand in every row, and a list may have any length. So the headers of the pages are
looked at first (`parquet_pages`), and say how many rows may be read at once, or that none may.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from evalplatform.core.errors import BadInputError
from evalplatform.core.parquet_pages import ColumnPage, PagesError, longest_text, opened, pages
from evalplatform.core.parquet_windows import Chunk, rows_within

MIB = 2**20
TEXT_BYTES, IMAGE_BYTES = 256 * MIB, 512 * MIB
"""What the pages that are read at once may come to unpacked: of texts, and where images are."""
LIST_VALUES, LIST_BYTES, LIST_TEXT_BYTES = 2_000_000, 256 * MIB, 1024 * MIB
"""What a column of lists may come to in a row group, where one row may hold all of it."""
FOOTER_BYTES = 64 * MIB
MOST_PAGES = 1_000_000
_DICTIONARY_BYTES = 4 * MIB  # that are unpacked to look for their longest text
_DELTA_BYTE_ARRAY = 7  # each text says how much of the one before it begins it
_TEXTS = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")

Source = Path | bytes


def batches(
    source: Source, name: str, columns: Sequence[str], *, rows: int, most: int = TEXT_BYTES
) -> Iterator[Any]:
    """Yield the columns' record batches, of `rows` rows at most.

    Args:
        source: the file, or its content.
        name: how messages name it.
        columns: those that are read, by the name of the whole column.
        most: bytes that pages may come to that are unpacked at once.

    Raises `BadInputError` for a file that is broken, or that takes more memory than it may: before
    anything of it is unpacked.
    """
    from pyarrow import ArrowException

    try:
        with open_parquet(source, name) as file:
            at_once = rows_at_once(source, name, file.metadata, columns, rows=rows, most=most)
            for group, count in enumerate(at_once):  # a batch must not span two of them
                yield from file.iter_batches(
                    count, row_groups=[group], columns=list(columns), use_threads=False
                )
    except (ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise unreadable(name, error) from error


def rows_of(batch: Any, name: str) -> list[dict[str, Any]]:
    """Return a batch's rows by column. Raises `BadInputError` for a text that is no UTF-8."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError) as error:
        raise unreadable(name, error) from error
    return rows


def open_parquet(source: Source, name: str) -> Any:
    """Open a file for reading by rows. Raises `BadInputError` where it cannot be."""
    from pyarrow import ArrowException, BufferReader, parquet

    _check_footer(source, name)
    try:
        given = BufferReader(source) if isinstance(source, bytes) else source
        return parquet.ParquetFile(given, pre_buffer=False, buffer_size=MIB)
    except (ArrowException, OSError, ValueError, MemoryError) as error:
        raise unreadable(name, error) from error


def holds_bytes(kind: Any) -> bool:
    """Whether a column of an Arrow type holds bytes somewhere, such as a hub's images."""
    from pyarrow import types

    if types.is_nested(kind):
        return any(holds_bytes(kind.field(each).type) for each in range(kind.num_fields))
    return is_binary(kind)


def is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def unreadable(name: str, error: BaseException) -> BadInputError:
    """Return what is said of a file that is broken."""
    first = str(error).split("\n")[0][:160] or type(error).__name__
    said = "".join(each if each.isprintable() else "?" for each in first)
    return BadInputError(f"{name} cannot be read as parquet ({said}); write the file again.")


def _check_footer(source: Source, name: str) -> None:
    with opened(source) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        magic = file.read(4)
    if magic == b"PAR1" and FOOTER_BYTES < length <= size:
        raise BadInputError(
            f"{name} has a footer of {_mib(length)}; at most {_mib(FOOTER_BYTES)} are read: write "
            "it with fewer columns and row groups."
        )


def rows_at_once(
    source: Source, name: str, metadata: Any, columns: Sequence[str], *, rows: int, most: int
) -> list[int]:
    """Return how many rows of some columns may be read at once of each row group, 1 to `rows`.

    Raises `BadInputError` where their pages, or one row, may take more than `most` bytes.
    """
    used = [
        at for at in range(metadata.num_columns) if _is_of(metadata.schema.column(at).path, columns)
    ]
    at_once, count = [], 0
    with opened(source) as file:
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            where = f"{name}: row group {group}"
            chunks = []
            for at in used:
                column, schema = row_group.column(at), metadata.schema.column(at)
                place = f"{where}, column {column.path_in_schema}"
                is_wide = schema.physical_type == "FIXED_LEN_BYTE_ARRAY"
                width = schema.length if is_wide else 0
                _check_held(width, most, place)
                found = chunk_of(
                    file, column, place, has_lists=schema.max_repetition_level > 0, width=width
                )
                count += found.pages
                if count > MOST_PAGES:
                    raise BadInputError(
                        f"{place} is beyond {MOST_PAGES:,} pages; write larger pages."
                    )
                _check_held(found.largest, most, place)
                chunks.append(found)
            held = sum(each.largest for each in chunks)
            _check_held(held, most, f"{where}, its {len(used)} columns together")
            at_once.append(rows_within(chunks, rows, most))
    return at_once


def _is_of(path: str, columns: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in columns)


def chunk_of(file: BinaryIO, column: Any, where: str, *, has_lists: bool, width: int = 0) -> Chunk:
    """Return what the pages of a column come to in a row group, by their headers alone.

    `width`: bytes that each row takes in memory even where it holds nothing; 0 for none.
    """
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    dictionary = largest = whole = count = 0
    repeated = longest = width
    sizes, values = array("q"), array("q")
    texts = column.physical_type in _TEXTS
    try:
        for page in pages(file, start, column.total_compressed_size):
            count += 1
            if count > MOST_PAGES:
                break
            whole += page.unpacked
            if page.is_dictionary:
                dictionary = max(dictionary, page.unpacked)
            else:
                largest = max(largest, page.unpacked)
                sizes.append(page.unpacked)
                values.append(page.values)
            if texts and _repeats(page):
                repeated = max(repeated, page.unpacked)
                if has_lists:
                    longest = max(longest, _longest(file, page, column.compression))
    except PagesError as error:
        raise unreadable(where, error) from error
    if has_lists:
        _check_lists(whole, sum(values), longest, where)
        return Chunk(dictionary, repeated, count, largest)
    return Chunk(dictionary, repeated, count, largest, sizes, values)


def _longest(file: BinaryIO, page: ColumnPage, codec: str) -> int:
    """The longest text, in bytes, that a page may put into many places."""
    if page.is_dictionary and page.unpacked <= _DICTIONARY_BYTES:
        with suppress(ValueError, OSError, OverflowError):  # such as a codec that is not known
            return longest_text(file, page, codec)
    return page.unpacked


def _repeats(page: ColumnPage) -> bool:
    """Whether a text of this page may stand in many rows at the cost of few bytes."""
    return page.is_dictionary or page.encoding == _DELTA_BYTE_ARRAY


def _check_held(held: int, most: int, where: str) -> None:
    if held > most:
        raise BadInputError(
            f"{where}: what must be unpacked at once comes to {_mib(held)}; at most {_mib(most)} "
            "are: write the file with smaller row groups (row_group_size=100), and leave out cells "
            "as large as that."
        )


def _check_lists(whole: int, values: int, longest: int, where: str) -> None:
    if values > LIST_VALUES or whole > LIST_BYTES or values * longest > LIST_TEXT_BYTES:
        raise BadInputError(
            f"{where}: its lists come to {values:,} values, {_mib(whole)} of pages and up to "
            f"{_mib(values * longest)} of text; at most {LIST_VALUES:,}, {_mib(LIST_BYTES)} and "
            f"{_mib(LIST_TEXT_BYTES)} are in one row group: write smaller ones "
            "(row_group_size=100)."
        )


def _mib(size: int) -> str:
    return f"{-(-size // MIB):,} MiB"
