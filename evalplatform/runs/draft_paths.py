"""Where each field of the builder's form stands among a draft's choices. Pure."""

from collections.abc import Mapping
from typing import Any

Path = tuple[str, ...]

FIELDS: dict[str, Path] = {
    "name": ("name",),
    "images_per_prompt": ("images_per_prompt",),
    "seed": ("seed",),
    "votes_per_annotator": ("votes_per_annotator",),
    "sets": ("prompts", "sets"),
    "limit": ("prompts", "limit"),
    "category": ("prompts", "filter", "category"),
    "challenge": ("prompts", "filter", "challenge"),
    "tag": ("prompts", "filter", "tag"),
    "third": ("prompts", "filter", "third"),
    "third_seed": ("prompts", "filter", "third_seed"),
    "sampler": ("sampler", "sampler"),
    "steps": ("sampler", "steps"),
    "guidance_scale": ("sampler", "guidance_scale"),
    "negative_prompt": ("sampler", "negative_prompt"),
    "height": ("sampler", "height"),
    "width": ("sampler", "width"),
    "priority": ("generation", "priority"),
    "budget_minutes": ("generation", "budget_minutes"),
    "gold_rate": ("rules", "quality", "gold_rate"),
    "repeat_rate": ("rules", "quality", "repeat_rate"),
    "qualification_pairs": ("rules", "quality", "qualification_pairs"),
    "qualification_pass": ("rules", "quality", "qualification_pass"),
    "qualification_tries": ("rules", "quality", "qualification_tries"),
    "exclude_gold_below": ("rules", "quality", "exclude_gold_below"),
    "exclude_repeats_below": ("rules", "quality", "exclude_repeats_below"),
    "exclude_too_fast_above": ("rules", "quality", "exclude_too_fast_above"),
    "exclude_same_side_above": ("rules", "quality", "exclude_same_side_above"),
    "door": ("rules", "annotation", "door"),
    "session_cap": ("rules", "annotation", "session_cap"),
    "platform": ("rules", "crowd", "platform"),
    "completed_code": ("rules", "crowd", "completed_code"),
    "threshold": ("rules", "safety", "threshold"),
    "wage_per_hour": ("rules", "pay", "wage_per_hour"),
    "per_vote": ("rules", "pay", "per_vote"),
    "seconds_per_vote": ("rules", "pay", "seconds_per_vote"),
    "currency": ("rules", "pay", "currency"),
    "fee_percent": ("rules", "pay", "fee_percent"),
}
SHARES = {
    "gold_rate", "repeat_rate", "exclude_gold_below", "exclude_repeats_below",
    "exclude_too_fast_above", "exclude_same_side_above",
}  # fmt: skip
"""Shown in per cent."""


def value_at(choices: Mapping[str, Any], path: Path) -> Any:
    """Return what stands there; None where nothing does."""
    inside: Any = choices
    for step in path:
        if not isinstance(inside, Mapping) or step not in inside:
            return None
        inside = inside[step]
    return inside


def put(choices: dict[str, Any], path: Path, value: Any) -> None:
    """Let a value stand there; nothing (None, an empty text or list) takes it away."""
    inside = choices
    for step in path[:-1]:
        inside = inside.setdefault(step, {})
    if value is None or value == "" or value == []:
        inside.pop(path[-1], None)
    else:
        inside[path[-1]] = value


def without(choices: Mapping[str, Any], paths: set[Path], at: Path = ()) -> dict[str, Any]:
    """Return what stands at none of these paths."""
    left: dict[str, Any] = {}
    for name, value in choices.items():
        path = (*at, name)
        if path in paths:
            continue
        if isinstance(value, Mapping):
            if inside := without(value, paths, path):
                left[name] = inside
        else:
            left[name] = value
    return left
