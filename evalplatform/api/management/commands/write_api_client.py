"""Write the generated half of the Python client."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from evalplatform.api.client_code import client_code
from evalplatform.api.openapi import schema
from evalplatform.core.commands import PlatformCommand

TARGET = Path("clients/python/evalplatform_client/_generated.py")


class Command(PlatformCommand):
    help = "Write the Python client's types and methods anew, from the schema of the API."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", type=Path, default=Path(settings.BASE_DIR) / TARGET, help="file to write"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        options["to"].write_text(formatted(client_code(schema())), encoding="utf-8")
        self.stdout.write(f"{options['to']} is written")


def formatted(code: str) -> str:
    """Return code in the project's style, as `ruff format` gives it."""
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "100", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    return done.stdout
