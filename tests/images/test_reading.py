"""What is given, in every form, comes to the same rows."""

import base64

import pytest

from evalplatform.core.errors import BadInputError
from evalplatform.images.faults import FaultyRowsError
from evalplatform.images.models import CollectedImage, ImageCollection
from tests import factories
from tests.images import given

pytestmark = pytest.mark.django_db


def rows(collection):
    """Return (prompt's key, index, seed) of every image in order."""
    found = collection.images.order_by("position")
    return [(each.prompt and each.prompt.position, each.index, each.seed) for each in found]


def refused(bring, path, **options):
    """Return what is said of a refused import: its error, and each fault."""
    with pytest.raises(BadInputError) as caught:
        bring(path, **options)
    assert not ImageCollection.objects.exists()
    assert not CollectedImage.objects.exists()
    return [str(caught.value), *map(str, getattr(caught.value, "faults", ()))]


def test_folder_of_files_named_by_key(bring, tmp_path):
    files = {
        "0.png": given.png(0),
        "00002.png": given.png(1),
        ".hidden.png": b"",
        "notes.txt": b"x",
    }
    found = bring(given.folder(tmp_path, files))
    assert rows(found.collection) == [(0, 0, None), (2, 0, None)]
    assert [prompt.position for prompt in found.missing] == [1, 3, 4]


def test_folder_with_several_images_a_prompt(bring, tmp_path):
    files = {
        "0/0.png": given.png(0), "0/1.png": given.png(1), "1_7.png": given.png(2),
        "1_003.png": given.png(3), "2/samples/0.png": given.png(4),
    }  # fmt: skip
    found = bring(given.folder(tmp_path, files))
    assert rows(found.collection) == [(0, 0, 0), (0, 1, 1), (1, 0, 3), (1, 1, 7), (2, 0, 0)]


def test_folder_of_files_named_by_text(bring, tmp_path):
    """Composed or not: file systems differ in how they write é."""
    files = {
        "a red bicycle.png": given.png(0), "two cats_000001.png": given.png(1),
        "un cafe\u0301/0.jpg": given.turned_jpeg(), "12 eggs.png": given.png(2),
    }  # fmt: skip
    found = bring(given.folder(tmp_path, files))
    assert rows(found.collection) == [(0, 0, None), (1, 0, 1), (3, 0, 0), (4, 0, None)]


def test_file_names_that_match_nothing_are_named(bring, tmp_path):
    files = {"5.png": given.png(1), "a dog.png": given.png(2), "0/first.png": given.png(3)}
    said = refused(bring, given.folder(tmp_path, files))
    assert said[0].startswith("3 of 3 rows cannot be imported, so nothing was; mend them")
    assert "5.png: '5' is neither key nor text of a prompt" in said
    assert "0/first.png: in a folder of one prompt, name images by seed: 0.png" in said


@pytest.mark.parametrize("manifest", ["manifest.jsonl", "metadata.jsonl"])
def test_folder_with_a_manifest_is_read_by_it(bring, tmp_path, manifest):
    given.folder(tmp_path, {"one.png": given.png(0), "other.png": given.png(1)})
    given.jsonl(tmp_path / manifest, [{"file_name": "one.png", "prompt": "a house"}])
    assert rows(bring(tmp_path).collection) == [(2, 0, None)]


def test_folder_with_two_manifests_is_refused(bring, tmp_path):
    for name in ("manifest.csv", "metadata.csv"):
        (tmp_path / name).write_text("image,prompt\n")
    assert "holds manifest.csv and metadata.csv" in refused(bring, tmp_path)[0]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_that_a_spreadsheet_saved_is_read(bring, tmp_path, separator, end):
    """Semicolons where a comma is the decimal point, rows and columns that were emptied."""
    given.folder(tmp_path, {"a.png": given.png(0), "b.png": given.png(1)})
    lines = ["image,key,note,,", "a.png,0,old,,", ",,,,", "b.png,2,,,", ",,,,"]
    table = tmp_path / "images.csv"
    table.write_bytes(end.join(lines).replace(",", separator).encode("utf-8-sig"))
    found = bring(table)
    assert rows(found.collection) == [(0, 0, None), (2, 0, None)]
    told = found.collection.images.order_by("position").values_list("metadata", flat=True)
    assert [*told] == [{"note": "old"}, {}]


def test_csv_matches_texts_but_for_spaces_and_keeps_what_else_it_says(bring, tmp_path):
    given.folder(tmp_path, {"one.png": given.png(0), "two.png": given.png(1)})
    table = tmp_path / "images.csv"
    table.write_text(
        "\ufeffimage,prompt,seed,caption,guidance\n"
        'one.png,"two cats",4.0,"Cats, two",7.5\ntwo.png,a red bicycle,,,\n'
    )
    found = bring(table)
    assert rows(found.collection) == [(0, 0, None), (1, 0, 4)]
    last = found.collection.images.get(position=1)
    assert (last.caption, last.metadata) == ("Cats, two", {"guidance": "7.5"})


def test_tsv_and_keys(bring, tmp_path):
    given.folder(tmp_path, {"one.png": given.png(0)})
    table = tmp_path / "images.tsv"
    table.write_text("path\tkey\none.png\t3\n")
    assert rows(bring(table).collection) == [(3, 0, None)]


def test_jsonl_takes_paths_and_bytes(bring, tmp_path):
    given.folder(tmp_path, {"deep/one.png": given.png(0)})
    inline = base64.b64encode(given.png(1)).decode()
    path = given.jsonl(tmp_path / "rows.jsonl", [
        {"image": "deep/one.png", "prompt": "a house", "seed": 5},
        {"image": {"bytes": inline, "path": "x.png"}, "key": 1, "steps": 30},
        {"image": {"bytes": None, "path": "deep/one.png"}, "key": "0"},
    ])  # fmt: skip
    found = bring(path)
    assert rows(found.collection) == [(0, 0, None), (1, 0, None), (2, 0, 5)]
    image = found.collection.images.get(prompt__position=1)
    assert image.metadata == {"steps": 30}
    assert image.source_sha256 == factories.hashlib.sha256(given.png(1)).hexdigest()


def hub_rows(count):
    return [
        {"image": {"bytes": given.png(n), "path": f"{n}.png"}, "prompt": "a house", "seed": n}
        for n in range(count)
    ]


def test_parquet_as_a_hub_writes_it(bring, tmp_path):
    """Row groups of three, so that rows cross them."""
    found = bring(given.parquet(tmp_path / "train.parquet", hub_rows(7)))
    assert rows(found.collection) == [(2, n, n) for n in range(7)]
    assert [each.metadata for each in found.collection.images.all()] == [{}] * 7


def test_parquet_shards_of_a_folder_are_one_table(bring, tmp_path):
    given.parquet(tmp_path / "train-0.parquet", hub_rows(4)[:2])
    given.parquet(tmp_path / "train-1.parquet", hub_rows(4)[2:])
    assert rows(bring(tmp_path).collection) == [(2, n, n) for n in range(4)]


def test_parquet_with_bare_bytes_or_paths_and_other_names(bring, tmp_path):
    columns = {"image": "jpg", "prompt": "text"}
    bare = given.parquet(tmp_path / "a.parquet", [{"jpg": given.png(1), "text": "a house"}])
    assert rows(bring(bare, columns=columns).collection) == [(2, 0, None)]
    given.folder(tmp_path, {"one.png": given.png(2)})
    paths = given.parquet(tmp_path / "b.parquet", [{"jpg": "one.png", "text": "a house"}])
    assert rows(bring(paths, name="other", columns=columns).collection) == [(2, 0, None)]


def test_parquet_row_without_an_image_is_named(bring, tmp_path):
    bad = [*hub_rows(2), {"image": None, "prompt": "12 eggs", "seed": 0}]
    said = refused(bring, given.parquet(tmp_path / "train.parquet", bad))
    assert said[1:] == ["row 2: has no image"]
    found = bring(tmp_path / "train.parquet", skip_bad=True)
    assert (found.collection.image_count, found.collection.left_out) == (2, {"row": 1})


def test_pool_needs_no_prompts_and_keeps_captions(bring, tmp_path):
    given.folder(tmp_path, {"a.png": given.png(1), "b/c.png": given.png(2)})
    pool = bring(tmp_path, prompt_set=None).collection
    assert (pool.prompt_set, rows(pool)) == (None, [(None, None, None)] * 2)
    table = given.jsonl(tmp_path / "x.jsonl", [
        {"image": "a.png", "caption": "A thing."}, {"image": "b/c.png", "prompt": "a house"},
    ])  # fmt: skip
    captioned = bring(table, name="captioned", prompt_set=None).collection
    assert [each.caption for each in captioned.images.all()] == ["A thing.", "a house"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"image": "a.png", "prompt": "a dog"}, "line 2 (a.png): no prompt is 'a dog'"),
        ({"image": "a.png", "key": 9}, "line 2 (a.png): no prompt has key 9; keys are 0 to 4"),
        ({"image": "a.png", "key": "x"}, "line 2 (a.png): its key is 'x'; a key is a"),
        ({"image": "a.png", "key": 1, "prompt": "a house"},
         "line 2 (a.png): its prompt is number 2 of the set and its key 1; give one of them"),
        ({"image": "a.png"}, "line 2 (a.png): has neither prompt nor key"),
        ({"prompt": "a house"}, "line 2: has no image"),
        ({"image": 7, "key": 1}, "line 2: its image is int, not text"),
        ({"image": "https://example.org/a.png", "key": 1},
         "line 2: its image 'https://example.org/a.png' is a web address; download it first"),
        ({"image": {"bytes": "%%"}, "key": 1},
         "line 2: the bytes of its image are not base64 text"),
        ({"image": "a.png", "key": 1, "seed": -1},
         "line 2: its seed '-1' is no number from 0 to 2^63 - 1"),
        ({"image": "a.png", "key": 1, "seed": "1.5"},
         "line 2: its seed '1.5' is no number from 0 to 2^63 - 1"),
        ({"image": "a.png", "key": 1, "note": "a\0b"},
         "line 2: there is a character that is no text in its other columns"),
        ({"image": "a.png", "key": 1, "caption": "\ud800"},
         "line 2: there is a character that is no text in its caption"),
        ({"image": "a.png", "key": 1, "loss": float("nan")},
         "line 2: its other columns hold NaN or infinity"),
        ([1], 'line 2: is no object such as {"image": "0.png", "prompt": "a red bicycle"}'),
        ({"image": "none.png", "key": 1}, "line 2 (none.png): there is no file"),
    ],
)  # fmt: skip
def test_faulty_row_is_named_and_can_be_left_out(bring, tmp_path, row, said):
    given.folder(tmp_path, {"a.png": given.png(1), "b.png": given.png(2)})
    good = {"image": "b.png", "prompt": "a house", "key": 2}
    path = given.jsonl(tmp_path / "rows.jsonl", [good, row])
    found = refused(bring, path)
    assert found[0].startswith("1 of 2 rows cannot be imported, so nothing was")
    assert found[1].startswith(said)
    kept = bring(path, skip_bad=True)
    assert (kept.collection.image_count, sum(kept.collection.left_out.values())) == (1, 1)
    assert [str(fault) for fault in kept.left_out] == found[1:]


def test_prompts_of_another_set_are_recognised(bring, tmp_path):
    factories.make_prompt_set("others", 3)
    given.folder(tmp_path, {"a.png": given.png(1)})
    row = {"image": "a.png", "prompt": "a secret-others-prompt number 1"}
    said = refused(bring, given.jsonl(tmp_path / "rows.jsonl", [row]))
    assert "nothing was (some are prompts of others@1); mend them" in said[0]


def test_texts_that_differ_in_spaces_alone_need_the_exact_one(things, bring, tmp_path):
    things.prompts.create(position=5, text="a  house")
    given.folder(tmp_path, {"a.png": given.png(1)})
    path = tmp_path / "rows.jsonl"
    given.jsonl(path, [{"image": "a.png", "prompt": "a   house"}])
    assert "several prompts are 'a house' but for spaces" in refused(bring, path)[1]
    given.jsonl(path, [{"image": "a.png", "prompt": "a  house"}])
    assert rows(bring(path).collection) == [(5, 0, None)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", "picture,prompt\n", "x.csv has no column image; its columns are picture, prompt"),
        ("x.csv", "image,label\n", "x.csv has no column prompt or key; its columns are image"),
        ("x.csv", "", "x.csv has no column image; its columns are none"),
        ("x.csv", "image,prompt\n", "there are no rows, so there is nothing to import"),
        ("x.csv", 'image,prompt\n"a.png,x\n', "is not valid CSV"),
        ("x.csv", b"image,prompt\na.png,caf\xe9\n", "x.csv: line 2 is not UTF-8"),
        ("x.jsonl", "no json\n", "x.jsonl: its first line is not JSON"),
        ("x.jsonl", "", "x.jsonl has no column image"),
        ("x.parquet", "no parquet", "x.parquet cannot be read as parquet"),
        ("x.xlsx", "", "files ending in .xlsx are not read"),
    ],
)
def test_table_that_cannot_be_read_is_refused_in_one_line(bring, tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = refused(bring, path)
    assert said in found[0]
    assert "\n" not in found[0]


def test_what_is_not_there_is_refused(bring, tmp_path):
    assert "there is no such file or folder" in refused(bring, tmp_path / "none")[0]
    (tmp_path / "empty").mkdir()
    assert "holds no images" in refused(bring, tmp_path / "empty")[0]


def test_columns_that_are_not_there_are_refused(bring, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("image,prompt\n")
    assert "x.csv has no column text" in refused(bring, path, columns={"prompt": "text"})[0]
    assert "there is no such field" in refused(bring, path, columns={"picture": "image"})[0]


def test_csv_row_with_a_field_too_few_is_named(bring, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("image,prompt\na.png\n")
    with pytest.raises(FaultyRowsError) as caught:
        bring(path)
    assert [str(fault) for fault in caught.value.faults] == ["line 2: 1 fields, the header has 2"]
