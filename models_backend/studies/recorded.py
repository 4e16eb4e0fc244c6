"""What each family starts from where nothing is given: its recorded run, and how that is tuned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models_backend.checkpoint_format import METADATA
from models_backend.checkpoints import read_metadata
from models_backend.configuration.tuning import QualityTuneConfig
from models_backend.errors import InputError
from models_backend.recipes.configs import read_config

_BACKEND = Path(__file__).parents[1]
_NAMES = {
    "latent_diffusion": ("pretrained", "quality_tuned"),
    "pixel_diffusion": ("pixel_pretrained", "pixel_quality_tuned"),
    "masked_transformer": ("masked_pretrained", "masked_quality_tuned"),
}
FAMILIES = tuple(_NAMES)


@dataclass(frozen=True)
class RecordedStart:
    """A parent and the configuration it is quality-tuned by."""

    parent: Path
    config: Path


def start_of(family: str) -> RecordedStart:
    """Return the recorded parent of a family and its configuration beside the package's own."""
    parent, config = _NAMES[family]
    return RecordedStart(_BACKEND / "recorded" / parent, _BACKEND / "configs" / f"{config}.toml")


def check_parent(parent: Path, family: str) -> None:
    """Refuse a parent that is not there, or of another family.

    Raises:
        InputError: as said.
        CheckpointError: its metadata cannot be read.
    """
    if not (parent / METADATA).is_file():
        raise InputError(
            f"{parent} is no checkpoint directory; train one (models_backend/configs/) and give it "
            "with --parent"
        )
    found = read_metadata(parent).get("family")
    if found != family:
        raise InputError(
            f"--family {family}: {parent} is of the family {found!r}; give a parent of {family}, "
            "or its own family"
        )


def quality_tuning(path: Path, overrides: list[str]) -> QualityTuneConfig:
    """Read a configuration that must be one of quality-tuning.

    Raises:
        InputError: it is of another recipe, or not to be read.
    """
    config = read_config(path, overrides)
    if not isinstance(config, QualityTuneConfig):
        raise InputError(f"{path}: recipe {config.recipe!r}: give a quality_tune one")
    return config
