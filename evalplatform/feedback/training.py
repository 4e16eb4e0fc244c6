"""Running the trainer for a round, in processes of its own: rewards, their judge, and the child."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from evalplatform.checkpoints.management.commands.train import run_trainer
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.telling import tell_nobody
from evalplatform.exports.parts import sha256_of
from evalplatform.feedback.configs import JUDGE_SHARE, reward_config, tuning_config
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.feedback.services import child_name, evaluation_of, register_reward
from evalplatform.feedback.services.exporting import MARK

Train = Callable[[Path, list[str]], Path]
"""Runs the trainer on a configuration with these options; returns what it made."""

_PURPOSES = {
    RegisteredReward.Purpose.OPTIMISED: "learn",
    RegisteredReward.Purpose.JUDGE: "judge",
}


def train_quietly(config: Path, options: list[str]) -> Path:
    """Run the trainer where nobody looks on; its reason for a refusal is that of the error."""
    said = ask_backend("models_backend.train", [config, *options], say=tell_nobody)
    return Path(said[-1])


def train_rewards(
    round: FeedbackRound, *, features: str, train: Train = run_trainer
) -> list[RegisteredReward]:
    """Train, measure and register the round's reward and its judge; what is done is found done.

    Raises `BadInputError` without a preference set.
    """
    _divide(round)
    return [_train(round, purpose, features, train) for purpose in _PURPOSES]


def _divide(round: FeedbackRound) -> None:
    """Split the set by prompts: a judge that saw the same ones is fooled by the same things."""
    whole = _preferences(round)
    learn, judge = (round.folder / name for name in _PURPOSES.values())
    if (learn / MARK).is_file() and (judge / MARK).is_file():
        return
    for half in (learn, judge):  # of a run that broke off
        shutil.rmtree(half, ignore_errors=True)
    ask_backend(
        "models_backend.preferences",
        ["divide", whole, "--learn", learn, "--judge", judge, "--share", JUDGE_SHARE],
        say=tell_nobody,
    )


def _train(
    round: FeedbackRound, purpose: RegisteredReward.Purpose, features: str, train: Train
) -> RegisteredReward:
    found = round.rewards.filter(purpose=purpose).first()
    if found is not None:
        return found
    part = _PURPOSES[purpose]
    name = f"{round.loop.slug}-{part}-{round.number}"
    config = round.folder / f"{part}.toml"
    data = round.folder / part
    write_whole(config, reward_config(name, round.loop.aspects, features, round.loop.seed))
    trained = train(config, ["--data", str(data), "--out", str(round.folder / f"{part}-run")])
    return register_reward(
        round=round,
        source=trained,
        name=name,
        purpose=purpose,
        preferences_sha256=sha256_of(data / MARK),
        evaluation=_measured(trained, _preferences(round), round.folder / f"{part}.json"),
    )


def _measured(trained: Path, data: Path, report: Path) -> dict[str, object]:
    """Measure on the test prompts of the whole set: neither half has learned from any of them."""
    try:
        ask_backend(
            "models_backend.rewards",
            ["evaluate", trained, "--data", data, "--json", report],
            say=tell_nobody,
        )
    except BadInputError as error:  # a small set may hold nothing to measure on
        return {"missing": str(error)}
    return evaluation_of(json.loads(report.read_text(encoding="utf-8")))


def train_child(
    round: FeedbackRound,
    *,
    recipe: str,
    steps: int | None,
    overrides: Sequence[str] = (),
    train: Train = run_trainer,
) -> Path:
    """Tune the round's parent and return the checkpoint directory; interrupted, it goes on.

    `overrides` are settings of the recipe, as the trainer's `--set` takes them.

    Raises `BadInputError` before there are rewards.
    """
    rewards = list(round.rewards.all())
    if not rewards:
        raise BadInputError(
            f"{round} has no rewards yet; train them first.",
            by_command=f"`manage.py feedback train {round.loop}` does it.",
        )
    judge = next((r.directory for r in rewards if r.purpose == r.Purpose.JUDGE), None)
    config = round.folder / f"{recipe}.toml"
    write_whole(
        config,
        tuning_config(
            recipe=recipe,
            name=child_name(round),
            aspects=round.loop.aspects,
            rewards=[r.directory for r in rewards if r.purpose == r.Purpose.OPTIMISED],
            judge=judge,
            held_out=round.folder / _PURPOSES[RegisteredReward.Purpose.JUDGE],
            seed=round.loop.seed + round.number,
            steps=steps,
        ),
    )
    return train(
        config,
        ["--data", str(round.folder / "learn"), "--parent", str(round.parent.directory),
         "--out", str(round.folder / f"{recipe}-run"),
         *(word for each in overrides for word in ("--set", each))],
    )  # fmt: skip


def _preferences(round: FeedbackRound) -> Path:
    if not round.preferences_sha256:
        raise BadInputError(
            f"{round} has no preference set yet; export it first.",
            by_command=f"`manage.py feedback export {round.loop}` does it.",
        )
    return round.folder / "preferences"
