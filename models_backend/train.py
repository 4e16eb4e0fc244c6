"""Train a checkpoint from a TOML configuration.

Usage::

    python -m models_backend.train CONFIG.toml --data DIR --out DIR [--parent CHECKPOINT]
    accelerate launch --num_processes 8 -m models_backend.train CONFIG.toml ...

Progress goes to stderr; the last line on stdout is the checkpoint directory. Interrupted, the same
command goes on where it stopped; finished, it says so and does nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import METADATA
from models_backend.checkpoints import read_metadata
from models_backend.data.manifest import MARK_NAME, Record, manifest_sha256, read_records
from models_backend.data.opening import open_source
from models_backend.data.shard_source import INDEX
from models_backend.data.source import ImageSource
from models_backend.data.tuning import images_sha256, pick, subset
from models_backend.errors import InputError, ModelsError, run_cli
from models_backend.files import read_json
from models_backend.training import run_folder
from models_backend.training.config import PretrainConfig, QualityTuneConfig, RunConfig, read_config

if TYPE_CHECKING:
    from models_backend.families.latent_diffusion.model import LatentDiffusion


@dataclass(frozen=True)
class Job:
    """A run: what is asked and where it happens."""

    config: RunConfig
    data: Path
    out: Path
    parent: Path | None
    cache: Path | None = None
    """Folder for latents and text embeddings; sharing it between runs is safe."""

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint"

    def identity(self, images: Images) -> dict[str, Any]:
        """What makes two runs the same run."""
        parent = read_metadata(self.parent)["sha256"] if self.parent else None
        identity = {
            "config": dataclasses.asdict(self.config),
            "data_manifest_sha256": images.sha256,
            "parent_sha256": parent,
        }
        if isinstance(self.config, QualityTuneConfig):
            # The configuration names the list; what the list names may change.
            identity["tuning_images_sha256"] = images_sha256(images.records)
        return identity


@dataclass(frozen=True)
class Images:
    """The images of a run: records held in memory, or a source that is read as needed."""

    sha256: str
    licences: list[str]
    count: int
    records: list[Record]
    source: ImageSource | None

    @classmethod
    def of(cls, job: Job) -> Images:
        """Open what the run is trained on.

        Raises:
            InputError: unfinished, changed or empty data, or a list it does not fit.
        """
        config = job.config
        shards = (job.data / INDEX).is_file()
        if isinstance(config, PretrainConfig) and (config.stages or shards):
            source = open_source(job.data)
            count = sum(len(each) for each in source.sizes())
            return cls(source.sha256, source.licences, count, [], source)
        if shards:
            raise InputError(
                f"{job.data} holds shards; quality-tuning takes a finished data directory "
                f"({MARK_NAME}), which holds the tuning images"
            )
        records = read_records(job.data)
        if isinstance(config, QualityTuneConfig):
            records = pick(records, config.tuning_list)
            records = subset(records, config.tuning_images, config.subset_seed)
        if not records:
            raise InputError(f"{job.data} holds no images; build the data set again")
        licences = sorted({record.licence for record in records})
        return cls(manifest_sha256(job.data), licences, len(records), records, None)


def train(job: Job, *, fresh: bool, resume: bool = False) -> Path:
    """Run `job` to its checkpoint, or find it finished; return the checkpoint directory.

    Started in several processes (`accelerate launch`), each calls this; the first one alone writes.

    Raises:
        InputError: unusable data, parent or folder, or a folder that holds another run.
        TrainingError: a loss that is not finite, or a full disk.
    """
    if isinstance(job.config, QualityTuneConfig) and job.parent is None:
        raise InputError("quality_tune needs --parent: the checkpoint directory to tune")
    if isinstance(job.config, PretrainConfig) and job.parent is not None:
        raise InputError("pretrain starts from nothing; leave --parent out")
    images = Images.of(job)
    identity = job.identity(images)
    needed = [path for path in (job.data, job.parent) if path is not None]
    run_folder.check(job.out, identity, fresh=fresh, resume=resume, needed=needed)
    if (job.checkpoint / METADATA).exists() and not fresh:
        if is_main_process():
            print(f"{job.checkpoint} is finished; --fresh trains it again", file=sys.stderr)
        return job.checkpoint
    with ExitStack() as stack:
        started_at = _together(lambda: _claim(stack, job, identity, fresh))
        _run_and_save(job, images, started_at)
        if is_main_process():
            run_folder.remove_resume_points(job.out)
    return job.checkpoint


def _claim(stack: ExitStack, job: Job, identity: dict[str, Any], fresh: bool) -> str:
    stack.enter_context(run_folder.locked(job.out))
    return run_folder.claim(job.out, identity, fresh=fresh)


def is_main_process() -> bool:
    """Return whether this process writes."""
    return int(os.environ.get("RANK", "0")) == 0


def leave_process_group() -> None:
    """Leave the other processes in good order, if there are any.

    A process that ends without it may be aborted by its communication threads, and its exit status
    is then not the one it meant.
    """
    distributed = sys.modules.get("torch.distributed")  # not loaded: there is no group
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _together(work: Callable[[], str]) -> str:
    """Do `work` on the main process; give every process its result, or its error."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return work()
    from accelerate.utils import broadcast_object_list

    from models_backend.training.trainer import default_accelerator

    default_accelerator()  # connects the processes
    result, error = "", None
    if is_main_process():
        try:
            result = work()
        except ModelsError as caught:
            error = caught
    result, error = broadcast_object_list([result, error])
    if error is not None:
        raise error
    return result


def _run_and_save(job: Job, images: Images, started_at: str) -> None:
    from models_backend.recipes.pretrain import pretrain
    from models_backend.recipes.quality_tune import quality_tune

    if isinstance(job.config, PretrainConfig):
        model, facts = pretrain(
            job.config, data=job.data, records=images.records, run=job.out,
            source=images.source, cache=job.cache,
        )  # fmt: skip
        _save(job, images, started_at, model, dict(facts), None)
        return
    parent, sha256 = _parent(job)
    model, facts = quality_tune(
        job.config, parent=parent, data=job.data, records=images.records, run=job.out
    )
    _save(job, images, started_at, model, facts, sha256)


def _parent(job: Job) -> tuple[LatentDiffusion, str]:
    from models_backend import checkpoints
    from models_backend.families.latent_diffusion.model import LatentDiffusion

    assert job.parent is not None
    parent, metadata = checkpoints.load(job.parent, "cpu")
    if not isinstance(parent, LatentDiffusion):
        raise InputError(f"{job.parent}: only latent diffusion models can be tuned so far")
    return parent, str(metadata["sha256"])


def _save(
    job: Job,
    images: Images,
    started_at: str,
    model: LatentDiffusion,
    facts: dict[str, Any],
    parent_sha256: str | None,
    *,
    picked: int | None = None,
) -> Path:
    """Write the checkpoint on the main process; one a person picked has its step in its name."""
    from models_backend import checkpoints

    suffix = "" if picked is None else f"-step-{picked}"
    folder = job.out / f"checkpoint{suffix}"
    if isinstance(job.config, QualityTuneConfig):
        facts = {"tuning_images_sha256": images_sha256(images.records)} | facts
    if is_main_process():
        checkpoints.save(
            model,
            folder,
            name=job.config.name + suffix,
            role=job.config.role,
            training=_provenance(job, images, started_at) | facts,
            licences=images.licences,
            parent_sha256=parent_sha256,
        )
    return folder


def pick_by_hand(job: Job, step: int) -> Path:
    """Write the candidate of `step` as a checkpoint beside the one the rule picked.

    Raises:
        InputError: not a quality-tuning run, another run, or no such candidate.
    """
    from models_backend.recipes.quality_tune import pick_candidate

    if not isinstance(job.config, QualityTuneConfig) or job.parent is None:
        raise InputError("--pick is for quality_tune, with the --parent of the run")
    images = Images.of(job)
    identity = job.identity(images)
    run_folder.check(job.out, identity, fresh=False, resume=True, needed=[])
    with run_folder.locked(job.out):
        target = job.out / f"checkpoint-step-{step}"
        if (target / METADATA).exists():
            return target
        started_at = str(read_json(job.out / run_folder.RUN_FILE)["started_at"])
        parent, sha256 = _parent(job)
        model, facts = pick_candidate(parent, job.out, step, by="person")
        return _save(job, images, started_at, model, facts, sha256, picked=step)


def _provenance(job: Job, images: Images, started_at: str) -> dict[str, Any]:
    import diffusers
    import torch

    from models_backend.training.monitor import read_changes

    loops = {
        name.removesuffix("_training"): (loop["steps"], loop["batch_size"])
        for name, loop in dataclasses.asdict(job.config).items()
        if name.endswith("_training")
    }
    if isinstance(job.config, PretrainConfig) and images.source is not None:
        del loops["denoiser"]
        for number, stage in enumerate(job.config.all_stages(), start=1):
            loops[f"denoiser-{number}"] = (stage.steps, stage.batch_size)
    return {
        "recipe": job.config.recipe,
        "config": dataclasses.asdict(job.config),
        "seed": job.config.seed,
        "images": images.count,
        "steps": {name: steps for name, (steps, _) in loops.items()},
        "images_seen": {name: steps * batch for name, (steps, batch) in loops.items()},
        "data_manifest_sha256": images.sha256,
        "changed_on_resume": read_changes(job.out),
        "code_version": run_folder.code_version(),
        "started_at": started_at,
        "finished_at": run_folder.now(),
        "device": _device(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "python": platform.python_version(),
    }


def _device() -> str:
    import torch

    from models_backend.training.trainer import default_accelerator

    if default_accelerator().device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="TOML file, see models_backend/configs/")
    parser.add_argument(
        "--data", type=Path, default=Path("var/data/emoji"), help="data set (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the run (default: var/runs/ and the name)"
    )
    parser.add_argument("--parent", type=Path, help="checkpoint directory to tune (quality_tune)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder for latents and text embeddings (with stages or shards)"
    )
    parser.add_argument("--fresh", action="store_true", help="discard an earlier run in --out")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out; refuse to begin one"
    )
    parser.add_argument(
        "--pick", type=int, metavar="STEP",
        help="write this candidate of a quality_tune run as a checkpoint, by your own judgement",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.fresh and options.resume:
        parser.error("--fresh discards the run --resume would go on with; give one of them")

    def run() -> None:
        config = read_config(options.config, options.set)
        out = options.out or Path("var/runs") / config.name
        job = Job(config=config, data=options.data, out=out, parent=options.parent,
                  cache=options.cache)  # fmt: skip
        if options.pick is not None:
            checkpoint = pick_by_hand(job, options.pick)
        else:
            checkpoint = train(job, fresh=options.fresh, resume=options.resume)
        if is_main_process():
            print(checkpoint)

    try:
        return run_cli(run)
    finally:
        leave_process_group()


if __name__ == "__main__":
    sys.exit(main())
