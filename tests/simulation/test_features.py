"""What simulated annotators see of an image."""

import numpy as np
import torch
from PIL import Image

from evalplatform.simulation.features import LOOKS, Seen, clarity, look, pixels_of
from models_backend.nn.adversary import GaborFeatures
from tests.simulation import drawings


def seen(image: Image.Image) -> Seen:
    return Seen(pixels_of(image))


def test_energies_are_those_of_the_trainers_filters():
    pixels = pixels_of(drawings.draw(3, "3d"))
    tensor = torch.tensor(2 * pixels - 1, dtype=torch.float64).permute(2, 0, 1)[None]
    theirs = GaborFeatures().double().energies(tensor)[0].numpy()
    ours = look(pixels)
    assert len(ours) == LOOKS == len(theirs) + 5
    np.testing.assert_allclose(ours[: len(theirs)], theirs, atol=1e-6)


def test_any_size_is_looked_at_in_one():
    drawing = drawings.draw(3, "flat")
    larger = drawing.resize((128, 128), Image.Resampling.NEAREST)
    np.testing.assert_allclose(seen(larger).look, seen(drawing).look)
    assert seen(drawing.resize((40, 90))).look.shape == (LOOKS,)


def test_even_area_has_a_finite_look():
    assert np.isfinite(seen(Image.new("RGB", (64, 64), "grey")).look).all()


def test_layout_tells_where_things_are():
    left, right = np.ones((64, 64, 3)), np.ones((64, 64, 3))
    left[:, :32], right[:, 32:] = 0, 0
    far = np.linalg.norm(Seen(left).layout - Seen(right).layout)
    near = np.linalg.norm(Seen(left).layout - Seen(np.roll(left, 2, axis=1)).layout)
    assert near < far


def test_clear_edge_is_clearer_than_mottling_of_the_same_contrast():
    half = np.zeros((16, 16, 3))
    half[:, 8:] = 0.8
    mottled = np.random.default_rng(1).permuted(half[..., 0].ravel()).reshape(16, 16, 1)
    assert clarity(half) > clarity(mottled.repeat(3, axis=2))
