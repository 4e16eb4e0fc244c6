"""Writes a latent diffusion model whose decoder has alpha. Usage: FOLDER."""

import sys
from pathlib import Path

import torch

from models_backend import checkpoints
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.nn.architecture import AutoencoderConfig, UNetConfig
from models_backend.nn.transparency import with_alpha

torch.manual_seed(0)
autoencoder = AutoencoderConfig(4, outer_width=8, inner_width=8, blocks=1)
model = LatentDiffusion.create(autoencoder, UNetConfig(widths=(32, 48), heads=2), (32, 32))
model.autoencoder = with_alpha(model.autoencoder)
with torch.no_grad():
    # So far from the mean that some pixels are clear and others opaque.
    model.autoencoder.last_layer.mul_(30)
folder = Path(sys.argv[1])
checkpoints.save(
    model,
    folder,
    name=folder.name,
    role="pretrained",
    training={
        "recipe": "none", "seed": 0, "images": 0, "data_manifest_sha256": "", "code_version": "",
    },
    licences=["CC0-1.0"],
)  # fmt: skip
