"""Taking reward models in: what the trainer saved, verified and kept by its hash."""

import json
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from evalplatform.accounts.models import User
from evalplatform.core.errors import BadInputError
from evalplatform.exports.parts import sha256_of
from evalplatform.feedback.folders import copy_whole
from evalplatform.feedback.models import FeedbackRound, RegisteredReward

FORMAT, MARK, WEIGHTS = "t2i-reward/1", "reward.json", "model.safetensors"
FILES = (MARK, WEIGHTS, "README.md", "tokenizer")
"""What a reward is made of; whatever else lies beside it is not taken in."""


def register_reward(
    *,
    round: FeedbackRound,
    source: Path,
    name: str,
    purpose: str,
    preferences_sha256: str,
    evaluation: dict[str, Any] | None = None,
    created_by: User | None = None,
) -> RegisteredReward:
    """Copy a trained reward into the registry; the same weights are registered once.

    Raises `BadInputError` for a folder that is no reward, was changed, lacks an aspect of the loop,
    or was trained on other votes than it says.
    """
    metadata = _read(source)
    sha256 = metadata["weights_sha256"]
    lacking = [each for each in round.loop.aspects if each not in metadata["aspects"]]
    if lacking:
        raise BadInputError(
            f"{source} knows {', '.join(metadata['aspects'])} and not {', '.join(lacking)}, which "
            f"people ranked by in {round.loop}; train it on that loop's preference set."
        )
    found = RegisteredReward.objects.filter(sha256=sha256).first()
    if found is not None:
        if found.purpose != purpose:
            raise BadInputError(
                f"{source} is registered as {found.name}, used as {found.get_purpose_display()}: "
                "a judge is never optimised; train another."
            )
        if found.round != round:
            raise BadInputError(
                f"these weights are a reward of another round already ({found.name}); train on "
                f"the preference set of {round}."
            )
        return found
    if RegisteredReward.objects.filter(name=name).exists():  # before anything is copied
        raise _taken(name)
    reward = RegisteredReward(
        project=round.loop.project, name=name, sha256=sha256, aspects=metadata["aspects"],
        purpose=purpose, preferences_sha256=preferences_sha256, round=round, metadata=metadata,
        evaluation=evaluation or {}, created_by=created_by,
    )  # fmt: skip
    copy_whole(source, reward.directory, FILES)
    try:
        with transaction.atomic():
            reward.save()
    except IntegrityError as error:
        raise _taken(name) from error
    return reward


def _taken(name: str) -> BadInputError:
    return BadInputError(f"there is a reward {name!r} already; give another name.")


def _read(source: Path) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads((source / MARK).read_text(encoding="utf-8"))
        weights, aspects = metadata["weights_sha256"], metadata["aspects"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{source} is no reward model ({MARK} is missing or cannot be read); train one with "
            'recipe = "reward".'
        ) from error
    named = isinstance(aspects, list) and all(isinstance(each, str) for each in aspects)
    if metadata.get("format") != FORMAT or not named or not aspects:
        raise BadInputError(f"{source / MARK} is not of the format {FORMAT}; train it again.")
    if not (source / WEIGHTS).is_file() or sha256_of(source / WEIGHTS) != weights:
        raise BadInputError(f"{source / WEIGHTS} is missing or was changed; train it again.")
    return metadata


def evaluation_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return what pages show of the report of `models_backend.rewards evaluate`.

    `rows` are scorers under each aspect; `accuracy` and `one_person` are means over aspects.
    """
    rows, reached, ceilings = [], [], []
    for aspect, told in report["aspects"].items():
        scorers = {
            "this reward": told["accuracy"],
            "one person against the others": told["one_person"],
            "this reward on the same pairs": told["reward_on_the_same"],
        }
        for scorer, found in (scorers | told["baselines"]).items():
            if found is not None:
                rows.append(_row(scorer, aspect, found))
        reached += [told["accuracy"]["mean"]] if told["accuracy"] else []
        ceilings += [told["one_person"]["mean"]] if told["one_person"] else []
    return {
        "rows": rows,
        "accuracy": _mean(reached),
        "one_person": _mean(ceilings),
        "split": report["split"],
        "simulated": report["simulated"],
        "report": report,
    }


def _row(scorer: str, aspect: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "scorer": scorer,
        "aspect": aspect,
        "accuracy": f"{found['mean']:.3f}",
        "interval": f"{found['low']:.3f} to {found['high']:.3f}",
        "pairs": found["n"],
    }


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
