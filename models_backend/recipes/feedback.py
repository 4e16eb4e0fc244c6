"""ReFL with several rewards: sampled without a gradient, then one step that rewards look at.

Of algorithm 1 of Xu et al. 2023. The hinge stands in calibrated units, so that a margin of 2 means
two standard deviations for each reward; beside it stands the denoising loss on the set's preferred
images. A step's images share how many sampling steps come before the last.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_backend.configuration.feedback import RewardTuningConfig
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.batch import training_batch
from models_backend.families.settings import SamplingSettings
from models_backend.preferences.reading import PreferenceSet
from models_backend.recipes.candidates import load_candidate, read_outcome
from models_backend.recipes.grids import refuse_sharded
from models_backend.recipes.guard import Optimised, guard_table
from models_backend.recipes.guarding import Guarding, choices
from models_backend.recipes.parts import refuse_noise_offset
from models_backend.recipes.preference_data import DecidedPairs, aspects_of
from models_backend.rewards.model import RewardModel
from models_backend.training.frozen import FrozenWeights
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator


def tune_by_rewards(
    config: RewardTuningConfig, *, parent: Family, data: Path, run: Path
) -> tuple[Family, dict[str, Any]]:
    """Tune `parent` in place on the prompts of `data`'s training split; return it and the facts.

    Raises:
        InputError: a family whose images carry no gradient, a judge that is optimised, too, or a
            set with too few pairs or held-out prompts.
        CheckpointError: a reward cannot be read.
    """
    part = parent.parts[0]
    refuse_without_gradient(parent)
    refuse_noise_offset(parent, config.noise_offset)
    found = PreferenceSet.open(data)
    aspects = aspects_of(config, found)
    device = default_accelerator().device
    parent.to(device)
    weights = config.reward_weights or (1.0,) * len(config.rewards)
    optimised = [
        Optimised(RewardModel.load(Path(folder)).to(device), weight)
        for folder, weight in zip(config.rewards, weights, strict=True)
    ]
    train = DecidedPairs.of(found, "train", aspects, parent.image_size[0])
    guarding = None
    if config.guard.candidates:
        guarding = Guarding.of(config, parent, found, train, optimised)
    _tune(config, parent, part, train, optimised, guarding, run)
    if guarding is not None:
        outcome = read_outcome(guarding.folder(parent, part, run))
        if default_accelerator().is_main_process:
            print(guard_table(outcome), file=sys.stderr)
        load_candidate(parent, run, part, int(outcome["picked_step"]))
    parent.to("cpu")
    facts = {
        "preferences_sha256": found.sha256,
        "rewards_sha256": [each.reward.sha256 for each in optimised],
        "simulated": found.mark["simulated"],
    }
    return parent, facts | (choices(guarding, parent, run, [part]) if guarding else {})


def refuse_without_gradient(family: Family) -> None:
    """Raise `InputError` where a family's images are no differentiable function of its weights."""
    if type(family).graded_images is Family.graded_images:
        raise InputError(
            f"recipe feedback: the images of a {family.name} model carry no gradient to its "
            "weights; tune it with recipe preference"
        )


def _tune(
    config: RewardTuningConfig,
    family: Family,
    part: str,
    train: DecidedPairs,
    optimised: list[Optimised],
    guarding: Guarding | None,
    run: Path,
) -> None:
    if family.compressor:  # a gradient goes through it and stays nowhere in it
        family.part(family.compressor).requires_grad_(False)
    trainer = Trainer(
        module=family.part(part), config=config.training, seed=config.seed, stage=part, run=run
    )
    refuse_sharded(trainer, "feedback", "tune an adapter")
    device = trainer.accelerator.device
    parent = FrozenWeights(family.part(part))
    prompts = train.shown.prompts
    family.text_encoder.rows(["", *prompts, *(guarding.prompts if guarding else [])])
    if guarding is not None:
        guard = guarding.guard(family, part, run)
        trainer.on_save = guard.at
        guard.watch(trainer)
    family.text_encoder.rest()
    z = train.prepared(family, part).to(device)
    shape = family.noise_shape(part, tuple(z.shape[1:]))
    size = config.training.batch_size
    settings = SamplingSettings(
        sampler="default", steps=config.rollout_steps, guidance_scale=config.guidance_scale
    )

    def step(draw: StepDraw) -> StepLoss:
        chosen = torch.multinomial(train.weights, size, replacement=True, generator=draw)
        u, v = torch.rand(size, generator=draw), torch.rand(size, generator=draw)
        first, last = config.graded
        from_end = int(torch.randint(first, last + 1, (1,), generator=draw))
        rows = train.winners[chosen[draw.rows]]
        asked = [prompts[row] for row in rows.tolist()]
        noise = draw.noise(shape, offset=config.noise_offset, device=device)
        graded = config.rollout_steps - from_end
        losses, scalars = reward_losses(
            config, family, optimised, parent, asked, noise, settings, graded
        )
        if config.pretrain_weight:
            batch = training_batch(
                z[rows.to(device)], family.text_encoder.encode(asked), noise,
                u[draw.rows], v[draw.rows],
            )  # fmt: skip
            denoising = family.loss(batch, part)
            scalars["denoising"] = denoising.detach().mean()
            losses = losses + config.pretrain_weight * denoising
        return StepLoss(losses, rows, scalars)

    trainer.fit(step)


def reward_losses(
    config: RewardTuningConfig,
    family: Family,
    optimised: list[Optimised],
    parent: FrozenWeights,
    prompts: list[str],
    noise: Tensor,
    settings: SamplingSettings,
    graded: int,
) -> tuple[Tensor, dict[str, float | Tensor]]:
    """Return each image's loss (B,): reward_scale * mean over rewards of max(0, margin - r)."""
    images = family.graded_images(prompts, noise, settings, graded=graded)
    total = sum(each.weight for each in optimised)
    losses = images.new_zeros(len(images))
    scalars: dict[str, float | Tensor] = {}
    for number, each in enumerate(optimised):
        reward = each.calibrated(images.clamp(-1, 1), prompts)
        scalars[f"reward_{number}"] = reward.detach().mean()
        losses = losses + each.weight / total * (config.margin - reward).clamp_min(0)
    losses = config.reward_scale * losses
    if config.reference_weight:
        with parent.in_module():
            before = family.graded_images(prompts, noise, settings, graded=graded)
        distance = (images - before).square().flatten(1).mean(dim=1)
        scalars["distance"] = distance.detach().mean()
        losses = losses + config.reference_weight * distance
    return losses, scalars
