"""Quality-tune on nested subsets and register each."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.checkpoints.management.commands.train import run_backend
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Quality-tune on nested random subsets of the tuning list (by default 0, 1/20, 1/2 and all "
        "of it: 0, 100, 1000 and 2000 images in the paper) and register each checkpoint, ready for "
        "one campaign. The same as `python -m models_backend.studies.data_size` followed by "
        "`manage.py register_checkpoint` for each directory it prints."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_project_option(parser)
        parser.add_argument("--no-register", action="store_true", help="train only")
        parser.add_argument(
            "trainer_options",
            nargs="*",
            metavar="OPTION",
            help="TOML file of a quality_tune run, and after `--` options of the trainer, e.g. "
            "TUNE.toml -- --data DIR --parent DIR --sizes 0 20; or -- --family pixel_diffusion",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_of(options)
        arguments = options["trainer_options"]
        for line in run_backend("models_backend.studies.data_size", arguments):
            self.stdout.write(f"trained {line}")
            if not options["no_register"]:
                checkpoint, _ = register_checkpoint(project=project, source=Path(line))
                self.stdout.write(f"registered {checkpoint.name}, sha256 {checkpoint.sha256}")
