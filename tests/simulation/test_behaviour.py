"""The simulated annotators' stated behaviour."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.behaviour import Behaviour, NoReferences, draw_behaviour
from evalplatform.simulation.references import ManifestReferences

CALM = Behaviour(
    seed=1, colourfulness=1.0, contrast=1.0, clarity=1.0, likeness=8.0, noise=0.0, side_bias=0.0,
    tie_band=0.1,
)  # fmt: skip


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


GREY = png(np.full((16, 16, 3), 128))
LIVELY = png(np.random.default_rng(0).integers(0, 256, (16, 16, 3)))


def changed(**fields):
    return Behaviour(**{**vars(CALM), **fields})


def test_livelier_image_is_preferred_on_either_side():
    assert CALM.choose(LIVELY, GREY, None, NoReferences()) == "left"
    assert CALM.choose(GREY, LIVELY, None, NoReferences()) == "right"


def test_clear_edge_is_preferred_to_mottling_of_the_same_contrast():
    half = np.zeros((16, 16, 3))
    half[:, 8:] = 200
    mottled = np.random.default_rng(1).permuted(half.reshape(-1, 3), axis=0).reshape(half.shape)
    mottled[...] = mottled[..., :1]
    assert CALM.choose(png(half), png(mottled), None, NoReferences()) == "left"


def test_equal_images_tie():
    assert CALM.choose(GREY, GREY, None, NoReferences()) == "tie"


def test_side_bias_decides_between_equals():
    assert changed(side_bias=0.5).choose(GREY, GREY, None, NoReferences()) == "left"
    assert changed(side_bias=-0.5).choose(GREY, GREY, None, NoReferences()) == "right"


def test_noise_sometimes_overrules_and_the_same_pair_is_answered_the_same():
    answers = [
        changed(noise=20.0, seed=seed).choose(LIVELY, GREY, None, NoReferences())
        for seed in range(50)
    ]
    assert {"left", "right"} <= set(answers)
    noisy = changed(noise=20.0)
    again = {noisy.choose(LIVELY, GREY, None, NoReferences()) for _ in range(5)}
    assert len(again) == 1


def test_group_is_seeded_and_its_members_differ():
    assert draw_behaviour(seed=3, index=1) == draw_behaviour(seed=3, index=1)
    assert len({draw_behaviour(seed=3, index=i) for i in range(12)}) == 12
    assert draw_behaviour(seed=4, index=1) != draw_behaviour(seed=3, index=1)


def test_faithfulness_prefers_what_resembles_the_reference(tmp_path):
    red, blue = np.zeros((16, 16, 3)), np.zeros((16, 16, 3))
    red[..., 0], blue[..., 2] = 250, 250
    (tmp_path / "apple.png").write_bytes(png(red))
    (tmp_path / "sea.png").write_bytes(png(blue))
    entries = [{"caption": "red apple", "file": "apple.png"}, {"caption": "sea", "file": "sea.png"}]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(each) + "\n" for each in entries))
    references = ManifestReferences(manifest)
    assert CALM.choose(png(red), png(blue), "a shiny red apple", references) == "left"
    assert CALM.choose(png(red), png(blue), "the sea", references) == "right"
    assert CALM.choose(png(red), png(blue), "a xylophone", references) == "tie"


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(BadInputError, match="no such manifest"):
        ManifestReferences(tmp_path / "manifest.jsonl")
