"""RGBA by one more channel of the decoder (Style Tailoring, Sinha et al. 2023, arXiv 2311.10794).

The paper gives the decoder's last convolution a fourth output channel whose weights begin as the
mean of those of red, green and blue. The loss is ours, and so is that the three go on painting on
white, as the parent learned to: the white is taken off by alpha afterwards.

Shapes: images (B, 4, H, W) about in [-1, 1]: colours as if nothing were transparent ("straight"),
then alpha, -1 for clear and 1 for opaque.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from models_backend.errors import InputError
from models_backend.nn.autoencoder import Autoencoder


def with_alpha(autoencoder: Autoencoder) -> Autoencoder:
    """Return a copy that paints red, green and blue on white as before, and alpha, their mean.

    Raises:
        InputError: it has alpha already.
    """
    if autoencoder.config.alpha:
        raise InputError(
            "its decoder has an alpha channel already; give the checkpoint that it was made of"
        )
    config = replace(autoencoder.config, alpha=True, painted_on_white=True)
    made = Autoencoder(config).to(autoencoder.last_layer)
    (last,) = (name for name, each in made.named_modules() if each is made.last_convolution)
    state = dict(autoencoder.state_dict())
    for name in (f"{last}.weight", f"{last}.bias"):
        state[name] = _with_mean(state[name])
    made.load_state_dict(state)
    return made.eval()


def _with_mean(rows: Tensor) -> Tensor:
    """Return a layer's rows (3 S, ...) with the mean over colours behind them: (4 S, ...).

    A folded decoder makes S = 4 pixels of each place: PixelShuffle takes channel c from rows c S to
    c S + S - 1, so that alpha's rows are the mean of three blocks, place by place.
    """
    blocks = rows.view(3, -1, *rows.shape[1:])
    return torch.cat([rows, blocks.mean(dim=0)])


def transparency_loss(painted: Tensor, wanted: Tensor) -> Tensor:
    """Return each image's error, (B,), of alpha and of its colours on white.

    Mean absolute errors, and ten times the squared one of colour; values count from 0 to 1. Alpha
    has no say in the colours, so that learning it leaves them as good as they were: while both
    made a colour together, half of what the parent knew was lost (21 dB on white for 27).

    Args:
        painted: what the decoder makes (`Autoencoder.painted`), (B, 4, H, W).
        wanted: drawings, colours as if nothing were transparent, (B, 4, H, W).
    """
    alpha = (_share(painted[:, 3:]) - _share(wanted[:, 3:])).abs().mean(dim=(1, 2, 3))
    colour = _share(painted[:, :3]) - _share(on_white(wanted))
    return alpha + colour.abs().mean(dim=(1, 2, 3)) + 10 * colour.square().mean(dim=(1, 2, 3))


def alpha_error(y: Tensor, wanted: Tensor) -> Tensor:
    """Return each image's mean absolute error of alpha, (B,), from 0 to 1; y is clamped."""
    return (_share(y[:, 3:].clamp(-1, 1)) - _share(wanted[:, 3:])).abs().mean(dim=(1, 2, 3))


def on_ground(images: Tensor, ground: Tensor) -> Tensor:
    """Return images (B, 4, H, W) as (B, 3, H, W) in [-1, 1] on a ground that broadcasts to them.

    The ground is in [-1, 1]; images of three channels are opaque and stay as they are.
    """
    if images.shape[1] == 3:
        return images
    alpha = _share(images[:, 3:].clamp(-1, 1))
    return alpha * images[:, :3] + (1 - alpha) * ground


def on_white(images: Tensor) -> Tensor:
    """Return images (B, 4, H, W) as (B, 3, H, W) on white; opaque ones as they are."""
    return on_ground(images, torch.ones((), dtype=images.dtype, device=images.device))


def _share(values: Tensor) -> Tensor:
    return (values + 1) / 2
