"""What stands beside the children of a rehearsed loop: tuned by rewards, too far, and on chance.

All begin with the parent of the first round. They are registered as checkpoints, and are no part of
the loop: it learns from none of them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.management.commands.train import run_trainer
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.files import write_whole
from evalplatform.demo.loop_steps import LOOP, TUNED_STEPS, LoopDemo, round_of
from evalplatform.feedback.configs import tuning_config
from evalplatform.feedback.models import FeedbackRound, RegisteredReward

BY_REWARDS, TOO_FAR, BY_CHANCE = f"{LOOP}-by-rewards", f"{LOOP}-too-far", f"{LOOP}-by-chance"
_RATE = "training.learning_rate=1e-4"
_REWARDED = (
    "rollout_steps=10", "graded=[1, 4]", "training.batch_size=8", _RATE, "training.save_every=10",
    "guard.candidates=4",
)  # fmt: skip


def tune_by_rewards(demo: LoopDemo) -> str:
    """The other recipe on the same rewards, guarded by the same judge (ReFL)."""
    return _made(BY_REWARDS, lambda: _tuned(demo, "feedback", BY_REWARDS, TUNED_STEPS, _REWARDED))


def tune_too_far(demo: LoopDemo) -> str:
    """The child's run pushed further, the guard looking on; its last step is taken."""
    steps = demo.over_steps
    looking = (
        f"training.learning_rate={demo.over_rate:g}", f"training.save_every={steps // 4}",
        "guard.candidates=4", "guard.stop=false",
    )  # fmt: skip

    def run() -> Path:
        _tuned(demo, "preference", TOO_FAR, steps, looking)
        return _tuned(demo, "preference", TOO_FAR, steps, looking, f"--pick={steps}")

    return _made(TOO_FAR, run)


def tune_by_chance(demo: LoopDemo) -> str:
    """The child's run on the same pairs, preferred by a random reward."""
    random = demo.folder / "random"
    if not (random / "preferences.json").is_file():
        ask_backend(
            "models_backend.preferences",
            ["randomise", round_of(1).folder / "learn", "--out", random],
            say=lambda line: None,
        )
    unguarded = (_RATE, "training.save_every=10", "guard.candidates=0")
    return _made(
        BY_CHANCE,
        lambda: _tuned(demo, "preference", BY_CHANCE, TUNED_STEPS, unguarded, data=random),
    )


def folder_of(demo: LoopDemo, name: str) -> Path:
    """Return the trainer's folder of a control."""
    return demo.folder / name


def _made(name: str, run: Callable[[], Path]) -> str:
    if not Checkpoint.objects.filter(name=name).exists():
        register_checkpoint(project=default_project(), source=run(), name=name)
    return name


def _tuned(
    demo: LoopDemo,
    recipe: str,
    name: str,
    steps: int,
    overrides: Sequence[str],
    *more: str,
    data: Path | None = None,
) -> Path:
    first = round_of(1)
    config = demo.folder / f"{name}.toml"
    write_whole(
        config,
        tuning_config(
            recipe=recipe, name=name, aspects=first.loop.aspects, seed=first.loop.seed + 1,
            rewards=_rewards(first, RegisteredReward.Purpose.OPTIMISED),
            judge=_rewards(first, RegisteredReward.Purpose.JUDGE)[0], steps=steps,
        ),
    )  # fmt: skip
    return run_trainer(
        config,
        ["--data", str(data or first.folder / "learn"), "--parent", str(first.parent.directory),
         "--out", str(folder_of(demo, name)),
         *(word for each in overrides for word in ("--set", each)), *more],
    )  # fmt: skip


def _rewards(round: FeedbackRound, purpose: RegisteredReward.Purpose) -> list[Path]:
    return [each.directory for each in round.rewards.filter(purpose=purpose)]
