"""Reading the registry."""

import json
from pathlib import Path

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import Asking, usable_in, visible_to
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import METADATA


def registered_checkpoint(name: str, project: Project | None = None) -> Checkpoint:
    """Return the checkpoint of this name, of those a project may use where one is given.

    Raises `BadInputError` listing the usable ones.
    """
    known = Checkpoint.objects.all()
    checkpoint = (usable_in(project, known) if project else known).filter(name=name).first()
    if checkpoint is None:
        raise BadInputError(
            f"no checkpoint {name!r}; usable: "
            f"{', '.join(usable_checkpoints(project)) or 'none yet'}. Register one first.",
            by_command="`manage.py register_checkpoint DIRECTORY` does it.",
        )
    return checkpoint


def tuned_from(sha256: str, user: Asking) -> list[Checkpoint]:
    """Return what was tuned from the weights of this hash and exists for somebody, by name."""
    children = Checkpoint.objects.filter(parent_id=sha256)  # type: ignore[misc]  # knows no to_field
    return list(visible_to(user, children).order_by("name"))


def parent_of(checkpoint: Checkpoint, user: Asking) -> Checkpoint | None:
    """Return what it was tuned from, where that is registered and exists for somebody."""
    if checkpoint.parent_sha256 is None:
        return None
    return visible_to(user, Checkpoint.objects.filter(sha256=checkpoint.parent_sha256)).first()


def refuse_retired_checkpoint(checkpoint: Checkpoint) -> None:
    """Raise `BadInputError` for a checkpoint that no new campaign may take."""
    if checkpoint.status == Checkpoint.Status.RETIRED:
        raise BadInputError(
            f"checkpoint {checkpoint.name!r} was retired on {checkpoint.retired_at:%Y-%m-%d}, so "
            "no new campaign can take it; usable: "
            f"{', '.join(usable_checkpoints(checkpoint.project)) or 'none'}. Restore it to use it.",
            by_command=f"`manage.py retire_checkpoint {checkpoint.name} --restore` does it.",
        )


def refuse_retired_parent(folder: Path) -> None:
    """Raise `BadInputError` where a checkpoint's directory is of one that was retired.

    What is in no registry, or no checkpoint at all, passes: the trainer says what is wrong with it.
    """
    try:
        hashes = [folder.resolve().name, json.loads((folder / METADATA).read_bytes())["sha256"]]
    except (OSError, ValueError, KeyError, TypeError):
        hashes = [folder.resolve().name]
    retired = Checkpoint.objects.filter(
        status=Checkpoint.Status.RETIRED, sha256__in=[str(each) for each in hashes]
    ).first()
    if retired is not None:
        raise BadInputError(
            f"the parent {retired.name!r} was retired on {retired.retired_at:%Y-%m-%d}; restore "
            "it, or take another.",
            by_command=f"`manage.py retire_checkpoint {retired.name} --restore` restores it.",
        )


def usable_checkpoints(project: Project | None) -> list[str]:
    """Return the names of those that a campaign may take, of every project where none is given."""
    usable = Checkpoint.objects.filter(status=Checkpoint.Status.VERIFIED)
    if project:
        usable = usable_in(project, usable)
    return list(usable.values_list("name", flat=True))
