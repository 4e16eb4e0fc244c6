"""Train a checkpoint and register it."""

import argparse
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.checkpoints.selectors import refuse_retired_parent
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.checkpoints.services.standby import backend_command
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Train a checkpoint with the included trainer, in a process of its own, and register the "
        "result. The same as `python -m models_backend.train CONFIG` followed by "
        "`manage.py register_checkpoint`. An interrupted run resumes where it stopped; a finished "
        "one is not run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("config", type=Path, help="TOML file, see models_backend/configs/")
        parser.add_argument("--name", help="name in the registry (default: as in the config)")
        add_project_option(parser)
        parser.add_argument("--no-register", action="store_true", help="train only")
        parser.add_argument(
            "trainer_options",
            nargs="*",
            metavar="-- OPTION",
            help="after `--`: options for the trainer, e.g. -- --data DIR --out DIR",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_of(options)
        directory = run_trainer(options["config"], options["trainer_options"])
        self.stdout.write(f"trained {directory}")
        if not options["no_register"]:
            checkpoint, _ = register_checkpoint(
                project=project, source=directory, name=options["name"]
            )
            self.stdout.write(f"registered {checkpoint.name}, sha256 {checkpoint.sha256}")


def run_trainer(config: Path, trainer_options: list[str]) -> Path:
    """Run the trainer; return the checkpoint directory it names."""
    return Path(run_backend("models_backend.train", [str(config), *trainer_options])[-1])


def run_backend(module: str, arguments: list[str]) -> list[str]:
    """Run a program of the models backend, its progress on our stderr; return what it prints.

    A process of its own keeps torch out of this one. Its exit status becomes ours. Raises
    `BadInputError` for a parent that was retired.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--parent", type=Path)
    parent = parser.parse_known_args(arguments)[0].parent
    if parent is not None:
        refuse_retired_parent(settings.BASE_DIR / parent)  # where the program runs
    command = backend_command(module, arguments)
    finished = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR, check=False
    )
    if finished.returncode:
        # The trainer has already said why, on stderr.
        raise CommandError("training did not finish", returncode=finished.returncode)
    return finished.stdout.strip().splitlines()
