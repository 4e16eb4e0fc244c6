"""The autoencoder: shapes, the fixed transform, what it is trained on, and resuming that."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.losses import AutoencoderLossConfig
from models_backend.errors import InputError, TrainingError
from models_backend.nn.adversary import (
    GaborFeatures,
    PatchDiscriminator,
    adaptive_weight,
    hinge_loss,
)
from models_backend.nn.architecture import AutoencoderConfig
from models_backend.nn.autoencoder import Autoencoder, FourierFeatures
from models_backend.nn.pixels import to_unit_range
from models_backend.recipes import autoencoder as recipe
from models_backend.recipes.autoencoder import AutoencoderLoss, train_autoencoder
from models_backend.training.randomness import StepDraw

SMALL = AutoencoderConfig(4, outer_width=8, inner_width=8, blocks=1)
ADVERSARIAL = AutoencoderLossConfig(
    perceptual_weight=0.1, adversarial_weight=0.5, adversarial_start=4, discriminator_width=8
)


def small(**changes: object) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(dataclasses.replace(SMALL, **changes))


def pictures(count: int = 8, size: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def draw_of(count: int, seed: int = 0, step: int = 0) -> StepDraw:
    return StepDraw.of(seed, "autoencoder", step, batch_size=count)


def loss_of(autoencoder: Autoencoder, x: Tensor, seed: int = 0, step: int = 0, **settings: object):
    loss = AutoencoderLoss(autoencoder, AutoencoderLossConfig(**settings))
    return loss(x, draw=draw_of(len(x), seed, step))


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("latent_channels", [4, 8, 16])
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_latents_are_smaller_by_the_factor(latent_channels, factor, size):
    height, width = size
    autoencoder = small(latent_channels=latent_channels, factor=factor)
    mean, logvar = autoencoder.encode(torch.zeros(2, 3, height, width))
    latents = (2, latent_channels, height // factor, width // factor)
    assert mean.shape == logvar.shape == latents
    assert autoencoder.decode(mean).shape == (2, 3, height, width)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_diffusers_kind_has_the_same_shapes(factor):
    widths = (8, 8, 16, 16)[: factor.bit_length()]
    autoencoder = small(kind="kl", factor=factor, widths=widths)
    mean, _ = autoencoder.encode(torch.zeros(2, 3, 16, 24))
    assert mean.shape == (2, 4, 16 // factor, 24 // factor)
    assert autoencoder.decode(mean).shape == (2, 3, 16, 24)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_channels": 5}, "accepted are 4, 8 and 16"),
        ({"factor": 16}, "factor 16: accepted are 2, 4 and 8"),
        ({"fourier_frequencies": (1.0, 0.0)}, "fourier_frequencies"),
        ({"kind": "vq"}, "accepted are folded, kl"),
        ({"kind": "kl", "widths": (8, 8)}, "needs 4 multiples of 8"),
        ({"kind": "kl", "widths": (8,) * 4, "fourier_frequencies": (1.0,)}, "no such transform"),
    ],
)
def test_architectures_that_do_not_exist_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(SMALL, **changes)


# -- Fourier features -----------------------------------------------------------------------------


def test_fourier_features_follow_their_formula():
    x = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    lifted = FourierFeatures((1.0, 4.0))(x)
    assert lifted.shape == (2, 15, 4, 5)
    assert torch.equal(lifted[:, :3], x)
    assert lifted[:, 3:6] == pytest.approx(torch.sin(math.pi * x), abs=1e-6)
    assert lifted[:, 6:9] == pytest.approx(torch.sin(4 * math.pi * x), abs=1e-5)
    assert lifted[:, 12:15] == pytest.approx(torch.cos(4 * math.pi * x), abs=1e-5)


def test_fourier_features_are_never_trained_and_are_no_weights():
    plain, fourier = small(), small(fourier_frequencies=(1.0, 2.0))
    assert not list(fourier.input_features.parameters())
    assert fourier.state_dict().keys() == plain.state_dict().keys()
    shapes = [a.state_dict()["encoder.1.weight"].shape[1] for a in (plain, fourier)]
    assert shapes == [3 * 16, 15 * 16]


# -- the loss -------------------------------------------------------------------------------------


def test_loss_falls_in_a_few_steps(tmp_path, one_thread):
    autoencoder = small(latent_channels=16)
    colours = pictures(8, 1).expand(8, 3, 16, 16)
    before = loss_of(autoencoder, colours.float() / 127.5 - 1)[0].mean().item()
    loop = LoopConfig(steps=90, batch_size=8, learning_rate=3e-3, warmup_steps=2, ema_decay=0.0)
    losses = AutoencoderLossConfig()
    train_autoencoder(autoencoder, colours, loop=loop, losses=losses, seed=1, run=tmp_path)
    after = loss_of(autoencoder, colours.float() / 127.5 - 1)[0].mean().item()
    assert after < 0.8 * before


def test_equal_generators_give_equal_losses():
    autoencoder, x = small(), torch.zeros(2, 3, 16, 16)
    first, second, other = (loss_of(autoencoder, x, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_kl_weight_enters_the_loss():
    autoencoder, x = small(), torch.ones(1, 3, 16, 16)
    light, heavy = (loss_of(autoencoder, x, kl_weight=weight) for weight in (0.0, 2.0))
    assert light[0].item() == pytest.approx(float(light[1]["reconstruction"]))
    assert heavy[0].item() == pytest.approx(light[0].item() + 2 * float(heavy[1]["kl"]), rel=1e-5)


def test_reconstruction_is_absolute_square_or_both():
    autoencoder, x = small(), torch.ones(2, 3, 16, 16)
    values = {
        name: loss_of(autoencoder, x, reconstruction=name, kl_weight=0.0)[0]
        for name in ("l1", "l2", "l1+l2")
    }
    assert torch.allclose(values["l1+l2"], values["l1"] + values["l2"])
    assert not torch.equal(values["l1"], values["l2"])


def test_perceptual_term_enters_the_loss():
    autoencoder, x = small(), torch.ones(2, 3, 16, 16)
    without, scalars = loss_of(autoencoder, x)
    with_it, more = loss_of(autoencoder, x, perceptual_weight=3.0)
    assert "perceptual" not in scalars
    expected = without.mean().item() + 3 * float(more["perceptual"])
    assert with_it.mean().item() == pytest.approx(expected, rel=1e-5)


# -- fixed features -------------------------------------------------------------------------------


def test_gabor_features_see_orientation_and_no_brightness():
    features = GaborFeatures(scales=1)
    axis = torch.arange(32) * (2 * math.pi / 4)
    upright = torch.cos(axis).expand(1, 3, 32, 32)
    lying = upright.transpose(2, 3)
    energies = [features.energies(x).view(3, 4)[0] for x in (upright, lying)]
    assert [int(energy.argmax()) for energy in energies] == [0, 2]
    grey = features(torch.full((1, 3, 32, 32), 0.7))[0]
    assert grey.abs().max() < 1e-5


def test_gabor_distance_is_zero_for_equal_images_and_notices_blur():
    features, x = GaborFeatures(), pictures().float() / 127.5 - 1
    blurred = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    assert features.distance(x, x).tolist() == [0.0] * 8
    assert (features.distance(x, blurred) > 0.1).all()
    assert not list(features.parameters())


# -- the adversary --------------------------------------------------------------------------------


def test_hinge_loss_asks_for_a_margin():
    assert hinge_loss(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -3.0])) == 0
    assert hinge_loss(torch.tensor([0.0]), torch.tensor([0.0])) == 1
    assert hinge_loss(torch.tensor([-1.0]), torch.tensor([-5.0])) == 1


def test_discriminator_judges_patches():
    assert PatchDiscriminator(8)(torch.zeros(2, 3, 32, 24)).shape == (2, 1, 8, 6)


def test_adaptive_weight_makes_both_gradients_alike():
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    strong, faint = 30 * weight.sum(), 0.1 * weight.sum()
    assert adaptive_weight(strong, faint, weight).item() == pytest.approx(300, rel=1e-2)
    assert adaptive_weight(strong, 0 * weight.sum(), weight).item() == 1e4


def test_adversary_joins_after_its_warm_up():
    x = torch.zeros(2, 3, 16, 16)
    loss = AutoencoderLoss(small(), ADVERSARIAL)
    untrained = loss.adversary.layers[0].weight.detach().clone()
    _, early = loss(x, draw=draw_of(2, step=3))
    assert "discriminator" not in early
    assert torch.equal(loss.adversary.layers[0].weight, untrained)
    _, late = loss(x, draw=draw_of(2, step=4))
    assert late.keys() >= {"discriminator", "adversarial", "adversarial_weight"}
    assert not torch.equal(loss.adversary.layers[0].weight, untrained)


def test_the_autoencoder_is_pulled_towards_what_the_adversary_takes_for_real():
    """The gradient reaches the decoder, and none of it the discriminator."""
    autoencoder = small()
    loss = AutoencoderLoss(autoencoder, ADVERSARIAL)
    gradients = []
    for step in (0, 4):
        autoencoder.zero_grad()
        losses, _ = loss(pictures().float() / 127.5 - 1, draw=draw_of(8, step=step))
        loss.adversary.zero_grad()
        losses.mean().backward()
        gradients.append(autoencoder.last_layer.grad.clone())
        assert all(p.grad is None for p in loss.adversary.parameters())
    assert not torch.equal(gradients[0], gradients[1])


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stop_at", [3, 9])
def test_a_killed_run_goes_on_with_the_same_adversary(tmp_path, monkeypatch, one_thread, stop_at):
    loop = LoopConfig(steps=12, batch_size=4, warmup_steps=2, ema_decay=0.5, save_every=2)

    def run(folder: Path) -> Autoencoder:
        autoencoder = small()
        folder.mkdir(exist_ok=True)
        train_autoencoder(
            autoencoder, pictures(), loop=loop, losses=ADVERSARIAL, seed=3, run=folder
        )
        return autoencoder

    whole = run(tmp_path / "whole")

    class Stopping(AutoencoderLoss):
        def __call__(self, x: Tensor, *, draw: StepDraw):
            if draw.step == stop_at:
                raise KilledError
            return super().__call__(x, draw=draw)

    with monkeypatch.context() as patched:
        patched.setattr(recipe, "AutoencoderLoss", Stopping)
        with pytest.raises(KilledError):
            run(tmp_path / "killed")
    torch.manual_seed(99)  # another process begins with other weights
    resumed = run(tmp_path / "killed")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


@torch.no_grad()
def images_of(autoencoder: Autoencoder) -> Tensor:
    """Return what it makes of the pictures when it encodes and decodes them."""
    mean: Tensor = autoencoder.encode(to_unit_range(pictures()))[0]
    return autoencoder.decode(mean)


def test_micro_batches_train_the_same_autoencoder(tmp_path):
    trained = []
    for size in (0, 2):
        autoencoder, run = small(), tmp_path / str(size)
        run.mkdir()
        loop = LoopConfig(steps=5, batch_size=6, micro_batch_size=size, ema_decay=0.0)
        losses = AutoencoderLossConfig(perceptual_weight=0.1)
        train_autoencoder(autoencoder, pictures(), loop=loop, losses=losses, seed=3, run=run)
        trained.append(images_of(autoencoder))
    # Images, not weights: a bias before a normalisation has no gradient but rounding, which AdamW
    # makes as large as any.
    assert torch.allclose(trained[0], trained[1], atol=1e-5)
    assert not torch.allclose(trained[0], images_of(small()), atol=1e-2)


def test_non_finite_adversary_stops_the_run():
    loss = AutoencoderLoss(small(), ADVERSARIAL)
    with torch.no_grad():
        loss.adversary.layers[0].weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="discriminator_learning_rate"):
        loss(torch.zeros(2, 3, 16, 16), draw=draw_of(2, step=4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reconstruction": "l3"}, "accepted are l1, l2, l1\\+l2"),
        ({"discriminator_width": 12}, "multiples of 8"),
        ({"adversarial_weight": -1.0}, "adversarial_weight -1"),
    ],
)
def test_losses_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        AutoencoderLossConfig(**changes)
