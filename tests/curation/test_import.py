"""A pool folder comes in whole, verified, or leaves nothing behind."""

import hashlib
import json
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import Pool, PoolImage
from evalplatform.curation.pool_folder import read_pool
from evalplatform.curation.services import pools
from evalplatform.images.models import ImageCollection
from evalplatform.images.services import import_collection
from evalplatform.promptsets.models import PromptSet
from tests import factories
from tests.curation.pools import make_pool, write_pool

pytestmark = pytest.mark.django_db(transaction=True)


def test_pool_becomes_a_collection_with_what_is_known_of_each_image(tmp_path):
    pool = make_pool(tmp_path, 4)
    assert (pool.collection.image_count, pool.images.count()) == (4, 4)
    listed = [json.loads(line) for line in (tmp_path / "pool.jsonl").read_text().splitlines()]
    by_hash = {each.image.source_sha256: each for each in pool.images.select_related("image")}
    for row in listed:
        found = by_hash[row["sha256"]]
        assert (found.concept, found.licence, found.popularity, found.scores) == (
            row["concept"], row["licence"], row["popularity"], row["scores"],
        )  # fmt: skip
        assert found.image.caption == row["caption"]
    assert pool.scorers["ocr"]["version"] == "1"
    assert pool.funnel["stages"][0]["kept"] == 4
    # Two images of each caption stand under one prompt.
    assert pool.collection.prompt_set.prompts.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        PoolImage.objects.filter(pk=by_hash[listed[0]["sha256"]].pk).update(licence="mine")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_1": {"sha256": factories.digest("other")}}, "pool again"),
        ({"image_1": {"sha256": "abc"}}, "64 hexadecimal digits"),
        ({"image_1": {"file": "../away.png"}}, "no path inside the pool"),
        ({"image_1": {"popularity": -1}}, "not 0 or more"),
        ({"image_1": {"popularity": "many"}}, "is no number"),
        ({"image_1": {"caption": 5}}, "caption is no text"),
        ({"mark": {"images": 9}}, "lists 4 images"),
        ({"mark": {"format": "t2i-pool/2"}}, "t2i-pool/1 is read"),
        ({"mark": {"list_sha256": "0" * 64}}, "differs from the hash"),
        ({"mark": {"rules_sha256": "x"}}, "rules_sha256"),
    ],
)
def test_wrong_folder_is_refused_by_name_and_leaves_nothing(tmp_path, changes, words):
    with pytest.raises(BadInputError, match=words):
        make_pool(tmp_path, 4, **changes)
    _nothing_is_left()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("NaN", "NaN is no number"),
        ("1e999", "1e999 is too large"),
        ("1" + "0" * 400, "is too large"),
        (r'"\u0000"', "NUL character"),
        (r'"\ud800"', "half a character"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('"' + "a" * 17 * 2**20 + '"', "is over 16 MiB|has over 1,048,576 letters"),
    ],
    ids=["nan", "infinite", "huge", "nul", "surrogate", "deep", "deeper", "long"],
)
@pytest.mark.parametrize("file", ["pool.json", "pool.jsonl", "funnel.json"])
def test_json_that_the_database_cannot_hold_is_refused_by_name(tmp_path, file, value, words):
    write_pool(tmp_path, 2, mark={"list_sha256": ""})
    field = {"pool.json": "scorers", "pool.jsonl": "scores", "funnel.json": "stages"}[file]
    first, rest = (tmp_path / file).read_text().partition("\n")[::2]
    given = json.loads(first) | {field: {"ocr": "HERE"}}
    (tmp_path / file).write_text(json.dumps(given).replace('"HERE"', value) + "\n" + rest)
    with pytest.raises(BadInputError, match=f"(?s)^[^\n]*{file}[^\n]*({words})") as caught:
        read_pool(tmp_path)
    assert len(str(caught.value)) < 500


def test_image_that_stands_in_a_pool_twice_is_refused(tmp_path):
    write_pool(tmp_path, 2)
    first = json.loads((tmp_path / "pool.jsonl").read_text().splitlines()[0])
    with pytest.raises(BadInputError, match="line 2 repeats the image of line 1"):
        make_pool(tmp_path, 2, image_1=first | {"caption": "another caption"})


def test_image_that_is_none_leaves_nothing_of_the_others(tmp_path):
    write_pool(tmp_path, 3)
    content = b"no image at all"
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(BadInputError, match=r"broken\.png"):
        make_pool(tmp_path, 3, image_1={"sha256": sha256, "file": "broken.png"})
    _nothing_is_left()


def test_folder_that_is_no_pool_says_which_command_makes_one(tmp_path):
    with pytest.raises(BadInputError, match="give the folder of a finished pool") as refused:
        read_pool(tmp_path)
    assert "models_backend.curation select`" in refused.value.by_command


def test_killed_before_its_pool_was_saved_the_import_goes_on(tmp_path):
    pool = make_pool(tmp_path)
    PoolImage.objects.all().delete()
    Pool.objects.all().delete()
    again = make_pool(tmp_path)
    assert again.collection == pool.collection
    with pytest.raises(BadInputError, match="there is a pool 'needles' already"):
        make_pool(tmp_path)


def test_two_that_import_one_name_at_once_leave_the_first_ones_pool(tmp_path, monkeypatch):
    collect, late = pools._collect, []

    def meanwhile(*args):
        with monkeypatch.context() as patch:
            patch.setattr(pools, "_collect", collect)
            made = collect(*args)
            try:
                late.append(make_pool(tmp_path))
            except BadInputError as error:
                late.append(str(error))
        return made

    monkeypatch.setattr(pools, "_collect", meanwhile)
    pool = make_pool(tmp_path)
    assert late == ["a pool 'needles' is being made now; wait for it, or choose another name."]
    assert pool.images.count() == pool.collection.images.count() > 0


def test_refused_pool_leaves_a_collection_of_its_name_that_was_made_meanwhile(
    tmp_path, monkeypatch
):
    look = pools._left_by_a_kill

    def meanwhile(pool, hashes):
        found = look(pool, hashes)
        import_collection(
            project=pool.project, path=tmp_path, name=pool.name, model="camera", prompt_set=None,
            processes=1,
        )  # fmt: skip
        return found

    monkeypatch.setattr(pools, "_left_by_a_kill", meanwhile)
    with pytest.raises(BadInputError, match="collection 'needles' is there already"):
        make_pool(tmp_path)
    assert ImageCollection.objects.get().model == "camera"
    assert not PromptSet.objects.exists()


def _nothing_is_left():
    assert not Pool.objects.exists()
    assert not ImageCollection.objects.exists()
    assert not PromptSet.objects.exists()
    stored = Path(settings.VAR_DIR) / "objects/collections"
    assert not [each for each in stored.rglob("*") if each.is_file()]
