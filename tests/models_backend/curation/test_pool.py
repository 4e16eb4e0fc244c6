"""The folder that automatic rules leave and people's curation reads."""

import json

import pytest

from models_backend.curation import pool
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes

SCORERS = {"pixels": {"name": "pixels", "version": "1", "weights_sha256": ""}}


def entry(data: bytes, **changes) -> pool.PoolEntry:
    sha256 = sha256_of_bytes(data)
    fields = {
        "sha256": sha256, "file": pool.image_file(sha256, "png"), "width": 4, "height": 3,
        "caption": "a cat", "concept": "Animals", "licence": "CC0-1.0",
        "scores": {"pixels/sharpness": 0.5},
    }  # fmt: skip
    return pool.PoolEntry(**(fields | changes))


def write(folder, entries, original=None):
    pool.begin_pool(folder)
    for number, each in enumerate(entries):
        pool.store_image(folder, each.file, str(number).encode(), original)
    return pool.finish_pool(
        folder, entries, rules_sha256="r", scores_sha256="s", source="pictures", scorers=SCORERS
    )


def test_pool_reads_as_it_was_written(tmp_path):
    entries = [entry(b"0", popularity=3.0), entry(b"1", caption="größer\u2028als")]
    mark = write(tmp_path / "pool", entries)
    assert pool.read_mark(tmp_path / "pool") == mark
    assert (mark.images, mark.scorers) == (2, SCORERS)
    assert list(pool.read_entries(tmp_path / "pool")) == entries
    assert pool.read_image(tmp_path / "pool", entries[1]) == b"1"
    second = json.loads((tmp_path / "pool" / "pool.jsonl").read_text().split("\n")[1])
    assert "popularity" not in second


def test_image_is_linked_to_the_original(tmp_path):
    original = tmp_path / "0.png"
    original.write_bytes(b"0")
    write(tmp_path / "pool", [entry(b"0")], original)
    assert (tmp_path / "pool" / entry(b"0").file).stat().st_ino == original.stat().st_ino


def test_unfinished_or_changed_pool_is_refused(tmp_path):
    folder = tmp_path / "pool"
    write(folder, [entry(b"0")])
    with pytest.raises(InputError, match="finished pool"):
        pool.begin_pool(folder)
    (folder / entry(b"0").file).write_bytes(b"other")
    with pytest.raises(InputError, match="differs from its hash"):
        pool.read_image(folder, entry(b"0"))
    (folder / "pool.jsonl").write_text("")
    with pytest.raises(InputError, match="differs from the hash"):
        list(pool.read_entries(folder))
    (folder / "pool.json").unlink()
    with pytest.raises(InputError, match="no finished pool"):
        pool.read_mark(folder)
    pool.begin_pool(folder)  # what a killed run left is cleared
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        pool.begin_pool(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file": "../elsewhere.png"}, "not where a pool keeps"),
        ({"sha256": "short"}, "64 hexadecimal"),
        ({"popularity": -1.0}, "at least 0"),
        ({"popularity": float("nan")}, "at least 0"),
    ],
)
def test_line_that_does_not_fit_is_refused(tmp_path, changes, said):
    pool.begin_pool(tmp_path / "pool")
    pool.finish_pool(
        tmp_path / "pool", [entry(b"0", **changes)], rules_sha256="r", scores_sha256="s",
        source="", scorers={},
    )  # fmt: skip
    with pytest.raises(InputError, match=said):
        list(pool.read_entries(tmp_path / "pool"))


def test_image_twice_is_refused(tmp_path):
    write(tmp_path / "pool", [entry(b"0"), entry(b"0")])
    with pytest.raises(InputError, match="twice"):
        list(pool.read_entries(tmp_path / "pool"))
