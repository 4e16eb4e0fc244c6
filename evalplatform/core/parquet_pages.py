"""What the pages of a Parquet file come to, read from their headers alone: nothing is unpacked.

The file's footer says what each column comes to as well, but whoever made the file wrote that; the
reader itself goes by the headers. They are Thrift's compact protocol: `PageHeader` of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

_HEADER_BYTES = 2**14
_LONGEST_HEADER = 2**24  # as Arrow has it: a header may hold the least and the largest cell
_MOST_FIELDS = 64
_DEEPEST = 8
_DICTIONARY_PAGE = 2
_HEADS = {0: (5, 2), _DICTIONARY_PAGE: (7, 2), 3: (8, 4)}
"""By the kind of a page: the field of its own header, and the field of the encoding in that."""


class ColumnPage(NamedTuple):
    """One page: whether it is a dictionary, where its packed bytes begin, how many bytes it is
    packed and unpacked, its values and its encoding."""

    is_dictionary: bool
    begins: int
    packed: int
    unpacked: int
    values: int
    encoding: int


class PagesError(ValueError):
    """A header that cannot be read."""


def pages(file: BinaryIO, start: int, size: int) -> Iterator[ColumnPage]:
    """Yield the pages of a column chunk of `size` bytes that begins at `start`.

    Raises `PagesError` where a header cannot be read.
    """
    at, end = start, start + size
    while at < end:
        header, length = _header(file, at)
        kind, unpacked, packed = (_number(header.get(field)) for field in (1, 2, 3))
        if kind not in _HEADS:
            raise PagesError(f"a page is of kind {kind}, which holds no cells")
        head, encoding = _HEADS[kind]
        said = header.get(head)
        if not isinstance(said, dict):
            raise PagesError("a page's header lacks what its kind says")
        yield ColumnPage(
            kind == _DICTIONARY_PAGE, at + length, packed, unpacked,
            _number(said.get(1)), _number(said.get(encoding)),
        )  # fmt: skip
        at += length + packed


def _number(value: Any) -> int:
    # Arrow keeps the lower 32 bits of a number: what is beyond them would be read as another.
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise PagesError("a page's header lacks a number")
    return value


def _header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the header at a place, and how long it is."""
    for most in (_HEADER_BYTES, _LONGEST_HEADER):
        file.seek(at)
        reader = _Compact(file.read(most))
        try:
            return reader.struct(), reader.at
        except IndexError:
            continue
    raise PagesError("a page's header is cut off")


class _Compact:
    """Thrift's compact protocol, as much as a page's header needs; texts are passed over."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a struct by their numbers. IndexError: the content ends before."""
        found: dict[int, Any] = {}
        field = 0
        for _ in range(_MOST_FIELDS):
            head = self._byte()
            if head == 0:
                return found
            field = field + (head >> 4) if head >> 4 else _signed(self._varint())
            # Arrow keeps 16 bits of a field's number, and of a field given twice the right type.
            if field in found or not 0 < field < 2**15:
                raise PagesError("a page's header holds a field twice, or one that no header has")
            found[field] = self._value(head & 15, depth)
        raise PagesError("a page's header has no end")

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return _signed(self._varint())
        if kind in (7, 8):
            length = 8 if kind == 7 else self._varint()
            self.at += length  # only now: reading the length has moved it
            if self.at > len(self._content):
                raise IndexError
            return None
        if kind == 12 and depth < _DEEPEST:
            return self.struct(depth + 1)
        raise PagesError("a page's header holds what no header has")

    def _byte(self) -> int:
        byte = self._content[self.at]
        self.at += 1
        return byte

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise PagesError("a number in a page's header is too long")


def _signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def longest_text(file: BinaryIO, page: ColumnPage, codec: str) -> int:
    """Return the length in bytes of the longest text of a dictionary, which is unpacked for it."""
    import pyarrow

    file.seek(page.begins)
    content = file.read(page.packed)
    if codec != "UNCOMPRESSED":
        content = pyarrow.decompress(content, page.unpacked, codec=codec.lower(), asbytes=True)
    at = longest = 0
    while at + 4 <= len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        longest = max(longest, length)
        at += 4 + length
    return min(longest, len(content))


def opened(source: Any) -> BinaryIO:
    """Return a path's file, or bytes as one."""
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
