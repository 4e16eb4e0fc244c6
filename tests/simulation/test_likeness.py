"""Faithfulness judged against held-out drawings."""

import numpy as np
import pytest

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.curation import read_curation, read_drawings
from evalplatform.simulation.features import Seen, pixels_of
from evalplatform.simulation.likeness import held_out_drawings, learn_eye, matching
from tests.simulation import drawings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("likeness")
    drawings.write(folder / "data")
    drawings.write(folder / "held-out", styles=("flat",), hand=1)
    drawings.write_picks(folder / "picks.tsv")
    return folder


@pytest.fixture(scope="module")
def references(folder):
    curation = read_curation(folder / "data", folder / "picks.tsv")
    eye = learn_eye(curation, np.random.default_rng(0))
    return held_out_drawings(read_drawings(folder / "held-out"), curation, eye)


def seen(thing, style, hand=2):
    return Seen(pixels_of(drawings.draw(thing, style, hand=hand)))


def test_thing_in_another_style_is_more_alike_than_another_thing(references):
    right = [
        references.likeness(seen(thing, "3d"), f"a shiny {name}")
        > references.likeness(seen((thing + 7) % 30, "3d"), f"a shiny {name}")
        for thing, name in enumerate(drawings.NAMES)
    ]
    assert np.mean(right) >= 0.9


def test_prompt_without_a_drawing_decides_nothing(references):
    assert references.likeness(seen(0, "3d"), "a spaceship in orbit") == 0.0


def test_drawing_that_models_are_trained_on_is_refused(folder):
    curation = read_curation(folder / "data", folder / "picks.tsv")
    eye = learn_eye(curation, np.random.default_rng(0))
    with pytest.raises(BadInputError, match=r"90 of the 90 drawings .* give held-out ones"):
        held_out_drawings(read_drawings(folder / "data"), curation, eye)


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a happy dog with a hat", ["a dog"]),
        ("a red car", ["a red car"]),
        ("a pink flamingo", []),  # `pink` alone is no flamingo
        ("a glossy 3d render of a dog", ["a dog"]),
        ("the", []),
    ],
)
def test_half_of_a_captions_words_must_be_in_the_prompt(prompt, found):
    captions = ["a dog", "a red car", "a pink flower in bloom"]
    assert [captions[place] for place in matching(captions, prompt)] == found


def test_one_drawing_a_thing_teaches_no_likeness(tmp_path):
    data = drawings.write(tmp_path / "data", styles=("3d",))
    curation = type(
        read_curation(drawings.write(tmp_path / "two"), drawings.write_picks(tmp_path / "p.tsv"))
    )(read_drawings(data), np.ones(30, dtype=bool))
    with pytest.raises(BadInputError, match="several drawings of one"):
        learn_eye(curation, np.random.default_rng(0))
