"""Register a checkpoint."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Verify a checkpoint and copy it into the registry. Accepted: a directory the trainer "
        "wrote, a local diffusers pipeline (model_index.json, safetensors weights), or a .zip, "
        ".tar, .tar.gz or .tgz of one. Registering the same weights again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="the checkpoint's directory or archive")
        parser.add_argument("--name", help="name in the registry (default: as trained)")
        parser.add_argument(
            "--role",
            choices=Checkpoint.Role.values,
            help="role (default: as trained; external for a diffusers pipeline)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        checkpoint, created = register_checkpoint(
            source=options["source"], name=options["name"], role=options["role"]
        )
        parent = f", tuned from {checkpoint.parent}" if checkpoint.parent else ""
        self.stdout.write(
            f"{'registered' if created else 'already registered:'} {checkpoint.name} "
            f"({checkpoint.get_role_display().lower()}, {checkpoint.family}{parent}), "
            f"{checkpoint.parameter_count / 1e6:,.1f} M parameters, "
            f"{checkpoint.size_bytes / 1e6:,.1f} MB, sha256 {checkpoint.sha256}"
        )
