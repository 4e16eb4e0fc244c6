"""A captioned data set and a model small enough to train in a second."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from models_backend.data import manifest
from models_backend.files import sha256_of_bytes, sha256_of_file

SIZE = 16
THINGS = ("apple", "boat", "cat", "drum", "egg", "fish")
STYLES = {"flat": "CC-BY-4.0", "3d": "MIT"}

PRETRAIN = """
recipe = "pretrain"
name = "tiny"
role = "pretrained"
seed = 5
image_size = 16

[autoencoder]
latent_channels = 4
outer_width = 8
inner_width = 8
blocks = 1

[autoencoder_training]
steps = 12
batch_size = 4
warmup_steps = 2
ema_decay = 0.5
save_every = 5

[unet]
widths = [32, 48]
layers = 1
heads = 2

[denoiser_training]
steps = 12
batch_size = 4
warmup_steps = 2
ema_decay = 0.5
save_every = 5
"""

QUALITY_TUNE = """
recipe = "quality_tune"
name = "tiny_tuned"
seed = 6
tuning_list = "{tuning_list}"

[training]
steps = 4
batch_size = 4
warmup_steps = 1
ema_decay = 0.5
save_every = 2

[early_stopping]
candidates = 0
"""


def write_dataset(folder: Path, *, size: int = SIZE, copies: int = 1) -> Path:
    """Write a finished data set: six things in two styles, plain colours with some noise."""
    rng = np.random.default_rng(0)
    records = []
    for style, licence in STYLES.items():
        names = [
            thing if not copy else f"{thing}{copy}" for copy in range(copies) for thing in THINGS
        ]
        for index, thing in enumerate(names):
            file = f"images/{style}/{thing}.png"
            colour = rng.integers(40, 215, 3) + rng.integers(-40, 40, (size, size, 1))
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(colour.astype(np.uint8)).save(path)
            records.append(
                manifest.Record(
                    concept=f"1f{index:03x}",
                    caption=f"{'an' if thing[0] in 'ae' else 'a'} {thing}",
                    keywords=["thing", f"{thing}y"],
                    category="Artifacts",
                    style=style,
                    source="tiny@1.0.0",
                    licence=licence,
                    sha256=sha256_of_file(path),
                    file=file,
                )
            )
    return write_records(folder, records)


def write_records(folder: Path, records: list[manifest.Record]) -> Path:
    """Write manifest and completeness mark."""
    data = manifest.dump_records(records)
    (folder / manifest.MANIFEST_NAME).write_bytes(data)
    mark = {
        "format": manifest.FORMAT,
        "manifest_sha256": sha256_of_bytes(data),
        "images": len(records),
    }
    (folder / manifest.MARK_NAME).write_text(json.dumps(mark))
    return folder


def write_tuning_list(path: Path, *, things: int = 3) -> Path:
    rows = [f"3d\t1f{index:03x}\ta thing" for index in range(things)]
    path.write_text("# picked\n" + "\n".join(rows) + "\n")
    return path


_LOOP = """
steps = 12
batch_size = 4
warmup_steps = 2
ema_decay = 0.5
save_every = 5
"""
_FAMILY = """
recipe = "pretrain"
name = "tiny"
role = "pretrained"
seed = 5
image_size = 16
family = """
PIXEL_DIFFUSION = f"""{_FAMILY}"pixel_diffusion"
sizes = [8, 16]
[base]
widths = [16, 32]
heads = 2
[[upsamplers]]
widths = [16, 32]
heads = 2
unfold = 2
[base_training]{_LOOP}
[upsampler_training]{_LOOP}"""
MASKED_TRANSFORMER = f"""{_FAMILY}"masked_transformer"
[tokenizer]
levels = [5, 4]
outer_width = 8
inner_width = 8
blocks = 1
factor = 4
[transformer]
width = 32
layers = 2
heads = 2
[tokenizer_training]{_LOOP}
[transformer_training]{_LOOP}"""
