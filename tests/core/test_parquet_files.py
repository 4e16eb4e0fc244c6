"""Parquet that unpacks to far more than it is: refused before it is unpacked, or read in parts."""

import io
from array import array
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyarrow import parquet

from evalplatform.core.errors import BadInputError
from evalplatform.core.parquet_files import MIB, batches, chunk_of, open_parquet, rows_of
from evalplatform.core.parquet_pages import PagesError, pages
from evalplatform.core.parquet_windows import Chunk, most_touched, rows_within
from evalplatform.images.reading.shards import ParquetRows
from evalplatform.imports.reading.tables import open_table
from evalplatform.promptsets.building import peek
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.peek import first_rows
from evalplatform.promptsets.reading.prompts import ENDINGS, read_prompts


def written(path, columns, **options):
    parquet.write_table(pa.table(columns), path, compression="zstd", **options)
    return path


def read(path, columns, **limits):
    return list(batches(path, path.name, columns, rows=1024, **limits))


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """A file of a few kilobytes with one cell of 300 MiB."""
    folder = tmp_path_factory.mktemp("bomb")
    giant = ["0" * (300 * MIB)]
    path = written(folder / "bomb.parquet", {"prompt": giant, "winner": ["a"]})
    assert path.stat().st_size < 2**18
    return path


@pytest.fixture
def unpacks_nothing(monkeypatch):
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", lambda *a, **k: 1 / 0)


@pytest.mark.parametrize(
    "way",
    [
        lambda path: list(Log.at(path).lines(lambda _: None)),
        lambda path: first_rows(Log.at(path)),
        lambda path: read_prompts(path.read_bytes(), format="parquet", name=path.name),
        lambda path: list(open_table(path).rows()),
        lambda path: list(ParquetRows([path], {"image": "prompt"}, needs_prompt=False).rows()),
    ],
    ids=["log", "first rows", "prompts", "votes", "images"],
)
def test_giant_cell_is_refused_before_it_is_unpacked(bomb, unpacks_nothing, way):
    with pytest.raises(BadInputError) as refused:
        way(bomb)
    said = str(refused.value)
    assert "bomb.parquet: row group 0, column prompt: what must be unpacked at once" in said
    assert "at most 256 MiB are: write the file with smaller row groups" in said


def test_giant_row_group_of_small_cells_is_read_a_few_rows_at_a_time(tmp_path):
    texts = [f"a cat, number {at}" for at in range(50_000)]
    path = written(tmp_path / "long.parquet", {"prompt": texts}, row_group_size=50_000)
    found = read(path, ["prompt"])
    assert [text for batch in found for text in batch["prompt"].to_pylist()] == texts
    assert 100 < max(map(len, found)) <= 1024


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["snappy", "gzip", "none"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_pages_of_every_kind_are_read(version, compression, use_dictionary):
    rows = range(3000)
    table = pa.table(
        {
            "prompt": [f"a cat {at % 97}" for at in rows],
            "tags": [["x", str(at % 50)] if at % 3 else None for at in rows],
            "image": [{"bytes": b"abc" * (at % 7), "path": f"{at}.png"} for at in rows],
            "none": pa.array([None] * len(rows)),
            "grade": [at / 2 for at in rows],
        }
    )
    out = io.BytesIO()
    parquet.write_table(
        table, out, data_page_version=version, compression=compression, row_group_size=1100,
        use_dictionary=use_dictionary, write_page_checksum=True, data_page_size=4096,
    )  # fmt: skip
    found = batches(out.getvalue(), "a.parquet", table.column_names, rows=1024)
    assert pa.Table.from_batches(found).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    "options",
    [
        {"dictionary_pagesize_limit": 64 * MIB},
        {"use_dictionary": False, "column_encoding": {"prompt": "DELTA_BYTE_ARRAY"}},
    ],
    ids=["dictionary", "delta"],
)
def test_text_that_stands_in_every_row_is_read_in_few_rows(tmp_path, options):
    texts = pa.array(["0" * MIB] * 64)
    path = written(tmp_path / "same.parquet", {"prompt": texts}, **options)
    assert path.stat().st_size < 2**18
    found = batches(path, path.name, ["prompt"], rows=1024, most=32 * MIB)
    assert 16 <= next(found).num_rows <= 32


@pytest.mark.parametrize("row_group_size", [50, 1])
def test_many_pages_of_one_giant_cell_are_read_in_few_rows(tmp_path, row_group_size):
    texts = pa.array(["0" * MIB] * 50)
    path = written(
        tmp_path / "pages.parquet", {"prompt": texts}, use_dictionary=False, write_batch_size=1,
        data_page_size=1, row_group_size=row_group_size,
    )  # fmt: skip
    assert path.stat().st_size < 2**15
    found = read(path, ["prompt"], most=5 * MIB)
    assert sum(map(len, found)) == 50
    assert max(batch.nbytes for batch in found) < 5 * MIB


def test_cells_of_a_fixed_length_that_hold_nothing_are_read_in_few_rows(tmp_path):
    empty = pa.array([None] * 20, pa.binary(MIB))
    path = written(tmp_path / "fixed.parquet", {"prompt": empty}, use_dictionary=False)
    assert path.stat().st_size < 2**10
    found = read(path, ["prompt"], most=5 * MIB)
    assert sum(map(len, found)) == 20
    assert max(batch.nbytes for batch in found) < 5 * MIB
    with pytest.raises(BadInputError, match="unpacked at once comes to 1 MiB"):
        read(path, ["prompt"], most=MIB - 1)


def test_rows_are_as_many_as_the_pages_they_touch_allow():
    assert most_touched([9, 1, 1, 9], [10, 1, 1, 10], 1) == 9
    assert most_touched([9, 1, 1, 9], [10, 1, 1, 10], 3) == 11
    assert most_touched([9, 1, 1, 9], [10, 1, 1, 10], 4) == 20
    assert most_touched([5, 7, 5], [1, 0, 1], 2) == 17
    assert most_touched([], [], 4) == 0
    pages = Chunk(0, 0, 4, 9, array("q", [9, 1, 1, 9]), array("q", [10, 1, 1, 10]))
    assert [rows_within([pages], 8, most) for most in (19, 20)] == [3, 8]
    assert rows_within([pages, Chunk(2, 3, 1, 0)], 8, 20) == 2


def test_lists_of_two_row_groups_are_never_in_one_batch(tmp_path):
    path = written(tmp_path / "lists.parquet", {"tags": [["x"]] * 6}, row_group_size=2)
    assert [len(batch) for batch in read(path, ["tags"])] == [2, 2, 2]


def test_pages_are_counted_column_by_column(tmp_path, monkeypatch):
    monkeypatch.setattr("evalplatform.core.parquet_files.MOST_PAGES", 5)
    columns = {name: ["a", "b"] for name in "abcd"}
    path = written(tmp_path / "many.parquet", columns)
    with pytest.raises(BadInputError, match=r"row group 0, column c is beyond 5 pages"):
        read(path, list("abcd"))


def test_list_that_comes_to_too_much_is_refused(tmp_path):
    many = written(tmp_path / "many.parquet", {"tags": [["x"] * 2_000_001]})
    with pytest.raises(BadInputError, match=r"its lists come to 2,000,001 values"):
        read(many, ["tags"])
    large = pa.ListArray.from_arrays(
        [0, 2_000],
        pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), ["0" * MIB]),
    )
    path = written(tmp_path / "large.parquet", {"tags": large})
    with pytest.raises(BadInputError, match=r"up to 2,000 MiB of text"):
        read(path, ["tags"])
    usual = written(tmp_path / "usual.parquet", {"tags": [["red", "a cat"], [], None] * 500})
    assert sum(batch.num_rows for batch in read(usual, ["tags"])) == 1500


@pytest.mark.parametrize(
    "image",
    [pa.binary(), pa.large_binary(), pa.struct({"bytes": pa.binary(), "path": pa.string()}),
     pa.list_(pa.binary())],
    ids=str,
)  # fmt: skip
def test_first_rows_read_no_image_beside_the_prompts(tmp_path, monkeypatch, image):
    value = b"0" * MIB
    value = {"bytes": value} if pa.types.is_struct(image) else value
    value = [value] if pa.types.is_list(image) else value
    columns = {"image": pa.array([value] * 4, image), "prompt": ["a cat"] * 4}
    path = written(tmp_path / "hub.parquet", columns, data_page_size=2**23)
    read = []
    ours = peek.batches
    monkeypatch.setattr(
        peek, "batches", lambda *a, **k: read.append(a[2]) or ours(*a, **k, most=MIB // 2)
    )
    found = first_rows(Log.at(path))
    assert found.columns == ["image", "prompt"]
    assert found.rows == [{"image": "", "prompt": "a cat"}] * 4
    assert read == [["prompt"]]
    alone = written(tmp_path / "images.parquet", {"image": columns["image"]})
    assert first_rows(Log.at(alone)).columns == ["image"]


def test_votes_read_no_image_of_a_hub_beside_them(tmp_path):
    images = [{"bytes": b"abc", "path": "0.png"}]
    path = written(tmp_path / "votes.parquet", {"winner": ["a"], "image": images})
    assert list(open_table(path).rows()) == [(1, {"winner": "a"})]


def test_columns_that_are_large_together_are_refused(tmp_path):
    path = written(tmp_path / "wide.parquet", {name: ["0" * MIB] for name in "abc"})
    with pytest.raises(BadInputError, match="its 3 columns together"):
        read(path, ["a", "b", "c"], most=2 * MIB + 1000)
    assert read(path, ["a"], most=2 * MIB + 1000)


def test_header_of_a_page_is_believed_and_not_what_the_footer_says(tmp_path):
    path = written(tmp_path / "a.parquet", {"prompt": ["0" * MIB]})
    with open_parquet(path, path.name) as file:
        column = file.metadata.row_group(0).column(0)
        told = SimpleNamespace(
            total_uncompressed_size=9, total_compressed_size=column.total_compressed_size,
            has_dictionary_page=True, dictionary_page_offset=column.dictionary_page_offset,
            data_page_offset=column.data_page_offset, physical_type="BYTE_ARRAY",
        )  # fmt: skip
    with path.open("rb") as file:
        assert chunk_of(file, told, "here", has_lists=False).largest > MIB


def test_footer_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("evalplatform.core.parquet_files.FOOTER_BYTES", 100)
    path = written(tmp_path / "footer.parquet", {"prompt": ["a"]})
    with pytest.raises(BadInputError, match="has a footer of 1 MiB"):
        open_parquet(path, path.name)


@pytest.mark.parametrize("content", [b"\xff" * 40, b"\x15\x00", b"\x1c" * 40, b"\x00" * 9])
def test_header_of_a_page_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "page").write_bytes(content)
    with (tmp_path / "page").open("rb") as file, pytest.raises(PagesError):
        list(pages(file, 0, len(content)))


def compact(fields):
    """A struct of numbers and structs in Thrift's compact protocol, each with its field."""
    out = bytearray()
    for number, value in fields:
        out.append(12 if isinstance(value, list) else 5)
        out += varint(number)
        out += compact(value) if isinstance(value, list) else varint(value)
    return bytes(out) + b"\0"


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def head_of(kind, *heads):
    return compact([(1, kind), (2, 9), (3, 0), *heads])


PLAIN, DELTA = [(1, 4), (2, 0)], [(1, 4), (2, 7)]
DELTA_V2 = [(1, 4), (2, 0), (3, 4), (4, 7)]


@pytest.mark.parametrize(
    "content",
    [
        head_of(0, (5, DELTA), (8, [])),
        head_of(0, (5, DELTA), (8, [(4, 0)])),
        head_of(3, (5, PLAIN), (8, DELTA_V2)),
    ],
    ids=["empty V2 head", "V2 head of another encoding", "V1 head in a V2 page"],
)
def test_head_of_a_page_is_the_one_of_its_kind(content):
    (page,) = pages(io.BytesIO(content), 0, len(content))
    assert (page.encoding, page.values, page.unpacked) == (7, 4, 9)


@pytest.mark.parametrize(
    "content",
    [
        head_of(0, (8, DELTA_V2)),
        head_of(1, (5, PLAIN)),
        head_of(4, (5, PLAIN)),
        head_of(0, (5, DELTA), (5, PLAIN)),
        head_of(0, (5, [*DELTA, (2, 0)])),
        head_of(0, (5, DELTA), (5 + 2**16, PLAIN)),
        head_of(0, (5, [(1, 4), (2, 7 + 2**32)])),
        head_of(0, (5, [(1, 2**32), (2, 0)])),
    ],
    ids=["no head", "index", "unknown", "two heads", "two encodings", "wide field",
         "wide encoding", "wide count"],
)  # fmt: skip
def test_header_that_arrow_reads_otherwise_is_refused(content):
    with pytest.raises(PagesError):
        list(pages(io.BytesIO(content), 0, len(content)))


def test_spoiled_file_is_refused_in_words(tmp_path):
    path = written(tmp_path / "a.parquet", {"prompt": ["a cat"] * 9})
    content = bytearray(path.read_bytes())
    content[4:12] = b"\xff" * 8
    with pytest.raises(BadInputError, match="cannot be read as parquet"):
        list(batches(bytes(content), "a.parquet", ["prompt"], rows=10))


def test_text_that_is_no_utf8_is_refused_in_one_line():
    out = io.BytesIO()
    table = pa.table({"prompt": ["a cat", "a red dog"]})
    parquet.write_table(table, out, compression="none", use_dictionary=False)
    content = out.getvalue().replace(b"a red dog", b"a \xf0ed dog")
    (batch,) = batches(content, "a.parquet", ["prompt"], rows=10)
    with pytest.raises(BadInputError, match=r"a\.parquet cannot be read as parquet .*utf-8"):
        rows_of(batch, "a.parquet")
    with pytest.raises(BadInputError, match=r"a\.parquet cannot be read as parquet .*utf-8"):
        read_prompts(
            content, format=ENDINGS["parquet"], name="a.parquet", columns={}, drop_repeats=False
        )
