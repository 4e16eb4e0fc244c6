"""What stands beside the children of a rehearsed loop: tuned by rewards, too far, and on chance.

All begin with the parent of the first round. They are registered as checkpoints, and are no part of
the loop: it learns from none of them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.management.commands.train import run_trainer
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.files import write_whole
from evalplatform.core.telling import tell_nobody
from evalplatform.demo.loop_steps import (
    GUARD,
    HOT,
    LOOP,
    LOOSE,
    TUNED_STEPS,
    LoopDemo,
    round_of,
)
from evalplatform.feedback.configs import tuning_config
from evalplatform.feedback.models import FeedbackRound, RegisteredReward

BY_REWARDS, TOO_FAR, BY_CHANCE = f"{LOOP}-by-rewards", f"{LOOP}-too-far", f"{LOOP}-by-chance"
_REWARDED = (*HOT, *GUARD, "rollout_steps=10", "graded=[1, 4]", "training.batch_size=8")
Run = Callable[[], Path]
"""A training, to its checkpoint; needs no database."""


def begin(demo: LoopDemo) -> str:
    """Begin the three trainings, one after the other, beside the loop: it waits for none of them.

    Each has one thread of its own, as the loop's programs have, so that two cores are busy.
    """
    missing = [name for name in RUNS if not Checkpoint.objects.filter(name=name).exists()]
    runs = {name: RUNS[name](demo) for name in missing}  # what they need of the database
    pool = ThreadPoolExecutor(max_workers=1)
    demo.trainings = {name: pool.submit(run) for name, run in runs.items()}
    pool.shutdown(wait=False)
    return ", ".join(missing) or "all are there"


def take_in(demo: LoopDemo) -> str:
    """Wait for the three, and register them."""
    for name, training in demo.trainings.items():
        register_checkpoint(project=default_project(), source=training.result(), name=name)
    return ", ".join(RUNS)


def folder_of(demo: LoopDemo, name: str) -> Path:
    """Return the trainer's folder of a control."""
    return demo.folder / name


def _by_rewards(demo: LoopDemo) -> Run:
    """The other recipe on the same rewards, guarded by the same judge (ReFL)."""
    return partial(run_trainer, *_asked(demo, "feedback", BY_REWARDS, TUNED_STEPS, _REWARDED))


def _too_far(demo: LoopDemo) -> Run:
    """By rewards alone, with nothing beside them; the guard looks on, the last step is taken."""
    steps = demo.over_steps
    looking = (
        *_REWARDED, "pretrain_weight=0.0", "reward_scale=1.0", "margin=100.0", "guard.stop=false",
        f"training.learning_rate={demo.over_rate:g}", f"training.save_every={steps // 4}",
    )  # fmt: skip
    config, options = _asked(demo, "feedback", TOO_FAR, steps, looking)

    def run() -> Path:
        run_trainer(config, options)
        return run_trainer(config, [*options, f"--pick={steps}"])

    return run


def _by_chance(demo: LoopDemo) -> Run:
    """The child's run on the same pairs, preferred by a random reward."""
    learn, random = round_of(1).folder / "learn", demo.folder / "random"
    unguarded = (*HOT, LOOSE, "guard.candidates=0")
    config, options = _asked(demo, "preference", BY_CHANCE, TUNED_STEPS, unguarded, data=random)

    def run() -> Path:
        if not (random / "preferences.json").is_file():
            ask_backend(
                "models_backend.preferences", ["randomise", learn, "--out", random],
                say=tell_nobody,
            )  # fmt: skip
        return run_trainer(config, options)

    return run


RUNS: dict[str, Callable[[LoopDemo], Run]] = {
    BY_REWARDS: _by_rewards, TOO_FAR: _too_far, BY_CHANCE: _by_chance,
}  # fmt: skip


def _asked(
    demo: LoopDemo,
    recipe: str,
    name: str,
    steps: int,
    overrides: Sequence[str],
    data: Path | None = None,
) -> tuple[Path, list[str]]:
    """Write a training's configuration; return it and the trainer's options."""
    first = round_of(1)
    config = demo.folder / f"{name}.toml"
    write_whole(
        config,
        tuning_config(
            recipe=recipe, name=name, aspects=first.loop.aspects, seed=first.loop.seed + 1,
            rewards=_rewards(first, RegisteredReward.Purpose.OPTIMISED),
            judge=_rewards(first, RegisteredReward.Purpose.JUDGE)[0],
            held_out=first.folder / "judge", steps=steps,
        ),
    )  # fmt: skip
    return config, [
        "--data", str(data or first.folder / "learn"), "--parent", str(first.parent.directory),
        "--out", str(folder_of(demo, name)),
        *(word for each in overrides for word in ("--set", each)),
    ]  # fmt: skip


def _rewards(round: FeedbackRound, purpose: RegisteredReward.Purpose) -> list[Path]:
    return [each.directory for each in round.rewards.filter(purpose=purpose)]
