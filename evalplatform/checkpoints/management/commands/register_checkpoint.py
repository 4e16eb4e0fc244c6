"""Register a checkpoint."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.checkpoints.hub.listing import PREFIX, HubId
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.checkpoints.services import (
    Lora,
    register_checkpoint,
    register_chosen,
    register_from_hub,
    register_fused,
)
from evalplatform.checkpoints.verification.partial import WEIGHTS, holds_averages
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError

_PARTS = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2")


class Command(PlatformCommand):
    help = (
        "Verify a checkpoint and take it into the registry. Accepted: a directory the trainer "
        "wrote, a local diffusers pipeline (model_index.json, safetensors weights), a .zip, .tar, "
        ".tar.gz or .tgz of one, a single .safetensors file in the model's original layout with "
        "--config, or hub:ORG/NAME[@REVISION], which is downloaded (HF_TOKEN for "
        "private models); interrupted, it goes on where it stopped. Registering the same weights "
        "again changes nothing. With --base, a LoRA, a U-Net or another part that somebody trained "
        "is put into a registered checkpoint, and the result registered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source", nargs="?", help="directory, archive, or hub:ORG/NAME[@REVISION]"
        )
        parser.add_argument("--name", help="name in the registry (default: as trained)")
        parser.add_argument(
            "--role",
            choices=Checkpoint.Role.values,
            help="role (default: as trained; external for a diffusers pipeline)",
        )
        parser.add_argument(
            "--config",
            type=Path,
            help="of a single .safetensors file: a diffusers pipeline's directory (its "
            "configurations; weights only of what the file lacks), a zip or tar of it, or its "
            "model_index.json",
        )
        add_project_option(parser)
        _add_options_of_fusing(parser)
        hub = parser.add_argument_group("from a hub")
        hub.add_argument("--revision", help="branch, tag or commit (default: the main branch)")
        hub.add_argument(
            "--variant", help="take this variant's weights where there are any, e.g. fp16"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["base"]:
            checkpoint, created = self._fused(options)
        else:
            _refuse(options, "a base: give its name with --base", *_PARTS, "lora", "scale")
            checkpoint, created = self._complete(options)
        self.stdout.write(
            f"{'registered' if created else 'already registered:'} {checkpoint.name} "
            f"({checkpoint.get_role_display().lower()}, {checkpoint.family}"
            f"{_lineage(checkpoint)}), "
            f"{checkpoint.parameter_count / 1e6:,.1f} M parameters, "
            f"{checkpoint.size_bytes / 1e6:,.1f} MB, sha256 {checkpoint.sha256}"
        )
        for line in checkpoint.made_from:
            self.stdout.write(f"  {line}")
        if options["name"] and options["name"] != checkpoint.name:
            self.stdout.write(
                f"  its name stays {checkpoint.name}: the same weights are one checkpoint, and "
                f"{options['name']} names no copy of them"
            )

    def _complete(self, options: dict[str, Any]) -> tuple[Checkpoint, bool]:
        if options["source"] is None:
            raise BadInputError("give what to register: a directory, an archive, hub:ORG/NAME.")
        if options["source"].startswith(PREFIX):
            _refuse(options, "a checkpoint on this machine, not for a hub", "config", "weights")
            return self._from_hub(options)
        _refuse(options, "hub:ORG/NAME", "revision", "variant")
        where = {
            "project": project_of(options), "source": Path(options["source"]),
            "config": options["config"], "name": options["name"], "role": options["role"],
        }  # fmt: skip
        if options["weights"]:
            return register_chosen(**where, weights=options["weights"], say=self._say)
        checkpoint, created = register_checkpoint(**where)
        if any(map(holds_averages, {where["source"], checkpoint.directory})):
            self._say(
                "the plain weights were taken; there are averaged ones too: --weights ema takes "
                "those."
            )
        return checkpoint, created

    def _fused(self, options: dict[str, Any]) -> tuple[Checkpoint, bool]:
        if options["source"]:
            raise BadInputError(
                f"{options['source']} or --base: with a base, give --lora, --unet, --vae or the "
                "like."
            )
        _refuse(options, "a checkpoint without --base", "config", "revision", "variant")
        if not options["name"]:
            raise BadInputError("give --name, the name of what is made from the base.")
        project = project_of(options)
        return register_fused(
            project=project,
            base=registered_checkpoint(options["base"], project),
            loras=_loras(options["lora"], options["scale"]),
            parts={name: options[name] for name in _PARTS if options[name]},
            weights=options["weights"],
            name=options["name"],
            role=options["role"],
            say=self._say,
        )

    def _say(self, what: str) -> None:
        self.stderr.write(what)

    def _from_hub(self, options: dict[str, Any]) -> tuple[Checkpoint, bool]:
        hub_id = HubId.parse(options["source"], options["revision"])
        with tqdm(desc=hub_id.repo, unit="B", unit_scale=True, disable=None, leave=False) as bar:

            def progress(here: int, total: int) -> None:
                bar.total = total
                bar.update(here - bar.n)

            return register_from_hub(
                project=project_of(options),
                hub_id=hub_id,
                variant=options["variant"],
                name=options["name"],
                role=options["role"],
                progress=progress,
            )


def _lineage(checkpoint: Checkpoint) -> str:
    """Say what it was tuned from, and what of the registry was tuned from it."""
    said = ""
    if checkpoint.registered_parent:
        said += f", tuned from {checkpoint.registered_parent}"
    elif checkpoint.parent_sha256:
        said += (
            f", tuned from a checkpoint that is not registered (sha256 "
            f"{checkpoint.parent_sha256[:12]}…; it is linked when it is)"
        )
    children = ", ".join(child.name for child in checkpoint.children.order_by("name"))
    return said + (f", parent of {children}" if children else "")


def _add_options_of_fusing(parser: CommandParser) -> None:
    group = parser.add_argument_group("from a registered base")
    group.add_argument("--base", help="name of the checkpoint that is changed")
    group.add_argument(
        "--lora", type=Path, action="append", help="a LoRA's file or folder; may be repeated"
    )
    group.add_argument(
        "--scale", type=float, action="append", help="of each --lora, in its order (default: 1)"
    )
    for name in _PARTS:
        group.add_argument(
            f"--{name.replace('_', '-')}", type=Path, help=f"take this {name}: its folder or file"
        )
    group.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="averaged (unet_ema/, model_ema.*) or plain weights, where there are both; also of a "
        "source without --base",
    )


def _loras(files: list[Path] | None, scales: list[float] | None) -> list[Lora]:
    files = files or []
    scales = scales or [1.0] * len(files)
    if len(scales) != len(files):
        raise BadInputError(
            f"{len(scales)} --scale for {len(files)} --lora; give one for each, in the same order, "
            "or none."
        )
    return [Lora(*pair) for pair in zip(files, scales, strict=True)]


def _refuse(options: dict[str, Any], belongs_to: str, *names: str) -> None:
    for name in names:
        if options[name]:
            raise BadInputError(f"--{name.replace('_', '-')} is for {belongs_to}.")
