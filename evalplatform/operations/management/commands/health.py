"""Say whether each part of the installation works."""

import json
import sys
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.core.commands import PlatformCommand
from evalplatform.operations.health import HealthState, PartHealth, is_ready, look_at_all


class Command(PlatformCommand):
    help = (
        "Look at the database and its tables, the image store, the broker, the workers and the "
        "disk, from this machine and with these settings; say of each whether it works, how long "
        "it took and what to do. Ends with status 1 where one failed that pages need. It starts "
        "nothing. Over HTTP: /readyz."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        parts = look_at_all()
        if options["json"]:
            report = {"ready": is_ready(parts), "parts": [_told(part) for part in parts]}
            self.stdout.write(json.dumps(report, indent=2))
        else:
            for part in parts:
                self.stdout.write(
                    f"{part.name:9} {part.state.value:9} {part.milliseconds:7.1f} ms  {part.said}"
                )
                if part.state is not HealthState.OK:
                    self.stdout.write(f"{'':9} → {part.for_command()}")
        if not is_ready(parts):
            sys.exit(1)


def _told(part: PartHealth) -> dict[str, Any]:
    return part.as_dict() | {"advice": part.for_command()}
