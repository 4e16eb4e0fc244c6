"""What else an autoencoder can be trained on: fixed image features and a patch discriminator.

The paper trains its autoencoder with an adversarial loss and gives no details; hinge loss, a start
after a warm-up and the adaptive weight are VQGAN's practice (Esser et al. 2021, arXiv 2012.09841).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ORIENTATIONS = 4
_FLOOR = 1e-3  # of energies
_KERNEL = 7
_GROUPS = 8


class GaborFeatures(nn.Module):
    """Responses to a fixed bank of oriented filters at several scales; nothing is trained.

    These are not the features of a trained recognition network (LPIPS needs one, and none is in a
    package registry): they see edges, lines and texture by orientation and scale, no objects.
    Colours are taken apart into brightness, red-green and blue-yellow first.
    """

    bank: Tensor
    opponents: Tensor

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = scales
        self.register_buffer("bank", _gabor_bank(), persistent=False)
        opponents = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [-0.5, -0.5, 1.0]])
        self.register_buffer("opponents", opponents / opponents.norm(dim=1)[:, None], False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return per scale s the responses (B, 3 * 8, H/2^s, W/2^s) to images (B, 3, H, W)."""
        x = torch.einsum("oc,bchw->bohw", self.opponents, x)
        kernels = self.bank.repeat(3, 1, 1, 1)
        responses = []
        for _ in range(self.scales):
            padded = F.pad(x, (_KERNEL // 2,) * 4, mode="replicate")
            responses.append(F.conv2d(padded, kernels, groups=3))
            if min(x.shape[2:]) < 2 * _KERNEL:
                break
            x = F.avg_pool2d(x, 2)
        return responses

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean absolute difference of responses for each pair of images, (B,)."""
        pairs = zip(self(x), self(y), strict=True)
        return torch.stack([(a - b).abs().mean(dim=(1, 2, 3)) for a, b in pairs]).mean(dim=0)

    def energies(self, x: Tensor) -> Tensor:
        """Return mean log energies by scale, colour and orientation, (B, scales * 12)."""
        parts = []
        for response in self(x):
            even, odd = response.unflatten(1, (3, 2, _ORIENTATIONS)).unbind(dim=2)
            energy = (even.square() + odd.square()).mean(dim=(3, 4))
            # The floor keeps noise that nobody sees on a plain ground from deciding.
            parts.append((energy + _FLOOR).log().flatten(1))
        return torch.cat(parts, dim=1)

    def energies_of_every_scale(self, x: Tensor) -> Tensor:
        """Return the same, as many of small images as of large ones: what they lack is floor."""
        found = self.energies(x)
        lacking = self.scales * 3 * _ORIENTATIONS - found.shape[1]
        return F.pad(found, (0, lacking), value=math.log(_FLOOR))


def _gabor_bank() -> Tensor:
    """(8, 1, 7, 7): four orientations, even then odd; no response to a constant, norm 1."""
    axis = torch.arange(_KERNEL) - _KERNEL // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    envelope = torch.exp(-(x.square() + y.square()) / (2 * 1.8**2))
    kernels = []
    for wave in (torch.cos, torch.sin):
        for index in range(_ORIENTATIONS):
            angle = math.pi * index / _ORIENTATIONS
            along = x * math.cos(angle) + y * math.sin(angle)
            kernel = envelope * wave(2 * math.pi * along / 4.0)
            kernel = kernel - envelope * (kernel.sum() / envelope.sum())
            kernels.append(kernel / kernel.norm())
    return torch.stack(kernels)[:, None]


class PatchDiscriminator(nn.Module):
    """Says of each patch whether it is real: (B, 3, H, W) to logits (B, 1, H/4, W/4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(_GROUPS, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.GroupNorm(_GROUPS, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss: real patches above 1, fake ones below -1."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Return how much the adversarial loss counts so that both pull alike at the last layer.

    The ratio of the two gradients' norms, at most 10,000 (VQGAN, equation 7).
    """
    (wanted,) = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)
    (given,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (wanted.norm() / (given.norm() + 1e-4)).clamp(0, 1e4).detach()
