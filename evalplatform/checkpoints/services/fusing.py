"""A new checkpoint from a registered base and LoRAs or parts for it."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalplatform.accounts.models import Project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.quarantine import quarantine
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.checkpoints.services.registering import (
    Made,
    check_is_free,
    check_name_and_role,
    enter_registry,
    name_of,
    verified,
)
from evalplatform.checkpoints.verification.partial import (
    AVERAGED,
    PartSource,
    averaged_folders,
    lora_file,
    part_source,
)
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from models_backend.checkpoint_format import CARD, LAYOUT_FAMILIES, PIPELINE_INDEX

Say = Callable[[str], None]
PROGRAM = "models_backend.fuse"
_DENOISERS = ("unet", "transformer")
_PIPELINES = {layout.value for layout in LAYOUT_FAMILIES}


@dataclass(frozen=True)
class Lora:
    """A LoRA's file or folder, and how much of it is added."""

    source: Path
    scale: float = 1.0


def register_fused(
    *,
    project: Project,
    base: Checkpoint,
    loras: Sequence[Lora] = (),
    parts: Mapping[str, Path] | None = None,
    weights: str | None = None,
    name: str,
    role: str | None = None,
    say: Say = tell_nobody,
    made: Made = tell_nobody,
) -> tuple[Checkpoint, bool]:
    """Register `base` with parts replaced by name, then LoRAs added, as a checkpoint of its own.

    `weights` chooses `ema` or `plain` where a part, or the base without one, has both.

    Returns its row and whether it is new. Everything given is verified before anything is loaded;
    what is made waits in the quarantine. `made` is told a new row, in the transaction that makes
    it. Raises `BadInputError` for what does not fit.
    """
    check_base(base)
    check_name_and_role(name, role or Checkpoint.Role.EXTERNAL)
    _check_name(name, project, base)
    files = [(lora_file(each.source), each.scale) for each in loras]
    sources = _sources(parts or {}, weights)
    if not (files or sources or weights):
        raise BadInputError(
            "nothing to change in the base: give a LoRA, a part such as a unet or vae, or its "
            "weights.",
            by_command="--lora, --unet, --vae and the like give them.",
        )
    with quarantine() as folder:
        _check_room(base, folder)
        out = folder / "fused"
        arguments = [*_of_parts(sources), *_of_loras(files)]
        if weights and not sources:
            arguments.append(f"--weights={weights}")
        record = _fuse(base.directory, out, arguments, say)
        _write_card(out, name, base, record)
        found = verified(out, None, folder)
        told = {"parent_sha256": base.sha256, "training": record, "licences": base.licences}
        return enter_registry(
            replace(found, metadata=found.metadata | told),
            project=project, name=name, role=role, is_ours=True, made=made,
        )  # fmt: skip


def register_chosen(
    *,
    project: Project,
    source: Path,
    config: Path | None,
    weights: str,
    name: str | None = None,
    role: str | None = None,
    say: Say = tell_nobody,
    made: Made = tell_nobody,
) -> tuple[Checkpoint, bool]:
    """Register the `ema` or the `plain` weights of a pipeline, or a single file, that has both.

    Returns its row and whether it is new; `made` is told a new one, in the transaction that makes
    it. Raises `BadInputError` as `register_checkpoint` does, and where there are no such weights.
    """
    with quarantine() as folder:
        files = verified(source, config, folder)
        if files.family not in _PIPELINES:
            raise BadInputError(f"weights are chosen of diffusers' pipelines; {source} is ours.")
        for averaged in averaged_folders(files.directory):
            part_source(averaged, files.directory, AVERAGED)
        record = _fuse(files.directory, folder / "chosen", [f"--weights={weights}"], say)
        found = verified(folder / "chosen", None, folder)
        return enter_registry(
            replace(found, metadata=found.metadata | {"training": record}),
            project=project, name=name or name_of(source), role=role, is_ours=True, made=made,
        )  # fmt: skip


def _fuse(base: Path, out: Path, arguments: list[str], say: Say) -> dict[str, Any]:
    """Run the program that fuses; return its record of what it did."""
    printed = ask_backend(PROGRAM, [base, out, *arguments, "--while-stdin"], say=say)
    record: dict[str, Any] = json.loads(printed[-1])
    return record


def can_be_base(checkpoint: Checkpoint) -> bool:
    """Whether diffusers loads it whole, so that LoRAs and parts can go into it."""
    is_pipeline = checkpoint.family in _PIPELINES
    return is_pipeline or (checkpoint.directory / PIPELINE_INDEX).is_file()


def check_base(base: Checkpoint) -> None:
    """Raise `BadInputError` for a checkpoint that nothing can be put into."""
    if base.status == Checkpoint.Status.RETIRED:
        raise BadInputError(
            f"the base {base.name!r} was retired on {base.retired_at:%Y-%m-%d}; restore it, or "
            "give another.",
            by_command=f"`manage.py retire_checkpoint {base.name} --restore` restores it.",
        )
    if not can_be_base(base):
        raise BadInputError(
            f"the base {base.name!r} is of the family {base.family}, which diffusers cannot load "
            "whole; LoRAs and parts go into diffusers pipelines and single files."
        )
    if not base.directory.is_dir():
        raise BadInputError(
            f"the files of the base {base.name!r} are not in the registry's folder; an operator "
            "can bring them back, or give another base."
        )


def _check_name(name: str, project: Project, base: Checkpoint) -> None:
    """Refuse a taken name before hours of work, but not the same work done again."""
    if not base.children.filter(name=name).exists():
        check_is_free(name, project)


def _sources(parts: Mapping[str, Path], weights: str | None) -> dict[str, PartSource]:
    """Return where each part's weights lie; averaged ones are meant of a denoiser, or of all."""
    meant = [component for component in parts if component in _DENOISERS] or list(parts)
    return {
        component: part_source(component, source, weights if component in meant else None)
        for component, source in parts.items()
    }


def _check_room(base: Checkpoint, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < base.size_bytes:
        raise BadInputError(
            f"{base.name!r} has {base.size_bytes:,} bytes and {free:,} are free in "
            f"{folder.parent}; make room for a second copy."
        )


def _of_loras(files: list[tuple[Path, float]]) -> list[str]:
    return [
        argument
        for file, scale in files
        for argument in ("--lora", str(file.absolute()), f"--scale={scale!r}")
    ]


def _of_parts(sources: dict[str, PartSource]) -> list[str]:
    arguments = []
    for component, source in sources.items():
        kind = f":{source.weights}" if source.weights else ""
        arguments += ["--part", f"{component}{kind}={source.path.absolute()}"]
    return arguments


def _write_card(out: Path, name: str, base: Checkpoint, record: dict[str, Any]) -> None:
    lines = [f"# {name}", "", f"Made from {base.name} (content sha256 `{base.sha256}`):", ""]
    for part in record.get("parts", []):
        kind = f", {part['weights']} weights" if "weights" in part else ""
        lines.append(
            f"- {part['component']} replaced by {shown(part['source'])} (sha256 "
            f"`{part['sha256']}`{kind})"
        )
    for lora in record.get("adapters", []):
        lines.append(
            f"- LoRA {shown(lora['file'])} (sha256 `{lora['sha256']}`) added by {lora['scale']:g}"
        )
    if not (record.get("parts") or record.get("adapters")):
        lines.append(f"- its {record['weights']} weights")
    card = base.directory / CARD
    if card.is_file():
        lines += ["", "## Card of the base", "", card.read_text(encoding="utf-8", errors="replace")]
    (out / CARD).write_text("\n".join(lines) + "\n", encoding="utf-8")
