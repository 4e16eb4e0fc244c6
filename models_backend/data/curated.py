"""Sets that people curated: finished data directories with `curation.jsonl` beside the manifest.

`curation.jsonl` has a line an image: who decided what on which scores (docs/curation.md). Training
reads the manifest alone; a checkpoint keeps the hashes of both. No torch here.
"""

from __future__ import annotations

from pathlib import Path

from models_backend.configuration.tuning import QualityTuneConfig, StyleTailorConfig
from models_backend.data.manifest import manifest_sha256
from models_backend.errors import InputError
from models_backend.files import sha256_of_file

CURATION = "curation.jsonl"


def curated_facts(folder: Path | None) -> dict[str, str]:
    """Return what a checkpoint records of a curated set: hashes of its manifest and decisions."""
    if folder is None:
        return {}
    facts = {"manifest_sha256": manifest_sha256(folder)}
    if (folder / CURATION).is_file():
        facts["curation_sha256"] = sha256_of_file(folder / CURATION)
    return facts


def folder_of(config: object, key: str, option: Path | None) -> Path | None:
    """Return the folder of a curated set, from the configuration or the command line.

    Raises:
        InputError: both name one.
    """
    told = getattr(config, key, "")
    if told and option is not None:
        name = "--" + key.removesuffix("_set")
        raise InputError(f"{name} {option} and {key} {told}: give one of them")
    return Path(told) if told else option


def refuse_two_sources(config: object, tuning: Path | None, content: Path | None) -> None:
    """Refuse a set that is given as a list and as a folder, or not at all.

    Raises:
        InputError: names the setting and the option.
    """
    style = isinstance(config, StyleTailorConfig)
    if content is not None and not style:
        raise InputError("--content is the content set of recipe style_tailor")
    wanted = isinstance(config, QualityTuneConfig | StyleTailorConfig)
    _one_of("tuning_list", getattr(config, "tuning_list", None), "--tuning", tuning, wanted)
    if style:
        _one_of("content_list", getattr(config, "content_list", None), "--content", content, True)


def _one_of(key: str, value: str | None, option: str, folder: Path | None, wanted: bool) -> None:
    if folder is not None and value is None:
        raise InputError(f"{option} is for recipes that tune a parent")
    if folder is not None and value:
        raise InputError(f"{option} {folder} and {key} {value}: give one of them")
    if wanted and folder is None and not value:
        raise InputError(f"give {key} in the configuration, or a curated set with {option} DIR")
