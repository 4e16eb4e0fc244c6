"""Registering a checkpoint from a model hub by its id."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalplatform.accounts.models import Project
from evalplatform.checkpoints.hub.download import Place, Progress, arriving, fetch
from evalplatform.checkpoints.hub.listing import HubId, HubModel, look_up
from evalplatform.checkpoints.hub.selection import Wanted, choose
from evalplatform.checkpoints.layout import CheckpointFiles, inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services.registering import (
    Made,
    check_is_free,
    check_name_and_role,
    enter_registry,
    known_weights,
)
from evalplatform.checkpoints.verification.configs import check_model_index, read_json
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody


def register_from_hub(
    *,
    project: Project,
    hub_id: HubId,
    variant: str | None = None,
    name: str | None = None,
    role: str | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
) -> tuple[Checkpoint, bool]:
    """Download a model, verify it and take it into the registry with the commit it came from.

    Returns its row and whether it is new. Only what a checkpoint may hold is downloaded, never
    pickle or code, into a folder that stays while the download is interrupted and goes once the
    checkpoint is registered or refused. `variant` takes those weights (fp16) where there are any.
    `made` is told a new row, in the transaction that makes it.

    Raises `BadInputError` for what cannot be found, reached, or is refused, with the reason.
    """
    _check_variant(variant)
    model = look_up(hub_id)
    origin = {"hub": model.repo, "commit": model.commit} | ({"variant": variant} if variant else {})
    known = known_weights(project, Checkpoint.objects.filter(origin=origin))
    if known:
        return known, False
    chosen = name or re.sub(r"[^A-Za-z0-9_-]", "-", model.repo.split("/")[1])[:80]
    check_name_and_role(chosen, role or Checkpoint.Role.EXTERNAL)
    check_is_free(chosen, project)
    with arriving(model, variant) as place:
        folder = _fetch(model, variant, place, progress)
        try:
            found = enter_registry(
                _inspect(folder, model), project=project, name=chosen, role=role, origin=origin,
                is_ours=True, made=made,
            )  # fmt: skip
        except BadInputError:
            shutil.rmtree(place.folder, ignore_errors=True)  # it would be refused again
            raise
        shutil.rmtree(place.folder, ignore_errors=True)
    return found


def _fetch(model: HubModel, variant: str | None, place: Place, progress: Progress) -> Path:
    index = _index(model, place)
    wanted = choose(model, index, variant)
    if not any(each.saved_as.endswith(".safetensors") for each in wanted):
        raise BadInputError(f"{model.repo} holds no safetensors that a pipeline would load.")
    return fetch(model, wanted, place, progress)


def _inspect(folder: Path, model: HubModel) -> CheckpointFiles:
    """Check what was fetched; licences are the hub's where the files tell none."""
    files = inspect(folder)
    licences = files.metadata.get("licences") or list(model.licences)
    return replace(files, metadata=files.metadata | {"licences": licences})


def _index(model: HubModel, place: Place) -> dict[str, Any] | None:
    """Return the checked model_index.json, fetched alone before gigabytes are; None for ours."""
    if "metadata.json" in model.files:
        return None
    name = "model_index.json"
    if name not in model.files:
        raise BadInputError(
            f"{model.repo} is no diffusers pipeline: it has no {name}. {_hint(model)}"
        )
    folder = fetch(model, [Wanted(model.files[name], name)], place, tell_nobody)
    index = read_json(folder / name, name)
    check_model_index(index)
    return index


def _hint(model: HubModel) -> str:
    single = [name for name in model.files if name.endswith(".safetensors") and "/" not in name]
    if single:
        return (
            f"It holds {single[0]}: download that and register it with its configuration, the "
            "directory of a pipeline's configurations."
        )
    return "Give a model that diffusers' save_pretrained wrote, with safetensors."


def _check_variant(variant: str | None) -> None:
    if variant is not None and not re.fullmatch(r"[A-Za-z0-9_]{1,40}", variant):
        raise BadInputError(f"variant {variant[:60]!r} is none; give one such as fp16.")
