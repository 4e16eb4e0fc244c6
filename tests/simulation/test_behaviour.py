"""How simulated annotators come from what they see to an answer."""

from dataclasses import replace

import numpy as np
import pytest

from evalplatform.simulation.behaviour import Behaviour, Judge, draw_behaviour
from evalplatform.simulation.likeness import NoReferences
from evalplatform.simulation.tastes import PixelTaste
from tests.simulation.drawings import draw, png

CALM = Behaviour(seed=1, sharpness=10.0, quirk=0.0, wavering=0.0, side_bias=0.0, tie_band=0.1)
GREY = png(draw(0, "flat").convert("L").point(lambda level: 128))
LIVELY = png(draw(0, "3d"))


def judge(**fields):
    return Judge(replace(CALM, **fields), PixelTaste(1.0, 1.0, 1.0), NoReferences())


def test_livelier_image_is_preferred_on_either_side():
    assert judge().choose(LIVELY, GREY, None) == "left"
    assert judge().choose(GREY, LIVELY, None) == "right"


def test_equal_images_tie():
    assert judge(quirk=5.0).choose(GREY, GREY, None) == "tie"


def test_side_bias_decides_between_equals():
    assert judge(side_bias=0.5).choose(GREY, GREY, None) == "left"
    assert judge(side_bias=-0.5).choose(GREY, GREY, None) == "right"


def test_quirk_stays_with_the_image_when_sides_are_swapped():
    """So an annotator agrees with itself where it agrees with nobody else."""
    answers = []
    for seed in range(40):
        one = judge(quirk=50.0, seed=seed)
        answers.append(one.choose(LIVELY, GREY, None))
        swapped = {"left": "right", "right": "left", "tie": "tie"}[one.choose(GREY, LIVELY, None)]
        assert swapped == answers[-1]
    assert {"left", "right"} <= set(answers)


def test_quirk_knows_an_image_by_its_pixels_not_its_file():
    larger_file = LIVELY + b"\0" * 20
    for seed in range(20):
        one = judge(quirk=50.0, seed=seed)
        assert one.choose(larger_file, GREY, None) == one.choose(LIVELY, GREY, None)


def test_wavering_is_drawn_anew_for_another_copy_and_kept_for_the_same():
    waverer = judge(wavering=50.0)
    copies = [LIVELY + bytes([n]) for n in range(30)]
    answers = [waverer.choose(copy, GREY, None) for copy in copies]
    assert {"left", "right"} <= set(answers)
    assert answers == [waverer.choose(copy, GREY, None) for copy in copies]


def test_faithfulness_is_undecided_without_references():
    assert judge().choose(LIVELY, GREY, "a dog") == "tie"


def test_behaviours_are_seeded_and_differ():
    drawn = [draw_behaviour(np.random.default_rng([3, index])) for index in range(12)]
    assert len({each.quirk for each in drawn}) == 12
    assert draw_behaviour(np.random.default_rng([3, 0])) == drawn[0]


def test_stated_behaviour_says_what_it_is():
    stated = judge().as_dict()
    assert stated["model"] == "pixel-arithmetic/1"
    assert stated["says"].endswith("a rehearsal, no evidence of quality")
    assert stated["tie_band"] == pytest.approx(0.1)
