"""Heads learnt from the data at hand, saved with a hash, and used as scorers."""

import json

import numpy as np
import pytest
from PIL import Image

from models_backend.curation.__main__ import main
from models_backend.curation.scorers.base import ScorerInput
from models_backend.curation.scorers.learned import appeal, text_image
from models_backend.errors import InputError

COLOURS = {"a red square": (220, 30, 30), "a green square": (30, 200, 40)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(40):
        caption = list(COLOURS)[number % 2]
        colour = np.array(COLOURS[caption]) + rng.integers(-25, 26, (20, 20, 3))
        Image.fromarray(colour.astype(np.uint8)).save(folder / f"{number:02d}.png")
        grade = float(number % 2) + rng.normal(0, 0.1)
        lines.append({"file_name": f"{number:02d}.png", "caption": caption, "grade": grade})
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


def sample(colour, caption=""):
    """An image that was not learnt from, made as those were."""
    noise = np.random.default_rng(1).integers(-25, 26, (20, 20, 3))
    pixels = (np.array(colour) + noise).astype(np.uint8)
    return ScorerInput("0", Image.fromarray(pixels), caption)


def test_head_tells_the_right_caption_and_what_is_liked(data, tmp_path):
    fit, liked = tmp_path / "fit", tmp_path / "liked"
    assert main(["learn", "text_image", "--data", str(data), "--out", str(fit)]) == 0
    assert main(["learn", "appeal", "--data", str(data), "--field", "grade",
                 "--out", str(liked)]) == 0  # fmt: skip
    red, green = COLOURS.values()
    captions = list(COLOURS)
    scorer = text_image(str(fit))
    right, wrong, none = scorer.score(
        [sample(red, captions[0]), sample(red, captions[1]), sample(red)]
    )
    assert right["cosine"] > wrong["cosine"] + 0.01
    assert none["cosine"] is None
    low, high = appeal(str(liked)).score([sample(red), sample(green)])
    assert low["score"] < 0.4 < 0.6 < high["score"]
    told = json.loads((liked / "head.json").read_text())
    assert told["held_out_correlation"] > 0.9
    assert appeal(str(liked)).identity.weights_sha256 == told["weights_sha256"]
    with pytest.raises(InputError, match="no appeal head"):
        appeal(str(fit))
    (liked / "head.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="was changed"):
        appeal(str(liked))
    with pytest.raises(InputError, match="needs the folder of a head") as refused:
        text_image("")
    assert "curation learn text_image " in refused.value.by_command
