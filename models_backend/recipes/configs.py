"""Reads a run's TOML file: its recipe, and in pre-training its family, decide which keys it has."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from models_backend.configuration.building import apply_override, build
from models_backend.configuration.feedback import PreferenceConfig, RewardTuningConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.reward import RewardConfig
from models_backend.configuration.transparency import TransparencyConfig
from models_backend.configuration.tuning import (
    FinetuneConfig,
    QualityTuneConfig,
    StyleTailorConfig,
    TuneConfig,
)
from models_backend.errors import CheckpointError, InputError
from models_backend.families.registry import family_named

RunConfig = PretrainConfig | TuneConfig | RewardConfig
_TUNING: dict[str, type[TuneConfig]] = {
    "quality_tune": QualityTuneConfig,
    "finetune": FinetuneConfig,
    "style_tailor": StyleTailorConfig,
    "preference": PreferenceConfig,
    "feedback": RewardTuningConfig,
}
RECIPES = ("pretrain", "reward", *_TUNING)


def read_config(path: Path, overrides: list[str]) -> RunConfig:
    """Read a TOML file, with `key=value` or `table.key=value` overrides (values as in TOML).

    Raises:
        InputError: the file is missing or malformed, or a key or value is not accepted.
    """
    values = _values_of(path, overrides)
    recipe = values.get("recipe", "")
    if not isinstance(recipe, str) or recipe not in RECIPES:
        raise InputError(f"{path}: recipe {recipe!r}: accepted are {', '.join(RECIPES)}")
    if recipe == RewardConfig.recipe:
        return build(RewardConfig, values, "")
    if recipe in _TUNING:
        return build(_TUNING[recipe], values, "")
    return build(_pretraining_of(values.get("family", PretrainConfig.family)), values, "")


def read_transparency_config(path: Path, overrides: list[str]) -> TransparencyConfig:
    """Read what `models_backend.transparency` is configured by, as :func:`read_config` does.

    Raises:
        InputError: the file is missing or malformed, or a key or value is not accepted.
    """
    return build(TransparencyConfig, _values_of(path, overrides), "")


def _values_of(path: Path, overrides: list[str]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); configs are in models_backend/configs/"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error})") from None
    for override in overrides:
        apply_override(values, override)
    return values


def _pretraining_of(family: Any) -> type[PretrainConfig]:
    """Return the configuration that a family is pre-trained by."""
    try:
        config = family_named(str(family)).pretrain_config
    except CheckpointError as error:
        raise InputError(str(error)) from None
    if config is None:
        raise InputError(f"family {family!r} cannot be pre-trained: it declares no configuration")
    return config
