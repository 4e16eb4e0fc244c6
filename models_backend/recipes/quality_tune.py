"""Quality-tuning: a few hand-picked images, a short run, stopped early (Emu, section 3.3).

The autoencoder stays as it is; only the denoiser is trained. The paper says when to stop in words
(over-fitting sets in while the loss still falls), so the number of steps is a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models_backend.config import QualityTuneConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import Record
from models_backend.errors import InputError
from models_backend.families.latent_diffusion import LatentDiffusion
from models_backend.recipes.denoising import encode_with_mirror_images, train_denoiser

_LISTS = Path(__file__).parent.parent / "data"


def pick(records: Sequence[Record], tuning_list: str) -> list[Record]:
    """Return the records a list names, in the manifest's order.

    The file has one `style<TAB>concept` a line; # starts a comment. It is looked for by path, then
    beside the package's data.

    Raises:
        InputError: no such list, a malformed line, or an image the data set does not hold.
    """
    path = next((p for p in (Path(tuning_list), _LISTS / tuning_list) if p.is_file()), None)
    if path is None:
        raise InputError(f"tuning_list {tuning_list}: no such file, here or in {_LISTS}")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [tuple(line.split("\t")[:2]) for line in lines if line and not line.startswith("#")]
    if not rows or any(len(row) != 2 for row in rows):
        raise InputError(f"{path}: each line must be style and concept, separated by a tab")
    wanted = set(rows)
    picked = [record for record in records if (record.style, record.concept) in wanted]
    missing = wanted - {(record.style, record.concept) for record in picked}
    if missing:
        style, concept = sorted(missing)[0]
        raise InputError(
            f"{path} names {len(missing)} image(s) the data set does not hold, first {style} "
            f"{concept}; build the data set with that source"
        )
    return picked


def quality_tune(
    config: QualityTuneConfig,
    *,
    parent: LatentDiffusion,
    data: Path,
    records: Sequence[Record],
    run: Path,
) -> LatentDiffusion:
    """Tune `parent` in place on the picked `records` and return it."""
    pictures = load_images(data, records, parent.image_size[0])
    train_denoiser(
        parent,
        latents=encode_with_mirror_images(parent, pictures),
        records=records,
        mix=config.captions,
        loop=config.denoiser_training,
        caption_dropout=config.caption_dropout,
        noise_offset=config.noise_offset,
        seed=config.seed,
        run=run,
    )
    return parent
