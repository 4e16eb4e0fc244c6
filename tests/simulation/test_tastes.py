"""Tastes learned from a curation."""

import numpy as np
import pytest
from PIL import Image

from evalplatform.core.errors import BadInputError
from evalplatform.quality.damage import DAMAGES
from evalplatform.simulation.curation import read_curation
from evalplatform.simulation.features import Seen, pixels_of
from evalplatform.simulation.tastes import CURATORS, fit_preferences, learn_taste
from tests.simulation import drawings


@pytest.fixture(scope="module")
def curation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curation")
    data = drawings.write(folder / "data")
    return read_curation(data, drawings.write_picks(folder / "picks.tsv"))


def taste_of(curation, seed=0):
    return learn_taste(curation, np.random.default_rng(seed))


def seen(image):
    return Seen(pixels_of(image))


def test_taste_prefers_picks_among_things_it_did_not_learn_from(curation):
    taste = taste_of(curation)
    assert len(taste.taught) == 15
    assert taste.right_on_held_out > 0.9
    unknown = 1000  # no thing of the data set
    flat = taste.appeal(seen(drawings.draw(unknown, "flat")))
    assert taste.appeal(seen(drawings.draw(unknown, "3d"))) > flat


def test_without_a_difference_to_learn_nothing_is_told(curation):
    """The control of the test above: picks by chance teach no taste that holds elsewhere."""
    rng = np.random.default_rng(2)
    random = type(curation)(curation.drawings, rng.permutation(curation.picked))
    assert taste_of(random).right_on_held_out < 0.75


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.name)
def test_taste_prefers_an_image_to_its_spoilt_copy(curation, damage):
    taste, rng = taste_of(curation), np.random.default_rng(3)
    right = []
    for thing in range(40, 70):
        image = drawings.draw(thing, "3d")
        spoilt = Image.fromarray(damage.apply(np.asarray(image), rng))
        right.append(taste.appeal(seen(image)) > taste.appeal(seen(spoilt)))
    assert np.mean(right) >= 0.8


def test_annotators_learn_from_different_things_and_say_whose_taste_it_is(curation):
    one, two = taste_of(curation, 0), taste_of(curation, 1)
    assert one.taught != two.taught
    assert not np.allclose(one.weights, two.weights)
    assert one.says == CURATORS
    assert "no evidence of quality" in CURATORS
    stated = one.as_dict()
    assert stated["model"] == "curator-taste/1"
    assert len(stated["weights"]) == 41


def test_fit_finds_the_weights_that_votes_were_drawn_by():
    rng, truth = np.random.default_rng(4), np.array([2.0, -1.0, 0.0])
    shown = rng.normal(size=(4000, 3))
    first = rng.random(4000) < 1 / (1 + np.exp(-shown @ truth))
    found = fit_preferences(np.where(first[:, None], shown, -shown), ridge=1e-6)
    np.testing.assert_allclose(found, truth, atol=0.15)


def test_fit_stays_finite_where_nothing_contradicts():
    assert np.isfinite(fit_preferences(np.ones((5, 2)), ridge=1.0)).all()


def test_too_few_picks_are_refused(tmp_path):
    data = drawings.write(tmp_path / "data")
    picks = drawings.write_picks(tmp_path / "picks.tsv", count=3)
    with pytest.raises(BadInputError, match=r"picks drawings of 3 things .* 8 and more"):
        read_curation(data, picks)


def test_missing_manifest_and_list_are_named(tmp_path):
    with pytest.raises(BadInputError, match=r"manifest.jsonl cannot be read .* captioned data set"):
        read_curation(tmp_path, tmp_path / "picks.tsv")
    data = drawings.write(tmp_path / "data", count=8)
    with pytest.raises(BadInputError, match=r"picks.tsv cannot be read"):
        read_curation(data, tmp_path / "picks.tsv")


def test_foreign_manifest_and_broken_picture_are_named(tmp_path):
    data = drawings.write(tmp_path / "data", count=8)
    picks = drawings.write_picks(tmp_path / "picks.tsv", count=8)
    (data / "3d-anchor.png").write_bytes(b"no picture")
    with pytest.raises(BadInputError, match=r"3d-anchor.png cannot be read"):
        taste_of(read_curation(data, picks))
    (data / "manifest.jsonl").write_text('{"caption": "a dog"}\n')
    with pytest.raises(BadInputError, match="each needs concept, caption"):
        read_curation(data, picks)
