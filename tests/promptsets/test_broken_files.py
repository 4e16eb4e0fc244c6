"""No file ends in a traceback: real files with bytes changed are read, or refused in one line."""

import io
import json
from collections import Counter

import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.prompts import ENDINGS, LONGEST_LABEL, read_prompts

FILES = 2_000  # read in one run
STORED = 60  # of them through the command


def parquet_bytes():
    buffer = io.BytesIO()
    table = pa.table({"Prompt": ["a cat", "é 🐞"], "tags": [["flat"], None], "seed": [1, 2]})
    parquet.write_table(table, buffer, compression="none", write_statistics=False)
    return buffer.getvalue()


TABLE = 'Prompt,Category,Challenge,Note,Tags\n"a ""red"", cat",Animals,Basic,,flat\na dog é,,,,\n'
OBJECTS = [
    {"Prompt": "a cat 🐞", "Category": "Animals", "Note": None, "tags": ["flat", "red"]},
    {"prompt": "a dog", "seed": 3, "include": [{"class": "dog", "count": 1}]},
]
LINES = "".join(json.dumps(each) + "\n" for each in OBJECTS)
REAL = [
    ("csv", TABLE.encode()),
    ("csv", TABLE.replace(",", ";").encode("utf-8-sig")),
    ("tsv", TABLE.replace(",", "\t").replace("\n", "\r\n").encode()),
    ("tsv", b'Prompt\tCategory\na "sign\tArts\na mug \tArts\n'),
    ("txt", TABLE.replace(",", "\t").encode("utf-16")),
    ("txt", "a cat\na dog é\n\na mug \n".encode()),
    ("jsonl", LINES.encode()),
    ("json", json.dumps(OBJECTS).encode()),
    ("json", json.dumps(["a cat", "a dog \u2028"], ensure_ascii=False).encode()),
    ("parquet", parquet_bytes()),
]
PIECES = [
    b"\0", b"\\u0000", b"\\ud83d", b"\xed\xa0\xbd", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\xc3",
    b'"', b'""', b"\t", b",", b";", b"\n", b"\r", b"\r\n", b"\\", b"{", b"[", b"]", b"}", b":",
    b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 5_000, b"[" * 50_000, b'{"a":' * 50_000,
    b"x" * (LONGEST_LABEL + 1), b"a\n" * 3, b"prompt", b"Prompts", b"sep=;\n", b"\xe2\x80\xa8",
    b'"Prompt": 3', b'"prompt": {}', b'"Note": [[]]', b'"tags": [{}]', b"\x1b[31m", b"\xf0\x9f\x98",
]  # fmt: skip

CHOSEN = st.sampled_from([{}] * 8 + [{"prompt": "Note"}, {"tags": ""}])


@st.composite
def broken_files(draw):
    """A real file, changed in one to four places evenly: its ending and its bytes."""
    random = draw(st.randoms(use_true_random=True))
    ending, content = random.choice(REAL)
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(content))
        end = min(len(content), start + random.choice([0, 0, 1, 2, 8, 40]))
        doubled, noise = content[start:end] * 2, random.randbytes(random.randint(1, 4))
        content = content[:start] + random.choice([b"", doubled, noise, *PIECES]) + content[end:]
    return random.choice([ending] * 9 + list(ENDINGS)), content


def assert_one_line(said):
    assert said.isprintable()
    assert said.startswith("p.")
    assert len(said) < 2_000


def test_broken_file_is_read_or_refused_in_one_line():
    outcomes = Counter()

    @settings(max_examples=FILES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(broken_files(), st.booleans(), CHOSEN)
    def read_one(file, drop_repeats, columns):
        ending, content = file
        given = {"format": ENDINGS[ending], "name": f"p.{ending}", "columns": columns}
        try:
            read = read_prompts(content, drop_repeats=drop_repeats, **given)
        except BadInputError as error:
            assert_one_line(str(error))
            outcomes["refused"] += 1
        else:
            assert_storable(read)
            outcomes["read"] += 1

    read_one()
    assert min(outcomes["refused"], outcomes["read"]) > FILES / 10


def assert_storable(read):
    assert read.rows
    assert len({row.text for row in read.rows}) == len(read.rows)
    for row in read.rows:
        for text in (row.text, row.category, row.challenge, row.note, *row.tags):
            assert b"\0" not in text.encode()
        assert row.text.strip()
        assert max(map(len, (row.category, row.challenge, *row.tags))) <= LONGEST_LABEL
    assert all(note.isprintable() and len(note) < 2_000 for note in read.notes)


@pytest.mark.django_db
def test_broken_file_is_stored_whole_or_not_at_all(tmp_path):
    outcomes = Counter()

    @settings(max_examples=STORED, deadline=None, suppress_health_check=list(HealthCheck))
    @given(broken_files(), st.booleans())
    def import_one(file, drop_repeats):
        ending, content = file
        (tmp_path / f"p.{ending}").write_bytes(content)
        PromptSet.objects.all().delete()
        said, noted = io.StringIO(), io.StringIO()
        try:
            call_command(
                "import_prompts", "mine", str(tmp_path / f"p.{ending}"), stdout=said,
                stderr=noted, drop_repeats=drop_repeats,
            )  # fmt: skip
        except CommandError as refused:
            assert_one_line(str(refused).removeprefix(f"{tmp_path}/"))
            assert PromptSet.objects.count() == 0
            outcomes[f"refused, status {refused.returncode}"] += 1
        else:
            stored = counted(Prompt.objects.count(), "prompt")
            assert f"imported mine@1: {stored}, " in said.getvalue()
            outcomes["imported"] += 1

    import_one()
    assert set(outcomes) == {"refused, status 2", "imported"}
