"""Captions of the training images, and reading a data folder."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from models_backend.configuration.captions import CaptionMix
from models_backend.data import manifest
from models_backend.data.captions import (
    PLAIN_TEMPLATES,
    STYLE_TEMPLATES,
    weighted_captions,
    without_article,
)
from models_backend.data.dataset import CaptionTable, build_captions, load_images
from models_backend.data.emoji.packages import SOURCES
from models_backend.errors import InputError
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_rows import TextEmbedding
from tests.models_backend import tiny

MIXES = [CaptionMix(), CaptionMix(1, 0, 0), CaptionMix(0, 0, 1), CaptionMix(0, 1, 0)]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("style", [*STYLE_TEMPLATES, "unheard of"])
@pytest.mark.parametrize("keywords", [[], ["red"], ["red", "car", "fast", "road", "wheel"]])
def test_weights_sum_to_one(mix, style, keywords):
    captions = weighted_captions("a red car", keywords, style, mix)
    assert math.isclose(sum(weight for _, weight in captions), 1)
    assert all(weight >= 0 for _, weight in captions)
    assert len({text for text, _ in captions}) == len(captions)


def test_every_source_has_style_phrases():
    assert {source.style for source in SOURCES.values()} == set(STYLE_TEMPLATES)


def test_each_kind_has_its_share():
    mix = CaptionMix(plain=0.5, keywords=0.2, styled=0.3)
    weights = dict(weighted_captions("an owl", ["night"], "3d", mix))
    assert weights["an owl, night"] == pytest.approx(0.2)
    assert weights["a 3d render of an owl"] == pytest.approx(0.15)
    assert weights["owl"] == pytest.approx(0.5 / len(PLAIN_TEMPLATES))


def test_plain_captions_do_not_tell_the_style():
    only_plain = CaptionMix(plain=1, keywords=0, styled=0)
    for style, phrases in STYLE_TEMPLATES.items():
        captions = [t for t, w in weighted_captions("an owl", ["night"], style, only_plain) if w]
        assert not set(captions) & {p.format(a="an owl", bare="owl") for p in phrases}


def test_a_kind_without_captions_gives_its_share_to_the_plain_ones():
    weights = dict(weighted_captions("an owl", [], "unheard of", CaptionMix()))
    assert set(weights) == {"an owl", "owl", "a picture of an owl"}


def test_keywords_that_repeat_the_label_are_left_out():
    texts = dict(weighted_captions("a red car", ["car", "road"], "flat", CaptionMix()))
    assert "a red car, road" in texts


@pytest.mark.parametrize(
    ("label", "bare"), [("a car", "car"), ("an owl", "owl"), ("the sun", "sun"), ("rain", "rain")]
)
def test_articles_are_taken_off(label, bare):
    assert without_article(label) == bare


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (-0.1, 0.6, 0.5), (0, 0, 0)])
def test_shares_that_do_not_sum_to_one_are_refused(shares):
    with pytest.raises(ValueError, match="sum to 1"):
        CaptionMix(*shares)


# -- a data folder --------------------------------------------------------------------------------


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    return tiny.write_dataset(tmp_path / "data")


def test_images_come_as_bytes_in_the_manifests_order(data):
    records = manifest.read_records(data)
    pictures = load_images(data, records, tiny.SIZE)
    assert pictures.shape == (12, 3, 16, 16)
    assert pictures.dtype == torch.uint8
    with Image.open(data / records[7].file) as image:
        assert tuple(pictures[7, :, 3, 5].tolist()) == image.getpixel((5, 3))


def test_unit_range_is_minus_one_to_one():
    bytes_ = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    assert to_unit_range(bytes_).flatten().tolist() == [-1, 1]


def test_missing_image_is_refused(own_data):
    records = manifest.read_records(own_data)
    (own_data / records[3].file).unlink()
    with pytest.raises(InputError, match=f"{records[3].file} cannot be read"):
        load_images(own_data, records, tiny.SIZE)


def test_damaged_image_is_refused(own_data):
    records = manifest.read_records(own_data)
    path = own_data / records[3].file
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=f"{records[3].file} cannot be read"):
        load_images(own_data, records, tiny.SIZE)


def test_image_of_another_size_is_refused(data):
    records = manifest.read_records(data)
    with pytest.raises(InputError, match="16 x 16 pixels, image_size is 32; ") as refused:
        load_images(data, records, 32)
    assert "--size 32" in refused.value.by_command


def test_unfinished_data_set_is_refused(own_data):
    (own_data / manifest.MARK_NAME).unlink()
    with pytest.raises(InputError, match="build it first") as refused:
        manifest.read_records(own_data)
    assert "python -m models_backend.data.emoji" in refused.value.by_command


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "t2i-dataset/9"}'])
def test_strange_completeness_mark_is_refused(own_data, content):
    (own_data / manifest.MARK_NAME).write_text(content)
    with pytest.raises(InputError, match=manifest.MARK_NAME):
        manifest.read_records(own_data)


def test_manifest_line_with_an_unknown_field_is_refused(own_data):
    records = manifest.read_records(own_data)
    tiny.write_records(own_data, records)
    path = own_data / manifest.MANIFEST_NAME
    data = path.read_bytes().replace(b'"caption"', b'"title"')
    path.write_bytes(data)
    mark = {"format": manifest.FORMAT, "manifest_sha256": manifest.manifest_sha256(own_data)}
    (own_data / manifest.MARK_NAME).write_text(json.dumps(mark))
    with pytest.raises(InputError, match="does not fit the schema"):
        manifest.read_records(own_data)


def test_manifest_survives_a_round_trip_of_odd_text(own_data):
    records = manifest.read_records(own_data)
    odd = [replace(records[0], caption="naïve 猫\u2028line", keywords=["\x85", "tab\t"])]
    tiny.write_records(own_data, odd)
    assert manifest.read_records(own_data) == odd


# -- caption tables -------------------------------------------------------------------------------


class Letters(TextEncoder):
    """Encodes a text as its index, so that draws can be read back."""

    def encode(self, texts):
        index = torch.arange(len(texts), dtype=torch.float)
        self.texts = list(texts)
        return TextEmbedding(index.view(-1, 1, 1), torch.ones(len(texts), 1), index.view(-1, 1))


def drawn(table: CaptionTable, encoder: Letters, image: int, dropout: float) -> list[str]:
    generator = torch.Generator().manual_seed(3)
    images = torch.full((4000,), image)
    found = table.draw(images, dropout=dropout, generator=generator).tokens.flatten().long()
    return [encoder.texts[index] for index in found.tolist()]


def test_captions_are_drawn_with_their_weights_and_left_out_with_the_dropout(data):
    records = manifest.read_records(data)
    encoder = Letters()
    table = build_captions(records, CaptionMix(), encoder)
    texts = drawn(table, encoder, 7, dropout=0.25)
    assert texts.count("") / len(texts) == pytest.approx(0.25, abs=0.03)
    record = records[7]
    for caption, weight in weighted_captions(
        record.caption, record.keywords, record.style, CaptionMix()
    ):
        assert texts.count(caption) / len(texts) == pytest.approx(0.75 * weight, abs=0.03)


def test_without_dropout_no_caption_is_empty(data):
    encoder = Letters()
    table = build_captions(manifest.read_records(data), CaptionMix(), encoder)
    assert "" not in drawn(table, encoder, 0, dropout=0)
