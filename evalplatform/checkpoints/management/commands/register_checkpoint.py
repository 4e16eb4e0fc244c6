"""Register a checkpoint."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.checkpoints.hub.listing import PREFIX, HubId
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint, register_from_hub
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError


class Command(PlatformCommand):
    help = (
        "Verify a checkpoint and take it into the registry. Accepted: a directory the trainer "
        "wrote, a local diffusers pipeline (model_index.json, safetensors weights), a .zip, .tar, "
        ".tar.gz or .tgz of one, a single .safetensors file in the model's original layout with "
        "--config, or hub:ORG/NAME[@REVISION], which is downloaded (HF_TOKEN for "
        "private models); interrupted, it goes on where it stopped. Registering the same weights "
        "again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", help="directory, archive, or hub:ORG/NAME[@REVISION]")
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
        hub = parser.add_argument_group("from a hub")
        hub.add_argument("--revision", help="branch, tag or commit (default: the main branch)")
        hub.add_argument(
            "--variant", help="take this variant's weights where there are any, e.g. fp16"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["source"].startswith(PREFIX):
            if options["config"]:
                raise BadInputError("--config is for a single file on this machine, not for a hub.")
            checkpoint, created = self._from_hub(options)
        else:
            _refuse(options, "revision", "variant")
            checkpoint, created = register_checkpoint(
                project=project_of(options),
                source=Path(options["source"]),
                config=options["config"],
                name=options["name"],
                role=options["role"],
            )
        self.stdout.write(
            f"{'registered' if created else 'already registered:'} {checkpoint.name} "
            f"({checkpoint.get_role_display().lower()}, {checkpoint.family}"
            f"{_lineage(checkpoint)}), "
            f"{checkpoint.parameter_count / 1e6:,.1f} M parameters, "
            f"{checkpoint.size_bytes / 1e6:,.1f} MB, sha256 {checkpoint.sha256}"
        )

    def _from_hub(self, options: dict[str, Any]) -> tuple[Checkpoint, bool]:
        hub_id = HubId.parse(options["source"], options["revision"])
        with tqdm(desc=hub_id.repo, unit="B", unit_scale=True, leave=False) as bar:

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


def _refuse(options: dict[str, Any], *names: str) -> None:
    for name in names:
        if options[name]:
            raise BadInputError(f"--{name} is for hub:ORG/NAME; {options['source']} is none.")
