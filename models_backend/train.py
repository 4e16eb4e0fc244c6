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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import METADATA
from models_backend.checkpoints import sha256_of
from models_backend.configuration.feedback import (
    GuardedConfig,
    PreferenceConfig,
    RewardTuningConfig,
)
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.reward import RewardConfig
from models_backend.configuration.tuning import (
    FinetuneConfig,
    StyleTailorConfig,
    TuneConfig,
)
from models_backend.data.curated import curated_facts, folder_of, refuse_two_sources
from models_backend.data.manifest import MARK_NAME, Record, manifest_sha256, read_records
from models_backend.data.opening import open_source
from models_backend.data.shard_source import INDEX
from models_backend.data.source import ImageSource
from models_backend.data.tuning import images_sha256, pick, subset
from models_backend.errors import InputError, ModelsError, run_cli
from models_backend.files import read_json
from models_backend.preferences.reading import read_mark
from models_backend.recipes.configs import RunConfig, read_config
from models_backend.rewards.mark import MARK as REWARD_MARK
from models_backend.rewards.mark import read_reward
from models_backend.training import run_folder

if TYPE_CHECKING:
    from models_backend.families.base import Family


@dataclass(frozen=True)
class Job:
    """A run: what is asked and where it happens."""

    config: RunConfig
    data: Path
    out: Path
    parent: Path | None
    cache: Path | None = None
    """Folder for latents and text embeddings; sharing it between runs is safe."""
    tuning: Path | None = None
    """A curated set that is tuned on as a whole, instead of a list of images of `data`."""
    content: Path | None = None
    """Style Tailoring's content set, where it is a folder of its own."""

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint"

    def identity(self, images: Images) -> dict[str, Any]:
        """What makes two runs the same run."""
        parent = sha256_of(self.parent) if self.parent else None
        identity: dict[str, Any] = {
            "config": dataclasses.asdict(self.config),
            "data_manifest_sha256": images.sha256,
            "parent_sha256": parent,
        }
        if isinstance(self.config, GuardedConfig):
            identity["preferences"] = read_mark(self.data)["files"]
        if isinstance(self.config, RewardTuningConfig):
            rewards = [read_reward(Path(folder)) for folder in self.config.rewards]
            identity["rewards_sha256"] = [each["weights_sha256"] for each in rewards]
        if isinstance(self.config, GuardedConfig) and self.config.guard.judge:
            # It decides where the run ends: another judge at the same path makes another run.
            judge = read_reward(Path(self.config.guard.judge))
            identity["judge_sha256"] = judge["weights_sha256"]
        if isinstance(self.config, TuneConfig):
            # The configuration names the list; what the list names may change.
            identity["tuning_images_sha256"] = images_sha256(images.records)
            if images.content:
                content = images.records[: images.content]
                identity["content_images_sha256"] = images_sha256(content)
        return identity


@dataclass(frozen=True)
class Images:
    """The images of a run: records held in memory, or a source that is read as needed."""

    sha256: str
    licences: list[str]
    count: int
    records: list[Record]
    source: ImageSource | None
    content: int = 0
    """How many of the records, the first, are Style Tailoring's content set."""
    folders: tuple[Path, ...] = ()
    """For each record the curated set that it lies in; empty where all lie in `data`."""

    @classmethod
    def of(cls, job: Job) -> Images:
        """Open what the run is trained on.

        Raises:
            InputError: unfinished, changed or empty data, or a list it does not fit.
        """
        config = job.config
        if isinstance(config, GuardedConfig):
            mark = read_mark(job.data)
            return cls(mark["images_sha256"], [mark["licence"]], mark["images"], [], None)
        refuse_two_sources(config, job.tuning, job.content)
        shards = (job.data / INDEX).is_file()
        from_shards = (
            shards and job.tuning is None and isinstance(config, PretrainConfig | FinetuneConfig)
        )
        if from_shards or (isinstance(config, PretrainConfig) and config.stages):
            source = open_source(job.data)
            count = sum(len(each) for each in source.sizes())
            return cls(source.sha256, source.licences, count, [], source)
        if shards:
            raise InputError(
                f"{job.data} holds shards; {config.recipe} takes a finished data directory "
                f"({MARK_NAME}), which holds the tuning images"
            )
        everything = records = read_records(job.data)
        content: list[Record] = []
        if isinstance(config, TuneConfig):
            if job.tuning is not None:
                records = read_records(job.tuning)
            elif config.tuning_list:
                records = pick(everything, config.tuning_list)
            records = subset(records, config.tuning_images, config.subset_seed)
        folders = [job.tuning or job.data] * len(records)
        if isinstance(config, StyleTailorConfig):
            content = (
                pick(everything, config.content_list)
                if job.content is None else read_records(job.content)
            )  # fmt: skip
            records = [*content, *records]
            folders = [job.content or job.data] * len(content) + folders
        if not records:
            raise InputError(f"{job.data} holds no images; build the data set again")
        licences = sorted({record.licence for record in records})
        sha256 = manifest_sha256(job.data)
        curated = () if job.tuning is None and job.content is None else tuple(folders)
        return cls(sha256, licences, len(records), records, None, len(content), curated)


def train(job: Job, *, fresh: bool, resume: bool = False) -> Path:
    """Run `job` to its checkpoint, or find it finished; return the checkpoint directory.

    Started in several processes (`accelerate launch`), each calls this; the first one alone writes.

    Raises:
        InputError: unusable data, parent or folder, or a folder that holds another run.
        TrainingError: a loss that is not finite, or a full disk.
    """
    if isinstance(job.config, TuneConfig) and job.parent is None:
        raise InputError(f"{job.config.recipe} needs --parent: the checkpoint directory to tune")
    if isinstance(job.config, PretrainConfig) and job.parent is not None:
        raise InputError("pretrain starts from nothing; leave --parent out")
    if isinstance(job.config, RewardConfig):
        return _train_reward(job, job.config, fresh=fresh, resume=resume)
    images = Images.of(job)
    identity = job.identity(images)
    paths = (job.data, job.parent, job.tuning, job.content)
    needed = [path for path in paths if path is not None]
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


def _train_reward(job: Job, config: RewardConfig, *, fresh: bool, resume: bool) -> Path:
    """Train a reward on a preference set; its folder is `reward` in that of the run."""
    if job.parent is not None:
        raise InputError("reward learns from a preference set alone; leave --parent out")
    target = job.out / "reward"
    mark = read_mark(job.data)
    identity = {"config": dataclasses.asdict(config), "preferences": mark["files"]}
    run_folder.check(job.out, identity, fresh=fresh, resume=resume, needed=[job.data])
    if (target / REWARD_MARK).exists() and not fresh:
        print(f"{target} is finished; --fresh trains it again", file=sys.stderr)
        return target
    from models_backend.recipes.reward import train_reward

    with ExitStack() as stack:
        _together(lambda: _claim(stack, job, identity, fresh))
        reward = train_reward(config, data=job.data, run=job.out)
        if is_main_process():
            reward.save(target, reward.metadata)
            run_folder.remove_resume_points(job.out)
    return target


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
    from models_backend.recipes.quality_tune import finetune_on_shards, tune

    if isinstance(job.config, PretrainConfig):
        model, facts = pretrain(
            job.config, data=job.data, records=images.records, run=job.out,
            source=images.source, cache=job.cache,
        )  # fmt: skip
        _save(job, images, started_at, model, dict(facts), None)
        return
    assert isinstance(job.config, TuneConfig)  # rewards have gone another way
    parent, sha256 = _parent(job)
    if isinstance(job.config, GuardedConfig):
        model, facts = _by_preferences(job, parent)
        _save(job, images, started_at, model, facts, sha256)
        return
    if images.source is not None:
        model, facts = finetune_on_shards(
            job.config, parent=parent, source=images.source, run=job.out, cache=job.cache
        )
        _save(job, images, started_at, model, facts, sha256)
        return
    model, facts = tune(
        job.config, parent=parent, data=job.data, records=images.records, run=job.out,
        content=images.content, folders=images.folders,
    )  # fmt: skip
    _save(job, images, started_at, model, facts, sha256)


def _by_preferences(job: Job, parent: Family) -> tuple[Family, dict[str, Any]]:
    from models_backend.recipes.feedback import tune_by_rewards
    from models_backend.recipes.preference import tune_by_preferences

    if isinstance(job.config, PreferenceConfig):
        return tune_by_preferences(job.config, parent=parent, data=job.data, run=job.out)
    assert isinstance(job.config, RewardTuningConfig)
    return tune_by_rewards(job.config, parent=parent, data=job.data, run=job.out)


def _parent(job: Job) -> tuple[Family, str]:
    from models_backend import checkpoints

    assert job.parent is not None
    assert isinstance(job.config, TuneConfig)
    return checkpoints.load_to_tune(job.parent, job.config)


def _save(
    job: Job,
    images: Images,
    started_at: str,
    model: Family,
    facts: dict[str, Any],
    parent_sha256: str | None,
    *,
    suffix: str = "",
) -> Path:
    """Write the checkpoint on the main process; one a person picked has its step in its name."""
    from models_backend import checkpoints

    folder = job.out / f"checkpoint{suffix}"
    if isinstance(job.config, TuneConfig):
        told = {"tuning": curated_facts(job.tuning), "content": curated_facts(job.content)}
        curated = {name: each for name, each in told.items() if each}
        facts = {"tuning_images_sha256": images_sha256(images.records)} | facts
        facts |= {"curated": curated} if curated else {}
    if is_main_process():
        checkpoints.save(
            model,
            folder,
            name=job.config.name + suffix,
            role=job.config.role,
            training=_provenance(job, images, started_at, model) | facts,
            licences=images.licences,
            parent_sha256=parent_sha256,
        )
    return folder


def pick_by_hand(job: Job, chosen: Mapping[str, int]) -> Path:
    """Write the candidates of these steps, by part, as a checkpoint beside the rule's.

    The part "" is the first. Parts that are not named stay as the rule picked them.

    Raises:
        InputError: not a quality-tuning run, another run, or no such candidate.
    """
    from models_backend.recipes.quality_tune import pick_candidates, tuned_parts

    if not isinstance(job.config, TuneConfig) or job.parent is None:
        raise InputError("--pick is for quality_tune and finetune, with the --parent of the run")
    images = Images.of(job)
    identity = job.identity(images)
    run_folder.check(job.out, identity, fresh=False, resume=True, needed=[])
    suffix = "".join(f"-{part}-{n}" if part else f"-step-{n}" for part, n in chosen.items())
    with run_folder.locked(job.out):
        target = job.out / f"checkpoint{suffix}"
        if (target / METADATA).exists():
            return target
        started_at = str(read_json(job.out / run_folder.RUN_FILE)["started_at"])
        parent, sha256 = _parent(job)
        first = tuned_parts(job.config, parent)[0]
        named = {part or first: step for part, step in chosen.items()}
        model, facts = pick_candidates(parent, job.config, job.out, named, by="person")
        return _save(job, images, started_at, model, facts, sha256, suffix=suffix)


def _loops(config: RunConfig, model: Family, *, streamed: bool) -> dict[str, tuple[int, int]]:
    """Return steps and batch size of each loop the run had, by the name in its log."""
    if isinstance(config, TuneConfig):
        loop = config.training
        return dict.fromkeys(config.parts or model.parts, (loop.steps, loop.batch_size))
    assert isinstance(config, PretrainConfig)
    loops = {}
    for part in filter(None, (model.compressor, *model.parts)):
        if streamed and part != model.compressor:
            for number, stage in enumerate(config.all_stages(part), start=1):
                loops[f"{part}-{number}"] = (stage.steps, stage.batch_size)
        else:
            whole = config.part_training(part)
            loops[part] = (whole.steps, whole.batch_size)
    return loops


def _provenance(job: Job, images: Images, started_at: str, model: Family) -> dict[str, Any]:
    import diffusers
    import torch

    from models_backend.training.monitor import read_changes

    loops = _loops(job.config, model, streamed=images.source is not None)
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


def _chosen(picks: Sequence[str]) -> dict[str, int]:
    """Return the steps that --pick names, by part; "" is the first part."""
    chosen = {}
    for each in picks:
        part, _, step = each.rpartition("=")
        if not step.isdigit():
            raise InputError(f"--pick {each}: give a step, or PART=STEP, e.g. --pick 400")
        chosen[part] = int(step)
    return chosen


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
    parser.add_argument(
        "--parent", type=Path, help="checkpoint to tune: the trainer's, or a pipeline's"
    )
    parser.add_argument(
        "--tuning", type=Path, metavar="DIR",
        help="curated set to tune on as a whole, instead of tuning_list (docs/curation.md)",
    )  # fmt: skip
    parser.add_argument(
        "--content", type=Path, metavar="DIR",
        help="style_tailor's content set as a folder, instead of content_list",
    )  # fmt: skip
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
        "--pick", action="append", default=[], metavar="STEP|PART=STEP",
        help="write this candidate of a tuning run as a checkpoint, by your own judgement",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.fresh and options.resume:
        parser.error("--fresh discards the run --resume would go on with; give one of them")

    def run() -> None:
        config = read_config(options.config, options.set)
        out = options.out or Path("var/runs") / config.name
        job = Job(config=config, data=options.data, out=out, parent=options.parent,
                  cache=options.cache, tuning=folder_of(config, "tuning_set", options.tuning),
                  content=folder_of(config, "content_set", options.content))  # fmt: skip
        if options.pick:
            checkpoint = pick_by_hand(job, _chosen(options.pick))
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
