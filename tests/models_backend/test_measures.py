"""Measures against their definitions and a second implementation."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

from models_backend.measures.frechet import frechet_distance
from models_backend.measures.pixels import background_dirt, psnr, sharpness, ssim


def images(seed: int, count: int = 3, size: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_of_identical_images_is_large_and_finite():
    assert psnr(images(0), images(0)).tolist() == pytest.approx([100] * 3)


def test_psnr_follows_its_definition():
    """An error of a tenth of the range everywhere is 20 dB."""
    x = torch.zeros(2, 3, 8, 8)
    assert psnr(x, x + 0.2).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert psnr(torch.ones(1, 3, 8, 8), torch.full((1, 3, 8, 8), 5.0)).item() == pytest.approx(100)


def test_ssim_equals_scikit_images():
    x, y = images(0), (images(0) + 0.4 * images(1)).clamp(-1, 1)
    expected = [
        structural_similarity(
            a.double().add(1).div(2).numpy(), b.double().add(1).div(2).numpy(), channel_axis=0,
            data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    assert ssim(x, y).tolist() == pytest.approx(expected, abs=1e-6)


def test_ssim_is_one_for_equal_images_and_falls_with_noise():
    x = images(0)
    assert ssim(x, x).tolist() == pytest.approx([1, 1, 1])
    little, much = ssim(x, x + 0.1 * images(1)), ssim(x, x + 0.8 * images(1))
    assert (much < little).all()
    assert (little < 1).all()


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(images(0, size=8), images(0, size=8))


def test_frechet_distance_equals_its_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 5)), rng.normal(size=(150, 5)) @ rng.normal(size=(5, 5)) + 1
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_frechet_distance_of_a_shift_is_its_square():
    a = np.random.default_rng(1).normal(size=(50, 3))
    assert frechet_distance(a, a + np.array([3, 0, 4])) == pytest.approx(25)


@pytest.mark.parametrize("shape", [(1, 3), (5, 4), (5,)])
def test_frechet_distance_refuses_what_it_cannot_compare(shape):
    with pytest.raises(ValueError, match="two or more rows"):
        frechet_distance(np.zeros((5, 3)), np.zeros(shape))


def test_sharpness_falls_with_blur_and_is_zero_on_a_plain_sheet():
    x = images(0)
    blurred = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    assert (sharpness(blurred) < sharpness(x)).all()
    assert sharpness(torch.ones(1, 3, 8, 8)).item() == 0


def test_background_dirt_looks_at_the_rim_alone():
    sheet = torch.ones(2, 3, 16, 16)
    sheet[0, :, 4:12, 4:12] = -1
    sheet[1, :, :2] = -1
    clean, dirty = background_dirt(sheet).tolist()
    assert clean == 0
    assert dirty == pytest.approx(32 / (256 - 144))
