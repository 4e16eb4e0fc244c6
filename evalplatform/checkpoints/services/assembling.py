"""Putting a single file and the configurations that belong to it into one directory."""

import shutil
from pathlib import Path

from evalplatform.checkpoints.layout import checkpoint_files
from evalplatform.checkpoints.verification.archives import Limits, is_archive, unpack
from evalplatform.checkpoints.verification.configs import check_model_index, read_json
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.checkpoints.verification.single_file import CONFIG, WEIGHTS, lacking
from evalplatform.checkpoints.verification.weight_files import is_weight
from evalplatform.core.errors import BadInputError

_INDEX = "model_index.json"


def assemble(source: Path, config: Path, folder: Path, limits: Limits) -> Path:
    """Return a new directory below `folder` in the single-file layout, to be verified as it is.

    `config` is a pipeline's directory, its archive, or its model_index.json. Of a pipeline with
    weights, only those of components come along that the file lacks.

    Raises `BadInputError` for what can never become a checkpoint, before anything is copied.
    """
    if source.suffix.lower() != ".safetensors" or not source.is_file():
        raise BadInputError(
            f"{source} is no .safetensors file; a configuration beside it belongs to one."
        )
    configs = _config_directory(config, folder, limits)
    files = sorted(checkpoint_files(configs))
    if _INDEX not in files:
        raise BadInputError(
            f"{config} has no {_INDEX}; give the directory of a diffusers pipeline, with or "
            "without its weights."
        )
    index = read_json(configs / _INDEX, _INDEX)
    check_model_index(index)
    missing = lacking(read_header(source, source.name).names, index)
    together = folder / "together"
    together.mkdir()
    shutil.copyfile(source, together / WEIGHTS)
    for name in files:
        if not is_weight(name) or name.split("/")[0] in missing:
            target = together / CONFIG / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(configs / name, target, follow_symlinks=False)
    return together


def _config_directory(config: Path, folder: Path, limits: Limits) -> Path:
    if config.is_dir():
        return config
    if config.is_file() and config.name == _INDEX:
        return config.parent
    if config.is_file() and is_archive(config):
        into = folder / "unpacked"
        into.mkdir()
        return unpack(config, into, limits)
    raise BadInputError(
        f"{config} is no configuration; give a diffusers pipeline's directory, a zip or tar of it, "
        f"or its {_INDEX}."
    )
