"""Annotators of a known utility: a formula of pixels, the same for all, told in their behaviour."""

import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from evalplatform.simulation.behaviour import see
from evalplatform.simulation.group import draw_known_group
from evalplatform.simulation.known import KNOWN, true_utility


def drawing(red: int, green: int, blue: int) -> bytes:
    """Return a disc of a colour on light grey, as PNG."""
    y, x = np.mgrid[:64, :64]
    pixels = np.full((64, 64, 3), 220, dtype=np.uint8)
    pixels[np.hypot(y - 32, x - 32) < 20] = (red, green, blue)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


PALE, STRONG, DARK = drawing(200, 180, 180), drawing(230, 30, 30), drawing(40, 40, 40)


def test_colour_counts_where_the_prompt_is_shown_and_contrast_where_it_is_hidden():
    assert true_utility(see(STRONG), shows_prompt=True) > true_utility(see(DARK), shows_prompt=True)
    assert true_utility(see(DARK), shows_prompt=False) > true_utility(see(PALE), shows_prompt=False)
    both = [true_utility(see(STRONG), shows_prompt=shown) for shown in (True, False)]
    assert true_utility(see(STRONG)) == pytest.approx(sum(both) / 2)


def test_all_share_the_formula_and_waver_on_their_own():
    judges = draw_known_group(12, seed=3).judges
    assert {judge.utility(see(STRONG), "a red ball") for judge in judges} == {
        true_utility(see(STRONG), shows_prompt=True)
    }
    assert len({judge.behaviour.quirk for judge in judges}) == 12
    assert judges[0].as_dict()["says"] == KNOWN
    assert judges[0].as_dict()["model"] == "known-utility/1"
    said = [judge.choose(STRONG, PALE, "a red ball") for judge in judges]
    assert said == ["left"] * 12
    ranked = [judge.answer("ranking", [PALE, STRONG], "a red ball") for judge in judges]
    assert ranked == ["1>0"] * 12


def test_formula_is_learned_from_nothing(campaign, tmp_path):
    with pytest.raises(CommandError, match="a formula and learned from nothing"):
        call_command("simulate_annotators", campaign.slug, known=True, references=tmp_path)
