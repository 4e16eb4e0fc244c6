"""Prompt files as people have them: other columns, other separators, other encodings."""

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.prompts import PromptRow, read_prompts
from evalplatform.promptsets.reading.text import decode


def read(content, format, **options):
    given = content if isinstance(content, bytes) else content.encode()
    return read_prompts(given, format=format, name="p", **options)


def texts(content, format, **options):
    return [row.text for row in read(content, format, **options).rows]


def refused(content, format, **options):
    with pytest.raises(BadInputError) as raised:
        read(content, format, **options)
    said = raised.value.for_command()
    assert "\n" not in said
    return said


# -- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("tsv", "Prompt\tVotes\tSeed\na cat\t3,4\t1\na dog\t\t\n"),
        ("csv", "prompt,votes,Seed\na cat,3,1\na dog,,\n"),
        ("jsonl", '{"prompt": "a cat", "votes": [1]}\n{"PROMPT": "a dog", "Seed": {"a": 1}}\n'),
    ],
)
def test_other_columns_are_named_and_not_read(format, content):
    file = read(content, format)
    assert [row.text for row in file.rows] == ["a cat", "a dog"]
    (note,) = file.notes
    assert note.lower() == "columns not read: 'votes', 'seed'."


def test_many_other_columns_are_counted():
    file = read("prompt," + ",".join(f"c{n}" for n in range(13)) + "\na cat\n", "csv")
    assert file.notes[0].endswith("'c9' and 3 more.")


def test_capitals_of_columns_mean_nothing_in_any_format():
    wanted = [PromptRow("a cat", "Animals", "Basic", "two words", ["flat"])]
    line = '{"Prompt": "a cat", "CATEGORY": "Animals", "challenge": "Basic", '
    line += '"Note": "two words", "Tags": ["flat"]}'
    assert read(line, "jsonl").rows == wanted
    table = "PROMPT,Category,challenge,NOTE,Tags\na cat,Animals,Basic,two words,flat\n"
    assert read(table, "csv").rows == wanted


def test_null_and_nan_are_empty_and_whole_numbers_are_text():
    line = '{"prompt": "a", "category": null, "note": NaN, "challenge": 3, "tags": null}'
    assert read(line, "jsonl").rows == [PromptRow("a", challenge="3")]


def test_plural_of_the_column_is_taken():
    assert texts("Prompts,Category\na cat,Colours\n", "csv") == ["a cat"]


def test_column_is_chosen_by_its_name():
    content = "id,caption,prompt,kind\n1,a cat,yes,Animals\n"
    chosen = {"prompt": "caption", "category": "kind"}
    file = read(content, "csv", columns=chosen)
    assert file.rows == [PromptRow("a cat", "Animals")]
    assert file.notes == ["columns not read: 'id', 'prompt'."]
    assert read(content, "csv", columns={"note": "id"}).rows == [PromptRow("yes", note="1")]
    left_out = read("prompt,note\na cat,secret\n", "csv", columns={"note": ""})
    assert left_out.rows == [PromptRow("a cat")]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"colour": "x"},
            "a column is named for 'colour', and there is no such field; fields are prompt",
        ),
        ({"prompt": "x"}, "has no column 'x'; its columns are 'prompt'"),
        ({"prompt": ""}, "has no column Prompt"),
    ],
)
def test_column_that_is_not_there_is_refused(columns, says):
    assert says in refused("prompt\na cat\n", "csv", columns=columns)


def test_column_of_json_is_chosen_line_by_line():
    content = '{"caption": "a cat"}\n{"caption": "a dog", "prompt": "no"}\n'
    assert texts(content, "jsonl", columns={"prompt": "caption"}) == ["a cat", "a dog"]


def test_missing_column_says_the_way_out():
    said = refused("caption,seed\na cat,1\n", "csv")
    assert "its columns are 'caption', 'seed'" in said
    assert "--column prompt=NAME" in said
    assert "--format txt" in said


def test_index_column_of_a_data_frame_is_passed_over():
    file = read(",prompt\n0,a cat\n1,a dog\n", "csv")
    assert [row.text for row in file.rows] == ["a cat", "a dog"]
    assert file.notes == ["columns not read: one without a name."]


# -- what Excel writes ---------------------------------------------------------------------------


def test_semicolons_and_tabs_of_csv_are_told_from_the_header():
    assert texts("\ufeffPrompt;Category\r\na cat, red;Tiere\r\n", "csv") == ["a cat, red"]
    assert texts("Prompt\tCategory\na cat, red\tAnimals\n", "csv") == ["a cat, red"]
    assert texts("sep=;\r\nPrompt;Category\r\na;b\r\n", "csv") == ["a"]
    assert texts("kind;caption\nb;a\n", "csv", columns={"prompt": "caption"}) == ["a"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_text_is_read_by_its_mark(encoding):
    text = "Prompt\tCategory\r\nein grüner Käfer 🐞\tTiere\r\n"
    content = ("\ufeff" * encoding.endswith("be") + text).encode(encoding)
    assert texts(content, "txt or tsv") == ["ein grüner Käfer 🐞"]


def test_empty_columns_and_rows_are_passed_over():
    file = read("Prompt,Category,,\r\na cat,Animals,,\r\n,,,\r\n\r\na dog,,,\r\n", "csv")
    assert [row.text for row in file.rows] == ["a cat", "a dog"]
    assert file.notes == []
    assert texts("Prompt\na cat\t\t\n", "tsv") == ["a cat"]
    assert "line 2 has 2 fields" in refused("Prompt\na cat\tx\n", "tsv")


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "txt"])
def test_line_ends_of_an_old_macintosh_are_read(format):
    content = {
        "csv": "Prompt,Category\ra cat,x\ra dog,x\r",
        "tsv": "Prompt\tCategory\ra cat\tx\ra dog\tx\r",
        "jsonl": '{"prompt": "a cat"}\r{"prompt": "a dog"}\r',
        "txt": "a cat\ra dog\r",
    }[format]
    assert texts(content, format) == ["a cat", "a dog"]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (['"a sign: ""Open"", lit"', "a mug"], ['a sign: "Open", lit', "a mug"]),
        (['"""both"""', "a mug"], ['"both"', "a mug"]),
        (['"a cat, red"', "a mug"], ["a cat, red", "a mug"]),
        (['"a cat\non a mat"', "a mug"], ["a cat\non a mat", "a mug"]),
    ],
)
def test_marks_that_a_spreadsheet_set_are_taken_off_and_told(lines, wanted):
    file = read("Prompt\tCategory\r\n" + "".join(f"{line}\tx\r\n" for line in lines), "tsv")
    assert [row.text for row in file.rows] == wanted
    assert {row.category for row in file.rows} == {"x"}
    assert file.notes[0].startswith("a spreadsheet put 1 field in quotation marks")


def test_header_in_quotation_marks_says_that_all_are_set():
    assert texts('"Prompt"\t"Category"\n"a cat"\t"x"\n', "tsv") == ["a cat"]


@pytest.mark.parametrize(
    "lines",
    [
        ['a "quoted sign', '"both"'],
        ['"both"'],
        ['"a cat, red"', "a mug, blue"],  # Excel would have quoted the second one too
        ['"', "a mug"],
        ['5" tall', "a mug"],
    ],
)
def test_marks_that_belong_to_prompts_are_kept(lines):
    file = read("Prompt\n" + "\n".join(lines), "tsv")
    assert [row.text for row in file.rows] == lines
    assert file.notes == []


def test_marks_that_may_be_either_are_kept_and_told():
    lines = ['"a sign: ""Open"""', 'a mug of 5" height']
    file = read("Prompt\n" + "\n".join(lines), "tsv")
    assert [row.text for row in file.rows] == lines
    assert file.notes[0].startswith("line 2 looks as if a spreadsheet")


# -- lists, JSON and parquet ---------------------------------------------------------------------


def test_text_file_is_one_prompt_a_line():
    assert texts("a cat, red\r\n\r\n a dog \r\n", "txt") == ["a cat, red", " a dog "]
    assert texts("a cat\na dog", "txt or tsv") == ["a cat", "a dog"]
    assert "every line is a prompt" in refused("a cat", "txt", columns={"prompt": "x"})


def test_text_file_that_begins_with_a_header_is_refused_with_the_two_ways():
    said = refused("Prompt\na cat\n", "txt or tsv")
    assert "the format is tsv if that names the column, or txt if it is a prompt" in said
    assert "--format says it" in said
    assert texts("Prompt\na cat\n", "txt") == ["Prompt", "a cat"]


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_json_is_a_list_or_lines_of_texts_or_objects(format):
    wanted = ["a cat", "a dog"]
    assert texts('["a cat", "a dog"]', format) == wanted
    assert texts('[{"prompt": "a cat"},\n {"prompt": "a dog"}]', format) == wanted
    assert texts('{"prompt": "a cat"}\n\n{"prompt": "a dog"}', format) == wanted
    assert texts('"a cat"\n"a dog"\n', format) == wanted
    assert "entry 2 has no text" in refused('["a cat", 3]', format)


def parquet_file(**columns):
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_parquet_of_a_hub_is_read_without_its_images():
    content = parquet_file(
        Prompt=["a cat", "a dog"],
        Category=pa.array(["Animals", None]).dictionary_encode(),
        image=pa.array([{"bytes": b"\x89PNG", "path": "0.png"}] * 2),
        tags=[["flat", "red"], None],
        Note=pa.array([1.5, None]).cast(pa.int64(), safe=False),
    )
    file = read(content, "parquet")
    assert file.rows == [
        PromptRow("a cat", "Animals", note="1", tags=["flat", "red"]),
        PromptRow("a dog"),
    ]
    assert file.notes == ["columns not read: 'image'."]
    assert texts(parquet_file(caption=["a"]), "parquet", columns={"prompt": "caption"}) == ["a"]
    assert "row 2 has an empty prompt" in refused(parquet_file(prompt=["a", " "]), "parquet")
    assert "row 1 has no text" in refused(parquet_file(prompt=[None, "a"]), "parquet")
    assert "cannot be read as parquet" in refused(content[:-9], "parquet")


# -- repeats, lengths, what is no text -----------------------------------------------------------


def test_all_repeats_are_named_at_once_or_dropped_and_counted():
    content = "".join(f'{{"prompt": "{each}"}}\n' for each in ["a", "b", "a", "a ", "b", "a"])
    said = refused(content, "jsonl")
    assert "repeated prompts: 3 (line 3 as 1, 5 as 2, 6 as 1)" in said
    assert "--drop-repeats" in said
    file = read(content, "jsonl", drop_repeats=True)
    assert [row.text for row in file.rows] == ["a", "b", "a "]
    assert file.notes == ["repeated prompts dropped: 3 (line 3 as 1, 5 as 2, 6 as 1)."]


@pytest.mark.parametrize("field", ["category", "challenge", "tags"])
def test_long_labels_are_kept_whole_or_refused_naming_the_line(field):
    kept = "photorealistic rendering " * 8
    row = read(f"prompt,{field}\na cat,{kept[:200]}\n", "csv").rows[0]
    assert getattr(row, field) in (kept[:200].strip(), [kept[:200].strip()])
    said = refused(f"prompt,{field}\na cat,\na dog,{'x' * 201}\n", "csv")
    assert f"line 3: the {field} has 201 characters, at most 200" in said


def test_row_of_several_lines_is_named_by_its_first():
    assert "line 4 has an empty" in refused('prompt,note\n"a\nb",\n,x\n', "csv")
    assert "line 2 is not valid CSV" in refused('prompt\n"a cat\nb\n', "csv")


def test_prompt_of_a_million_characters_is_read():
    long = "a cat " * 200_000
    for format, content in (("csv", f"prompt\n{long}\n"), ("txt", long), ("jsonl", f'["{long}"]')):
        assert texts(content, format) == [long]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04...", "Excel workbook"),
        (b"\x1f\x8b...", "gunzip"),
        (b"PAR1...", "say that the format is parquet"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "download the raw file"),
        ("a\nb\ncafé".encode("latin-1"), "line 3 is not UTF-8 (byte 0xe9)"),
        (b"\xff\xfea\x00\n\x00b", "line 2 is not UTF-16"),
        ("a\nb".encode("utf-16-le"), "line 1 holds a NUL"),
    ],
)
def test_file_that_is_no_text_is_told_by_what_it_is(content, says):
    with pytest.raises(BadInputError) as raised:
        decode(content, "p")
    assert says in str(raised.value)
