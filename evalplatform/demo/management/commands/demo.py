"""From nothing to a win / tie / lose table, on this machine."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse

from evalplatform.core import processes
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.demo import steps
from evalplatform.demo.steps import Demo
from evalplatform.demo.walking import seconds_line, walk

STEPS: list[tuple[str, Callable[[Demo], str]]] = [
    ("Start database, site and worker", steps.start_services),
    ("Build the captioned emoji data set", steps.build_dataset),
    ("Train and register three checkpoints", steps.train_checkpoints),
    ("Import prompts", steps.import_prompts),
    ("Draw a contact sheet", steps.draw_contact_sheet),
    ("Run the evaluation: generate and open", steps.run_main_campaign),
    ("Vote, by simulated annotators", steps.vote_by_simulation),
    ("Report", steps.write_report),
    ("Hold the annotators against real drawings and people", steps.measure_rehearsal),
    ("Open a campaign for you", steps.open_second_campaign),
]


class Command(PlatformCommand):
    help = (
        "Run the main job end to end with small models trained on emoji art: data, training, "
        "samples, simulated votes, statistics, dashboard. Interrupted, it resumes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
        parser.add_argument(
            "--retrain",
            action="store_true",
            help="train every checkpoint here instead of starting from recorded weights (slow)",
        )
        parser.add_argument(
            "--parti", metavar="FILE", help="PartiPrompts.tsv, file or URL, to compare on it too"
        )
        parser.add_argument(
            "--detach", action="store_true", help="stop everything at the end instead of serving"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["port"] <= 65535:
            raise BadInputError(f"port {options['port']} is out of range; accepted: 1 to 65535.")
        demo = Demo(port=options["port"], retrain=options["retrain"], parti=options["parti"])
        with steps.exclusive(demo):
            try:
                outcome = walk(self, demo, STEPS)
                self._say_what_is_there(demo, outcome["Open a campaign for you"], options["detach"])
            finally:
                if options["detach"]:
                    self.stdout.write(f"stopped: {', '.join(processes.stop_all())}")

    def _say_what_is_there(self, demo: Demo, link: str, detach: bool) -> None:
        password_file = steps.researcher_account(demo)
        self.stdout.write("")
        self.stdout.write((demo.folder / "results.txt").read_text())
        self.stdout.write((demo.folder / steps.REHEARSAL).read_text())
        self.stdout.write(seconds_line(demo))
        for label, path in (
            ("contact sheet", "contact-sheet.png"),
            ("dashboard", "dashboard.html"),
            ("votes", "votes.csv"),
            ("results", "results.json"),
        ):
            self.stdout.write(f"{label:14} {demo.folder / path}")
        if not detach:
            self.stdout.write(f"{'vote yourself':14} {link}")
            self.stdout.write(
                f"{'read results':14} {site_link(reverse('reports:campaign_list'))}  "
                f"(user researcher, password in {password_file})"
            )
            self.stdout.write("The site keeps running; `make stop` ends it.")
