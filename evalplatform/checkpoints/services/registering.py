"""Registering checkpoints."""

import re
import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction

from evalplatform.checkpoints.layout import CheckpointFiles, inspect
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.quarantine import quarantine
from evalplatform.checkpoints.services.assembling import assemble
from evalplatform.checkpoints.verification.archives import Limits, is_archive, unpack
from evalplatform.core.errors import BadInputError


def register_checkpoint(
    *,
    source: Path,
    config: Path | None = None,
    name: str | None = None,
    role: str | None = None,
) -> tuple[Checkpoint, bool]:
    """Verify a directory, an archive of one, or a single file, and take it into the registry.

    `config` belongs to a single .safetensors file: the directory of a pipeline's configurations,
    or its archive.

    Returns its row and whether it is new: the same weights are registered once. Name and role
    default to what the trainer recorded. Nothing of it is loaded; until it has passed, an archive
    lies in a quarantine that is emptied whatever happens.

    Raises `BadInputError` for what is refused, with the reason.
    """
    with quarantine() as folder:
        limits = Limits(bytes=min(settings.CHECKPOINT_MAX_BYTES, shutil.disk_usage(folder).free))
        if config is not None:
            directory = assemble(source, config, folder, limits)
        elif source.is_file() and is_archive(source):
            directory = unpack(source, folder, limits)
        else:
            directory = source
        files = inspect(directory)
        is_ours = directory.is_relative_to(folder)
        chosen = name or str(files.metadata.get("name", "")) or _name_of(source)
        return enter_registry(files, name=chosen, role=role, is_ours=is_ours)


def enter_registry(
    files: CheckpointFiles,
    *,
    name: str,
    role: str | None,
    is_ours: bool,
    origin: dict[str, str] | None = None,
) -> tuple[Checkpoint, bool]:
    """Take verified files into the registry; return their row and whether it is new.

    `is_ours`: nobody else can have changed the files since, and they are moved, not copied.
    `origin` says where the files came from, beyond what the trainer recorded.
    """
    known = Checkpoint.objects.filter(sha256=files.sha256).first()
    if known:
        return _known(known, origin or {}), False
    chosen_role = role or str(files.metadata.get("role", Checkpoint.Role.EXTERNAL))
    check_name_and_role(name, chosen_role)
    check_is_free(name)
    _refuse_circle(files)
    _take_into_registry(files, is_ours)
    return _record(files, name, chosen_role, origin or {})


def _known(checkpoint: Checkpoint, origin: dict[str, str]) -> Checkpoint:
    """Keep where the same weights were found, if nothing was known of it."""
    if origin and not checkpoint.origin:
        checkpoint.origin = origin
        checkpoint.save(update_fields=["origin"])
    return checkpoint


def _name_of(source: Path) -> str:
    if is_archive(source):
        return source.name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", source.resolve().name.removesuffix(".safetensors"))


def _record(
    files: CheckpointFiles, name: str, role: str, origin: dict[str, str]
) -> tuple[Checkpoint, bool]:
    with transaction.atomic():
        return Checkpoint.objects.get_or_create(
            sha256=files.sha256,
            defaults={
                "name": name,
                "role": role,
                "status": Checkpoint.Status.VERIFIED,
                "family": files.family,
                "parent_id": files.metadata.get("parent_sha256") or None,
                "origin": origin,
                "config": files.metadata.get("config", {}),
                "training": files.metadata.get("training", {}),
                "licences": files.metadata.get("licences", []),
                "size_bytes": files.size_bytes,
                "parameters": dict(files.parameters),
            },
        )


def check_name_and_role(name: str, role: str) -> None:
    """Refuse a name that cannot be one and an unknown role. Raises `BadInputError`."""
    if role not in Checkpoint.Role.values:
        raise BadInputError(f"role {role!r} is not one of {', '.join(Checkpoint.Role.values)}.")
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise BadInputError(
            f"{name!r} cannot name a checkpoint; use letters, digits, hyphens and underscores."
        )


def check_is_free(name: str) -> None:
    """Refuse the name of other weights. Raises `BadInputError`."""
    taken = Checkpoint.objects.filter(name=name).first()
    if taken:
        raise BadInputError(
            f"the name {name!r} belongs to other weights (sha256 {taken.sha256[:12]}…); "
            "choose another name."
        )


def _refuse_circle(files: CheckpointFiles) -> None:
    """Refuse weights that were tuned, by way of registered ones, from themselves.

    Metadata is no part of the weights' hash, so anybody can write that.
    """
    ancestor = files.metadata.get("parent_sha256") or None
    seen = set()
    while ancestor is not None and ancestor not in seen:
        if ancestor == files.sha256:
            raise BadInputError(
                f"{files.directory} names itself among the checkpoints it was tuned from (sha256 "
                f"{ancestor[:12]}…); copy the checkpoint again as the trainer wrote it."
            )
        seen.add(ancestor)
        found = Checkpoint.objects.filter(sha256=ancestor).values_list("parent_id", flat=True)
        ancestor = found.first()


def _take_into_registry(files: CheckpointFiles, is_ours: bool) -> None:
    """Put the verified files at CHECKPOINT_DIR/<sha256>, whole or not at all."""
    target = Path(settings.CHECKPOINT_DIR) / files.sha256
    if target.exists():
        return
    if is_ours:
        _move(files.directory, target)
        return
    with quarantine() as folder:
        _copy(files, folder / "verified")
        _move(folder / "verified", target)


def _move(verified: Path, target: Path) -> None:
    try:
        verified.rename(target)
    except OSError:
        if not target.exists():  # else another process was faster, with the same weights
            raise


def _copy(files: CheckpointFiles, to: Path) -> None:
    """Copy what was verified and nothing else; the source may change meanwhile."""
    for name in files.paths:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.directory / name, target, follow_symlinks=False)
    if inspect(to).sha256 != files.sha256:
        raise BadInputError(f"{files.directory} changed while it was copied; try again.")
