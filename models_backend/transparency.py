"""Teach the decoder of a latent diffusion checkpoint transparency: its images become RGBA.

Usage::

    python -m models_backend.data.emoji --out DIR --alpha
    python -m models_backend.transparency [CONFIG.toml] --parent CHECKPOINT --data DIR --out DIR

Progress goes to stderr; the last line on stdout is the checkpoint directory. Interrupted, the same
command goes on where it stopped; finished, it says so and does nothing.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import METADATA, Layout, layout_of
from models_backend.configuration.transparency import TransparencyConfig
from models_backend.data.manifest import Record, manifest_sha256, read_records
from models_backend.data.tuning import held_out_concepts, images_sha256
from models_backend.errors import InputError, run_cli
from models_backend.files import write_bytes_atomically
from models_backend.recipes.configs import read_transparency_config
from models_backend.training import run_folder

if TYPE_CHECKING:
    from torch import Tensor

    from models_backend.families.latent_diffusion.model import LatentDiffusion
    from models_backend.nn.autoencoder import Autoencoder

CONFIG = Path(__file__).parent / "configs" / "transparent.toml"
_SHEET_ROWS = 12


@dataclass(frozen=True)
class TransparencyRun:
    """What is asked and where it happens."""

    config: TransparencyConfig
    parent: Path
    data: Path
    out: Path
    unseen: Path | None = None
    """More drawings that are only measured on, such as the parent never saw either."""

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint"

    def divided(self) -> tuple[list[Record], list[Record]]:
        """Return the drawings to train on, and those of other things to measure on.

        Raises:
            InputError: unusable data, or too few things.
        """
        records = read_records(self.data)
        held = held_out_concepts(records, self.config.held_out, self.config.seed)
        apart: tuple[list[Record], list[Record]] = [], []
        for record in records:
            apart[record.concept in held].append(record)
        return apart


def run(job: TransparencyRun, *, fresh: bool) -> Path:
    """Train, measure and save, or find it finished; return the checkpoint directory.

    Raises:
        InputError: unusable data or parent, or a folder that holds another run.
        CheckpointError: a parent that was changed or cannot be loaded.
        TrainingError: a loss that is not finite.
    """
    from models_backend.checkpoints import sha256_of

    _refuse_other_layouts(job.parent)
    identity = {
        "config": asdict(job.config),
        "data_manifest_sha256": manifest_sha256(job.data) if read_records(job.data) else "",
        "parent_sha256": sha256_of(job.parent),
    }
    needed = [path for path in (job.data, job.parent, job.unseen) if path is not None]
    run_folder.check(job.out, identity, fresh=fresh, resume=False, needed=needed)
    if (job.checkpoint / METADATA).exists() and not fresh:
        print(f"{job.checkpoint} is finished; --fresh trains it again", file=sys.stderr)
        return job.checkpoint
    model, metadata = _load_parent(job.parent)
    with run_folder.locked(job.out):
        started_at = run_folder.claim(job.out, identity, fresh=fresh)
        facts = _train(job, model) | {"started_at": started_at}
        _save(job, model, metadata, facts)
        run_folder.remove_resume_points(job.out)
    return job.checkpoint


def _refuse_other_layouts(parent: Path) -> None:
    layout = layout_of(lambda name: (parent / name).is_file())
    if layout in (Layout.DIFFUSERS_PIPELINE, Layout.SINGLE_FILE):
        raise InputError(
            f"{parent} is a diffusers pipeline, whose decoder is not trained here; accepted are "
            "latent diffusion checkpoints of this trainer"
        )


def _load_parent(folder: Path) -> tuple[LatentDiffusion, dict[str, Any]]:
    """Return the parent on the CPU, and its metadata."""
    from models_backend import checkpoints
    from models_backend.families.latent_diffusion.model import LatentDiffusion

    family = str(checkpoints.read_metadata(folder).get("family"))
    if family != LatentDiffusion.name:
        raise InputError(
            f"{folder} is a {family} model, which has no decoder that could learn alpha; accepted "
            "are latent diffusion checkpoints of this trainer"
        )
    model, metadata = checkpoints.load(folder, "cpu")
    assert isinstance(model, LatentDiffusion)
    if model.autoencoder.config.alpha:
        raise InputError(
            f"{folder} makes RGBA images already; give the checkpoint that it was made of, whose "
            f"content sha256 is {metadata.get('parent_sha256')}"
        )
    if model.image_size[0] != model.image_size[1]:
        raise InputError(f"{folder} is for images of {model.image_size}; accepted are square ones")
    return model, metadata


def _train(job: TransparencyRun, model: LatentDiffusion) -> dict[str, Any]:
    """Put the trained decoder into the model; return what its checkpoint records of it."""
    from models_backend.data.dataset import load_transparent_images
    from models_backend.nn.transparency import with_alpha
    from models_backend.recipes.transparency import STAGE, measure, train_transparency

    trained, held_out = job.divided()
    size = model.image_size[0]
    pictures = load_transparent_images(job.data, trained, size)
    unseen = load_transparent_images(job.data, held_out, size)
    parent, child = model.autoencoder, with_alpha(model.autoencoder)
    train_transparency(child, pictures, job.config, job.out)
    measured = measure(parent, child, unseen)
    print(f"{measured.drawings} held-out drawings: {measured}", file=sys.stderr)
    facts = {"held_out": asdict(measured)}
    if job.unseen is not None:
        strangers = load_transparent_images(job.unseen, read_records(job.unseen), size)
        further = measure(parent, child, strangers)
        print(f"{further.drawings} drawings of {job.unseen}: {further}", file=sys.stderr)
        manifest = {"data_manifest_sha256": manifest_sha256(job.unseen)}
        facts["unseen"] = asdict(further) | manifest
    write_bytes_atomically(job.out / "reconstructions.png", _sheet(held_out, unseen, parent, child))
    model.autoencoder = child
    loop = job.config.training
    return {
        "images": len(trained),
        "steps": {STAGE: loop.steps},
        "images_seen": {STAGE: loop.steps * loop.batch_size},
        "tuning_images_sha256": images_sha256(trained),
    } | facts


def _sheet(
    records: Sequence[Record], pictures: Tensor, parent: Autoencoder, child: Autoencoder
) -> bytes:
    """Return a PNG of held-out drawings: themselves, by the parent's decoder, by the child's."""
    import torch

    from models_backend.families.pictures import to_pictures
    from models_backend.nn.pixels import to_unit_range
    from models_backend.nn.transparency import on_white
    from models_backend.sampling.contact_sheet import contact_sheet

    step = max(1, len(records) // _SHEET_ROWS)
    chosen = list(range(0, len(records), step))[:_SHEET_ROWS]
    wanted = to_unit_range(pictures[chosen]).to(child.last_layer.device)
    with torch.no_grad():
        z = parent.encode(on_white(wanted))[0]
        columns = {"drawing": wanted, "parent": parent.decode(z), "with alpha": child.decode(z)}
    cells = {
        (row, column): picture
        for column, pixels in enumerate(columns.values())
        for row, picture in enumerate(to_pictures(pixels))
    }
    buffer = io.BytesIO()
    titles = [f"{records[i].caption} ({records[i].style})" for i in chosen]
    contact_sheet(titles, list(columns), cells).save(buffer, "PNG")
    return buffer.getvalue()


def _save(
    job: TransparencyRun, model: LatentDiffusion, parent: dict[str, Any], facts: dict[str, Any]
) -> None:
    import torch

    from models_backend import checkpoints

    trained = job.divided()[0]
    checkpoints.save(
        model,
        job.checkpoint,
        name=job.config.name,
        role=str(parent["role"]),  # what it draws is decided by the U-Net, which is the parent's
        training={
            "recipe": job.config.recipe,
            "config": asdict(job.config),
            "seed": job.config.seed,
            "data_manifest_sha256": manifest_sha256(job.data),
            "code_version": run_folder.code_version(),
            "finished_at": run_folder.now(),
            "torch": torch.__version__,
        }
        | facts,
        licences=sorted({each.licence for each in trained} | set(parent["licences"])),
        parent_sha256=str(parent["sha256"]),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.transparency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, nargs="?", default=CONFIG, help="TOML file")
    parser.add_argument("--parent", type=Path, required=True, help="checkpoint directory")
    parser.add_argument("--data", type=Path, required=True, help="data set of RGBA drawings")
    parser.add_argument(
        "--unseen", type=Path, metavar="DIR",
        help="RGBA drawings that nothing was trained on, to be measured on as well",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, help="folder of the run (default: var/runs/ and the name)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting"
    )
    parser.add_argument("--fresh", action="store_true", help="discard an earlier run in --out")
    options = parser.parse_args(argv)

    def work() -> None:
        config = read_transparency_config(options.config, options.set)
        out = options.out or Path("var/runs") / config.name
        job = TransparencyRun(
            config=config,
            parent=options.parent,
            data=options.data,
            out=out,
            unseen=options.unseen,
        )
        print(run(job, fresh=options.fresh))

    return run_cli(work)


if __name__ == "__main__":
    sys.exit(main())
