"""From a haystack of drawings to a tuned model that is judged blind, on this machine."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.core import processes
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.demo import steps as shared
from evalplatform.demo.needles import steps
from evalplatform.demo.needles.steps import NeedlesDemo

STEPS: list[tuple[str, Callable[[NeedlesDemo], str]]] = [
    ("Start database, site and worker", shared.start_services),
    ("Build the captioned emoji data set", shared.build_dataset),
    ("Plant damage, words and near-duplicates among the drawings", steps.plant_needles),
    ("Score every image; leave a pool by rules", steps.filter_by_rules),
    ("Bring the pool and the parent", steps.bring_pool),
    ("Generalists, simulated, drop what is mediocre", steps.generalists_spare),
    ("Specialists, simulated, keep the very best", steps.specialists_choose),
    ("Captions, written and approved by simulated people", steps.captions_written),
    ("Export; draw as many at random beside it", steps.export_and_draw),
    ("Tune the parent on both", steps.tune_both),
    ("Judge the children blind, by simulated annotators", steps.judge_blind),
    ("Report", steps.write_results),
]


class Command(PlatformCommand):
    help = (
        "Run curation end to end: a haystack with planted damage, rules, simulated generalists and "
        "specialists, captions, export, quality-tuning and a blind comparison with the parent and "
        "with tuning on images drawn at random. Interrupted, it resumes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
        parser.add_argument(
            "--detach", action="store_true", help="stop everything at the end instead of serving"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["port"] <= 65535:
            raise BadInputError(f"port {options['port']} is out of range; accepted: 1 to 65535.")
        demo = NeedlesDemo(port=options["port"])
        with shared.exclusive(demo):
            try:
                self._run_steps(demo)
            finally:
                if options["detach"]:
                    self.stdout.write(f"stopped: {', '.join(processes.stop_all())}")

    def _run_steps(self, demo: NeedlesDemo) -> None:
        began = time.monotonic()
        for number, (title, step) in enumerate(STEPS, start=1):
            self.stdout.write(self.style.MIGRATE_HEADING(f"[{number}/{len(STEPS)}] {title}"))
            started = time.monotonic()
            told = step(demo)
            self.stdout.write(f"      {told}  ({time.monotonic() - started:.1f} s)")
        self.stdout.write("")
        self.stdout.write((demo.folder / "results.txt").read_text())
        self.stdout.write(f"{time.monotonic() - began:.0f} seconds in all")
