"""Running: claimed, trained, saved; or found finished."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import METADATA
from models_backend.configuration.feedback import (
    GuardedConfig,
    PreferenceConfig,
    RewardTuningConfig,
)
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.reward import RewardConfig
from models_backend.configuration.tuning import TuneConfig
from models_backend.errors import InputError
from models_backend.files import read_json
from models_backend.preferences.reading import read_mark
from models_backend.rewards.mark import MARK as REWARD_MARK
from models_backend.runs.processes import is_main_process, together
from models_backend.runs.saving import save_run
from models_backend.runs.training_run import RunImages, TrainingRun
from models_backend.training import run_folder

if TYPE_CHECKING:
    from models_backend.families.base import Family


def train(job: TrainingRun, *, fresh: bool, resume: bool = False) -> Path:
    """Run `job` to its checkpoint, or find it finished; return the checkpoint directory.

    Started in several processes (`accelerate launch`), each calls this; the first one alone writes.

    Raises:
        InputError: unusable data, parent or folder, or a folder that holds another run.
        TrainingError: a loss that is not finite, or a full disk.
    """
    if isinstance(job.config, TuneConfig) and job.parent is None:
        raise InputError(
            f"{job.config.recipe} needs a parent: the checkpoint directory to tune",
            by_command="`--parent` names it.",
        )
    if isinstance(job.config, PretrainConfig) and job.parent is not None:
        raise InputError("pretrain starts from nothing; give no parent")
    if isinstance(job.config, RewardConfig):
        return _train_reward(job, job.config, fresh=fresh, resume=resume)
    images = RunImages.of(job)
    identity = job.identity(images)
    paths = (job.data, job.parent, job.tuning, job.content, job.kept_from)
    needed = [path for path in paths if path is not None]
    run_folder.check(job.out, identity, fresh=fresh, resume=resume, needed=needed)
    if (job.checkpoint / METADATA).exists() and not fresh:
        if is_main_process():
            print(f"{job.checkpoint} is finished; --fresh trains it again", file=sys.stderr)
        return job.checkpoint
    with ExitStack() as stack:
        started_at = together(lambda: _claim(stack, job, identity, fresh))
        _run_and_save(job, images, started_at)
        if is_main_process():
            run_folder.remove_resume_points(job.out)
    return job.checkpoint


def _train_reward(job: TrainingRun, config: RewardConfig, *, fresh: bool, resume: bool) -> Path:
    """Train a reward on a preference set; its folder is `reward` in that of the run."""
    if job.parent is not None:
        raise InputError("reward learns from a preference set alone; give no parent")
    target = job.out / "reward"
    mark = read_mark(job.data)
    identity = {"config": dataclasses.asdict(config), "preferences": mark["files"]}
    run_folder.check(job.out, identity, fresh=fresh, resume=resume, needed=[job.data])
    if (target / REWARD_MARK).exists() and not fresh:
        print(f"{target} is finished; --fresh trains it again", file=sys.stderr)
        return target
    from models_backend.recipes.reward import train_reward

    with ExitStack() as stack:
        together(lambda: _claim(stack, job, identity, fresh))
        reward = train_reward(config, data=job.data, run=job.out)
        if is_main_process():
            reward.save(target, reward.metadata)
            run_folder.remove_resume_points(job.out)
    return target


def _claim(stack: ExitStack, job: TrainingRun, identity: dict[str, Any], fresh: bool) -> str:
    stack.enter_context(run_folder.locked(job.out))
    return run_folder.claim(job.out, identity, fresh=fresh)


def _run_and_save(job: TrainingRun, images: RunImages, started_at: str) -> None:
    from models_backend.recipes.pretrain import pretrain
    from models_backend.recipes.quality_tune import finetune_on_shards, tune

    if isinstance(job.config, PretrainConfig):
        model, facts = pretrain(
            job.config, data=job.data, records=images.records, run=job.out,
            source=images.source, cache=job.cache,
        )  # fmt: skip
        save_run(job, images, started_at, model, dict(facts), None)
        return
    assert isinstance(job.config, TuneConfig)  # rewards have gone another way
    parent, sha256 = _parent(job)
    if isinstance(job.config, GuardedConfig):
        model, facts = _by_preferences(job, parent)
        save_run(job, images, started_at, model, facts, sha256)
        return
    if images.source is not None:
        model, facts = finetune_on_shards(
            job.config, parent=parent, source=images.source, run=job.out, cache=job.cache
        )
        save_run(job, images, started_at, model, facts, sha256)
        return
    model, facts = tune(
        job.config, parent=parent, data=job.data, records=images.records, run=job.out,
        content=images.content, folders=images.folders,
    )  # fmt: skip
    save_run(job, images, started_at, model, facts, sha256)


def _by_preferences(job: TrainingRun, parent: Family) -> tuple[Family, dict[str, Any]]:
    from models_backend.recipes.feedback import tune_by_rewards
    from models_backend.recipes.preference import tune_by_preferences

    if isinstance(job.config, PreferenceConfig):
        return tune_by_preferences(job.config, parent=parent, data=job.data, run=job.out)
    assert isinstance(job.config, RewardTuningConfig)
    return tune_by_rewards(job.config, parent=parent, data=job.data, run=job.out)


def _parent(job: TrainingRun) -> tuple[Family, str]:
    from models_backend import checkpoints

    assert job.parent is not None
    assert isinstance(job.config, TuneConfig)
    return checkpoints.load_to_tune(job.parent, job.config)


def pick_by_hand(job: TrainingRun, chosen: Mapping[str, int]) -> Path:
    """Write the candidates of these steps, by part, as a checkpoint beside the rule's.

    The part "" is the first. Parts that are not named stay as the rule picked them.

    Raises:
        InputError: not a quality-tuning run, another run, or no such candidate.
    """
    from models_backend.recipes.quality_tune import pick_candidates, tuned_parts

    if not isinstance(job.config, TuneConfig) or job.parent is None:
        raise InputError(
            "candidates are picked of quality_tune and finetune, with the parent of the run"
        )
    images = RunImages.of(job)
    identity = job.identity(images)
    if not (job.out / run_folder.RUN_FILE).exists():
        raise InputError(f"{job.out} holds no run; train it first, or give its folder")
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
        return save_run(job, images, started_at, model, facts, sha256, suffix=suffix)
