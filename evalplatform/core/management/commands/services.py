"""Start, stop and show the embedded services."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from evalplatform.core import processes
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Run the site on one machine: the embedded PostgreSQL, the web server and one generation "
        "worker, in the background. Logs are in var/log/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status"])
        parser.add_argument(
            "services",
            nargs="*",
            metavar="SERVICE",
            help=f"for start: which of {', '.join(processes.SERVICES)} (default: all)",
        )
        parser.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "stop":
            stopped = processes.stop_all()
            self.stdout.write(f"stopped: {', '.join(stopped) or 'nothing was running'}")
        elif options["action"] == "status":
            for name, state in processes.status().items():
                self.stdout.write(f"{name:10} {state}")
        else:
            self._start(options["services"] or processes.SERVICES, options)

    def _start(self, names: tuple[str, ...] | list[str], options: dict[str, Any]) -> None:
        processes.check_names(names)
        processes.start_postgres()
        if set(names) == {"postgres"}:
            return
        call_command("migrate", verbosity=0)
        if "worker" in names:
            processes.worker().start()
        if "web" in names:
            self.stdout.write(processes.start_web(options["host"], options["port"]))
