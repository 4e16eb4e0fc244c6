"""Registering checkpoints."""

import shutil
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import transaction

from evalplatform.checkpoints.layout import CheckpointFiles, inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError


def register_checkpoint(
    *, directory: Path, name: str | None = None, role: str | None = None
) -> tuple[Checkpoint, bool]:
    """Verify `directory`, copy it into the registry and return its row and whether it is new.

    Name and role default to what the trainer recorded. The same weights are registered once.
    """
    files = inspect(directory)
    known = Checkpoint.objects.filter(sha256=files.sha256).first()
    if known:
        return known, False
    chosen_name = name or str(files.metadata.get("name", "")) or directory.resolve().name
    chosen_role = role or str(files.metadata.get("role", Checkpoint.Role.EXTERNAL))
    _check_name_and_role(chosen_name, chosen_role)
    parent = _parent(files)
    _copy_into_registry(files)
    with transaction.atomic():
        return Checkpoint.objects.get_or_create(
            sha256=files.sha256,
            defaults={
                "name": chosen_name,
                "role": chosen_role,
                "status": Checkpoint.Status.VERIFIED,
                "family": files.family,
                "parent": parent,
                "config": files.metadata.get("config", {}),
                "training": files.metadata.get("training", {}),
                "licences": files.metadata.get("licences", []),
                "size_bytes": files.size_bytes,
            },
        )


def _check_name_and_role(name: str, role: str) -> None:
    if role not in Checkpoint.Role.values:
        raise BadInputError(f"role {role!r} is not one of {', '.join(Checkpoint.Role.values)}.")
    taken = Checkpoint.objects.filter(name=name).first()
    if taken:
        raise BadInputError(
            f"the name {name!r} belongs to other weights (sha256 {taken.sha256[:12]}…); "
            "choose another with --name."
        )
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise BadInputError(
            f"{name!r} cannot name a checkpoint; use letters, digits, hyphens and underscores "
            "(--name)."
        )


def _parent(files: CheckpointFiles) -> Checkpoint | None:
    sha256 = files.metadata.get("parent_sha256")
    if not sha256:
        return None
    parent = Checkpoint.objects.filter(sha256=sha256).first()
    if parent is None:
        raise BadInputError(
            f"{files.directory} was tuned from a checkpoint that is not registered "
            f"(sha256 {sha256[:12]}…); register its parent first, to keep the lineage."
        )
    return parent


def _copy_into_registry(files: CheckpointFiles) -> None:
    """Copy to CHECKPOINT_DIR/<sha256>, whole or not at all."""
    root = Path(settings.CHECKPOINT_DIR)
    target = root / files.sha256
    if target.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix="incoming-") as temporary:
        copy = Path(temporary) / "checkpoint"
        shutil.copytree(files.directory, copy)
        # The source may have changed while it was copied.
        if inspect(copy).sha256 != files.sha256:
            raise BadInputError(f"{files.directory} changed while it was copied; try again.")
        copy.rename(target)
