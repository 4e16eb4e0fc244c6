"""Sets larger than memory: shards, their order, buckets and the cache."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models_backend.data import manifest, shard_source, shards
from models_backend.data.cache import TensorCache, content_key
from models_backend.data.indexing import index_folder
from models_backend.data.manifest_source import ManifestSource
from models_backend.data.opening import open_source
from models_backend.data.order import BatchOrder
from models_backend.data.pictures import bucket_sizes, decode, fit, framing_of, nearest_buckets
from models_backend.errors import InputError
from tests.models_backend import tiny


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_shards_hold_what_the_manifest_holds(tmp_path, data, kind):
    out = tmp_path / "shards"
    assert (
        shards.main(["--from", str(data), "--out", str(out), "--kind", kind, "--samples", "5"]) == 0
    )
    source, plain = open_source(out), ManifestSource(data)
    assert [len(each) for each in source.sizes()] == [5, 5, 2]
    assert source.licences == plain.licences == ["CC-BY-4.0", "MIT"]
    for number in range(12):
        ours, theirs = source.read(number // 5, number % 5), plain.read(0, number)
        assert (ours.image, ours.caption, ours.style) == (
            theirs.image,
            theirs.caption,
            theirs.style,
        )
        assert ours.keywords == theirs.keywords


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as out:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def png(height: int = 4, width: int = 4, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_plain_webdataset_captions_are_read(tmp_path):
    tar(tmp_path / "a.tar", {"x/1.png": png(6, 8), "x/1.txt": b"a cat\n", "x/1.cls": b"3"})
    index_folder(tmp_path)
    source = open_source(tmp_path)
    assert source.sizes()[0].tolist() == [[6, 8]]
    assert source.read(0, 0).caption == "a cat"
    assert source.licences == ["unknown"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"1.png": png()}, "sample 1: no caption"),
        ({"1.txt": b"a cat"}, "sample 1: no image"),
        ({"1.png": png(), "1.txt": b" "}, "sample 1: the caption is missing or empty"),
        ({"1.png": png(), "1.json": b"{"}, "sample 1: its text is not"),
        ({"1.png": b"no image", "1.txt": b"a cat"}, "sample 1 cannot be read as an image"),
        ({}, "holds no samples"),
    ],
)
def test_a_shard_that_cannot_be_used_is_named(tmp_path, capsys, members, message):
    tar(tmp_path / "a.tar", members)
    assert shards.main(["--index", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "a.tar" in error
    assert message in error
    assert not (tmp_path / shard_source.INDEX).exists()


def test_a_folder_without_shards_and_a_changed_shard_are_refused(tmp_path, capsys):
    assert shards.main(["--index", str(tmp_path)]) == 2
    assert "holds no .tar" in capsys.readouterr().err
    path = tar(tmp_path / "a.tar", {"1.png": png(), "1.txt": b"a cat"})
    index_folder(tmp_path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputError, match=r"a\.tar is missing or was changed"):
        open_source(tmp_path)


def test_an_empty_manifest_is_refused(tmp_path):
    tiny.write_records(tmp_path, [])
    (tmp_path / manifest.MANIFEST_NAME).write_bytes(b"")
    mark = json.loads((tmp_path / manifest.MARK_NAME).read_text())
    mark["manifest_sha256"] = manifest.sha256_of_bytes(b"")
    (tmp_path / manifest.MARK_NAME).write_text(json.dumps(mark))
    with pytest.raises(InputError, match="holds no images"):
        open_source(tmp_path)


# -- pictures -------------------------------------------------------------------------------------


def test_transparent_pictures_stand_on_white_and_16_bits_are_refused():
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(buffer, "PNG")
    assert decode(buffer.getvalue(), "x").getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(InputError, match=r"deep\.png is an image of mode I;16; accepted are RGB"):
        decode(png(mode="I;16"), "deep.png")
    with pytest.raises(InputError, match=r"cut\.png cannot be read as an image"):
        decode(png(64, 64)[:60], "cut.png")


@pytest.mark.parametrize("resolution", [64, 256, 512, 1024])
def test_buckets_have_about_one_area(resolution):
    sizes = bucket_sizes(resolution, aspect_ratios=True)
    assert sizes[0] == (resolution, resolution)
    assert len(sizes) >= 5
    for height, width in sizes:
        assert height % 8 == width % 8 == 0
        assert 0.75 * resolution**2 <= height * width <= resolution**2
        assert (width, height) in sizes
    assert bucket_sizes(resolution, aspect_ratios=False) == [(resolution, resolution)]


def test_buckets_of_a_model_that_folds_more_are_multiples_of_that():
    sizes = bucket_sizes(256, aspect_ratios=True, multiple=32)
    assert len(sizes) > 4
    assert not any(side % 32 for size in sizes for side in size)


@pytest.mark.parametrize(
    ("own", "size", "framing"),
    [
        ((64, 64), (64, 64), (64, 64, 0, 0)),
        ((100, 200), (64, 64), (100, 200, 0, 32)),
        ((300, 100), (96, 48), (300, 100, 24, 0)),
        ((16, 16), (64, 64), (16, 16, 0, 0)),
    ],
)
def test_framing_says_what_fit_cuts_off(own, size, framing):
    assert framing_of(own, size) == framing
    rows = np.arange(own[0], dtype=np.uint8)[:, None] // 2
    picture = Image.fromarray(np.repeat(rows, own[1], axis=1)).convert("RGB")
    top = int(fit(picture, size)[0, 0, 0])
    assert abs(top - framing[2] * own[0] / max(size[0], own[0] * size[1] / own[1]) / 2) <= 1.5


def test_a_picture_goes_to_the_bucket_of_its_shape_and_is_cut_in_the_middle():
    sizes = bucket_sizes(64, aspect_ratios=True)
    [wide, square] = nearest_buckets(np.array([[100, 200], [90, 91]]), sizes)
    assert sizes[wide][1] == max(width for _, width in sizes)
    assert sizes[square] == (64, 64)
    stripes = np.zeros((8, 16, 3), dtype=np.uint8)
    stripes[:, 4:12] = 200
    cut = fit(Image.fromarray(stripes), (8, 8))
    assert cut.shape == (3, 8, 8)
    assert (cut == 200).all()


# -- order ----------------------------------------------------------------------------------------

SIZES = [np.array([[4, 4]] * n + [[4, 8]] * m) for n, m in ((7, 3), (9, 1), (4, 8), (6, 6))]
BUCKETS = [(4, 4), (4, 8)]


def order(**settings) -> BatchOrder:
    return BatchOrder(SIZES, BUCKETS, **({"batch_size": 3, "key": "k", "window": 2} | settings))


def test_an_epoch_shows_each_sample_at_most_once_and_batches_are_of_one_bucket():
    plan = order(window=4)
    epoch = [plan.batch(step) for step in range(14)]  # 26 // 3 + 18 // 3
    seen = [sample for _, samples in epoch for sample in samples]
    assert len(seen) == len(set(seen)) == 42
    for bucket, samples in epoch:
        shapes = {tuple(SIZES[shard][row]) for shard, row in samples}
        assert shapes == {BUCKETS[bucket]}
    assert plan.left_out() == pytest.approx(1 - 42 / 44)
    assert epoch != [plan.batch(step) for step in range(14, 28)]


def test_any_step_is_known_without_the_steps_before_it():
    whole = order()
    batches = [whole.batch(step) for step in range(60)]
    for step in (59, 0, 23):
        assert order().batch(step) == batches[step]
    assert order(key="other").batch(5) != batches[5]


def test_a_step_reads_from_a_window_of_shards():
    plan = order()
    for at in range(0, 10, 2):
        assert len({shard for shard, _ in plan.batch(at)[1]}) <= 2


def test_too_few_images_for_a_batch_are_refused():
    with pytest.raises(InputError, match="44 images do not fill one batch of 64"):
        order(batch_size=64)


# -- cache ----------------------------------------------------------------------------------------


def test_a_cached_row_is_computed_once_and_survives(tmp_path):
    calls = []

    def compute(places: list[int]) -> torch.Tensor:
        calls.append(places)
        return torch.arange(6.0).view(2, 3)[places]

    keys = [content_key(b"a"), content_key(b"b")]
    first = TensorCache(tmp_path, (3,), torch.float32)
    assert first.get(keys[1:], lambda places: compute([1])).tolist() == [[3, 4, 5]]
    assert first.get(keys, compute).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert calls == [[1], [0]]
    again = TensorCache(tmp_path, (3,), torch.float32, writer=1)
    assert again.get(keys[::-1], compute).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert len(calls) == 2


def test_a_row_whose_key_a_kill_cut_off_is_written_again(tmp_path):
    first = TensorCache(tmp_path, (2,), torch.float16)
    first.get([b"k" * 16, b"l" * 16], lambda places: torch.ones(2, 2))
    keys = first.folder / "0.keys"
    keys.write_bytes(keys.read_bytes()[:-3])
    again = TensorCache(tmp_path, (2,), torch.float16)
    assert len(again) == 1
    assert again.get([b"l" * 16], lambda places: torch.full((1, 2), 7.0)).tolist() == [[7, 7]]
    assert again.get([b"k" * 16], lambda places: torch.zeros(1, 2)).tolist() == [[1, 1]]
