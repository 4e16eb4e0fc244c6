"""What the trainer is asked in a round, as its configuration files. Pure text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

JUDGE_SHARE = 0.25
"""Of the prompts that only the judge learns from."""


def reward_config(name: str, aspects: Sequence[str], features: str, seed: int) -> str:
    """Return the configuration of a reward model with a head an aspect."""
    return tomli_w.dumps(
        {
            "recipe": "reward",
            "name": name,
            "aspects": list(aspects),
            "features": features,
            "seed": seed,
        }
    )


def tuning_config(
    *,
    recipe: str,
    name: str,
    aspects: Sequence[str],
    rewards: Sequence[Path],
    judge: Path | None,
    held_out: Path | None,
    seed: int,
    steps: int | None,
) -> str:
    """Return the configuration of a child's tuning: `preference` or `feedback`.

    `held_out` is the judge's preference set, whose prompts the child does not learn from. What is
    not said here is as the recipe has it (docs/feedback.md).
    """
    asked: dict[str, Any] = {
        "recipe": recipe,
        "name": name,
        "aspects": list(aspects),
        "seed": seed,
    }
    if recipe == "feedback":
        asked["rewards"] = [str(each) for each in rewards]
    if judge is not None:
        asked["guard"] = {"judge": str(judge)}
        if held_out is not None:
            asked["guard"]["held_out"] = str(held_out)
    if steps is not None:
        asked["training"] = {"steps": steps}
    return tomli_w.dumps(asked)
