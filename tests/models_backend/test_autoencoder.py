"""The autoencoder's shapes, loss and quality measure."""

import pytest
import torch

from models_backend.nn.architecture import AutoencoderConfig
from models_backend.nn.autoencoder import Autoencoder, psnr


def small(latent_channels: int) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(AutoencoderConfig(latent_channels, outer_width=8, inner_width=8, blocks=1))


@pytest.mark.parametrize("latent_channels", [4, 8, 16])
@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_latents_are_an_eighth_a_side(latent_channels, size):
    height, width = size
    autoencoder = small(latent_channels)
    mean, logvar = autoencoder.encode(torch.zeros(2, 3, height, width))
    assert mean.shape == logvar.shape == (2, latent_channels, height // 8, width // 8)
    assert autoencoder.decode(mean).shape == (2, 3, height, width)


def test_loss_falls_in_a_few_steps(one_thread):
    autoencoder = small(16)
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
    colours = torch.rand(8, 3, 1, 1, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x = colours.expand(8, 3, 16, 16)
    history = []
    for step in range(30):
        loss, scalars = autoencoder.loss(
            x, kl_weight=1e-4, generator=torch.Generator().manual_seed(step)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(scalars["reconstruction"])
    assert history[-1] < 0.7 * history[0]


def test_equal_generators_give_equal_losses():
    autoencoder, x = small(4), torch.zeros(2, 3, 16, 16)
    first, second, other = (
        autoencoder.loss(x, kl_weight=1e-4, generator=torch.Generator().manual_seed(seed))[0]
        for seed in (1, 1, 2)
    )
    assert first.item() == second.item() != other.item()


def test_kl_weight_enters_the_loss():
    autoencoder, x = small(4), torch.ones(1, 3, 16, 16)
    light, heavy = (
        autoencoder.loss(x, kl_weight=weight, generator=torch.Generator().manual_seed(0))
        for weight in (0.0, 2.0)
    )
    assert light[0].item() == pytest.approx(light[1]["reconstruction"])
    assert heavy[0].item() == pytest.approx(light[0].item() + 2 * heavy[1]["kl"], rel=1e-5)


def test_psnr_of_identical_images_is_large_and_finite():
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    assert psnr(x, x) == pytest.approx(100)


def test_psnr_follows_its_definition():
    """An error of a tenth of the range everywhere is 20 dB."""
    x = torch.zeros(2, 3, 8, 8)
    assert psnr(x, x + 0.2) == pytest.approx(20, abs=1e-4)
    assert psnr(torch.ones(1, 3, 8, 8), torch.full((1, 3, 8, 8), 5.0)) == pytest.approx(100)
