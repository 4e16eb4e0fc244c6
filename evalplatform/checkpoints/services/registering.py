"""Registering checkpoints."""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.db.models import QuerySet

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import usable_in
from evalplatform.checkpoints.layout import CheckpointFiles, inspect, renamed_table
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.quarantine import quarantine
from evalplatform.checkpoints.services.assembling import assemble
from evalplatform.checkpoints.services.loading import refuse_unloadable
from evalplatform.checkpoints.verification.archives import Limits, is_archive, unpack
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.telling import tell_nobody

logger = logging.getLogger(__name__)
Made = Callable[[Checkpoint], None]


def register_checkpoint(
    *,
    project: Project,
    source: Path,
    config: Path | None = None,
    name: str | None = None,
    role: str | None = None,
    made: Made = tell_nobody,
) -> tuple[Checkpoint, bool]:
    """Verify a directory, an archive of one, or a single file; take it into a project's registry.

    `config` belongs to a single .safetensors file: the directory of a pipeline's configurations,
    or its archive.

    Returns its row and whether it is new: the same weights are registered once. Name and role
    default to what the trainer recorded. Nothing of it is loaded; until it has passed, an archive
    lies in a quarantine that is emptied whatever happens. `made` is told a new row, in the
    transaction that makes it.

    Raises `BadInputError` for what is refused, with the reason.
    """
    with quarantine() as folder:
        files = verified(source, config, folder)
        is_ours = files.directory.is_relative_to(folder)
        chosen = name or str(files.metadata.get("name", "")) or name_of(source)
        return enter_registry(
            files, project=project, name=chosen, role=role, is_ours=is_ours, made=made
        )


def verified(source: Path, config: Path | None, folder: Path) -> CheckpointFiles:
    """Unpack or put together in `folder` what is not a directory yet, and inspect it.

    Raises `BadInputError` also where inspecting breaks off: what was not understood is refused.
    """
    limits = Limits(bytes=min(settings.CHECKPOINT_MAX_BYTES, shutil.disk_usage(folder).free))
    try:
        if config is not None:
            return inspect(assemble(source, config, folder, limits))
        if source.is_file() and is_archive(source):
            return inspect(unpack(source, folder, limits))
        return inspect(source)
    except (EvalPlatformError, OSError):
        raise
    except Exception as error:
        logger.exception("%s could not be verified", source)
        raise BadInputError(
            f"{source.name} could not be verified ({type(error).__name__}: {shown(error)}); the "
            "log has more. Save the checkpoint again, and report this if it stays."
        ) from error


def enter_registry(
    files: CheckpointFiles,
    *,
    project: Project,
    name: str,
    role: str | None,
    is_ours: bool,
    origin: dict[str, str] | None = None,
    made: Made = tell_nobody,
) -> tuple[Checkpoint, bool]:
    """Take verified files into the registry; return their row and whether it is new.

    `is_ours`: nobody else can have changed the files since, and they are moved, not copied.
    `origin` says where the files came from, beyond what the trainer recorded. `made` is told a new
    row, in the transaction that makes it.
    """
    known = known_weights(project, Checkpoint.objects.filter(sha256=files.sha256))
    if known:
        return _known(known, project, origin or {}), False
    chosen_role = role or str(files.metadata.get("role", Checkpoint.Role.EXTERNAL))
    check_name_and_role(name, chosen_role)
    check_is_free(name, project)
    _refuse_circle(files)
    with _ready(files, is_ours) as directory:
        refuse_unloadable(directory, "the checkpoint" if is_ours else str(files.directory))
        return _record(files, directory, project, name, chosen_role, origin or {}, made)


def known_weights(project: Project, found: QuerySet[Checkpoint]) -> Checkpoint | None:
    """Return the first of the registered checkpoints that were found, or None.

    Raises `BadInputError` where it is another project's, and no more of it than that.
    """
    known = found.first()
    if known and not usable_in(project, Checkpoint.objects.filter(pk=known.pk)).exists():
        raise BadInputError(
            "these weights are registered in another project; ask an operator of this site, who "
            "can have them shared."
        )
    return known


def _known(checkpoint: Checkpoint, project: Project, origin: dict[str, str]) -> Checkpoint:
    """Keep where the same weights were found, if nothing was known of it."""
    if origin and not checkpoint.origin and checkpoint.project_id == project.pk:
        checkpoint.origin = origin
        checkpoint.save(update_fields=["origin"])
    return checkpoint


def name_of(source: Path) -> str:
    if is_archive(source):
        return source.name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", source.resolve().name.removesuffix(".safetensors"))


def _record(
    files: CheckpointFiles,
    directory: Path,
    project: Project,
    name: str,
    role: str,
    origin: dict[str, str],
    made: Made,
) -> tuple[Checkpoint, bool]:
    """Write the row and move the files to CHECKPOINT_DIR/<sha256>: both, or neither."""
    try:
        with transaction.atomic():
            checkpoint, is_new = Checkpoint.objects.get_or_create(
                sha256=files.sha256,
                defaults={
                    "project": project,
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
            if is_new:
                made(checkpoint)
                _move(directory, checkpoint.directory)
            else:  # another process registered them just now, maybe for another project
                known_weights(project, Checkpoint.objects.filter(pk=checkpoint.pk))
    except IntegrityError as error:
        check_is_free(name, project)  # another process took it just now
        reason = _first_line(error)
        raise BadInputError(f"{files.directory} cannot be recorded: {reason}") from error
    except DataError as error:
        raise BadInputError(
            f"{files.directory} says something that cannot be stored ({_first_line(error)}); copy "
            "the checkpoint again as it was saved."
        ) from error
    return checkpoint, is_new


def _first_line(error: Exception) -> str:
    return shown(str(error).partition("\n")[0], 200)


def check_name_and_role(name: str, role: str) -> None:
    """Refuse a name that cannot be one and an unknown role. Raises `BadInputError`."""
    if role not in Checkpoint.Role.values:
        accepted = ", ".join(Checkpoint.Role.values)
        raise BadInputError(f"role {shown(role)!r} is not one of {accepted}.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) or not name.strip("-_"):
        raise BadInputError(
            f"{shown(name)!r} cannot name a checkpoint; use letters, digits, hyphens and "
            "underscores, at most 80."
        )


def check_is_free(name: str, project: Project) -> None:
    """Refuse the name of other weights. Raises `BadInputError`."""
    taken = Checkpoint.objects.filter(name=name).first()
    if taken and taken.project_id != project.pk:
        raise BadInputError(f"the name {name!r} is taken in another project; choose another name.")
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


@contextmanager
def _ready(files: CheckpointFiles, is_ours: bool) -> Iterator[Path]:
    """Yield a directory that holds what was verified and nothing else, to be moved."""
    if is_ours and files.is_as_kept:
        yield files.directory
        return
    with quarantine() as folder:
        _copy(files, folder / "verified")
        yield folder / "verified"


def _move(verified: Path, target: Path) -> None:
    """Without a row, what lies at `target` was left by a process that was killed."""
    if target.exists():
        shutil.rmtree(target)
    verified.rename(target)


def _copy(files: CheckpointFiles, to: Path) -> None:
    """Copy what was verified and nothing else; the source may change meanwhile."""
    for kept, name in files.sources.items():
        target = to / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        table = renamed_table(files.directory, kept, name)
        if table is None:
            source = (files.directory / name).resolve()  # of a hub's cache, where the link leads
            shutil.copyfile(source, target, follow_symlinks=False)
        else:
            target.write_bytes(table)
    if inspect(to).sha256 != files.sha256:
        raise BadInputError(f"{files.directory} changed while it was copied; try again.")
