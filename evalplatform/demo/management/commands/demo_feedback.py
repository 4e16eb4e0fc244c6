"""From rankings to rewards to tuned checkpoints and their proof, on this machine."""

import os
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.checkpoints.services.standby import standing_by
from evalplatform.core import processes
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.demo import controls, loop_report, loop_steps, steps
from evalplatform.demo.loop_steps import LoopDemo
from evalplatform.demo.walking import seconds_line, walk

STEPS: list[tuple[str, Callable[[LoopDemo], str]]] = [
    ("Start database, site and worker", steps.start_services),
    ("Register the recorded checkpoints", loop_steps.register_recorded),
    ("Import prompts to rank on and to prove on", loop_steps.import_prompts),
    ("Sample the gallery", loop_steps.fill_gallery),
    ("Begin the loop: generate and open the ranking", loop_steps.start_loop),
    ("Rank, by simulated annotators of a known utility", loop_steps.vote_on_gallery),
    ("Learn rewards, and their judge", loop_steps.train_rewards),
    ("Begin the controls, beside what follows", controls.begin),
    ("Tune a child on pairs", loop_steps.tune_child),
    ("Put the child in, and let annotators check its places", loop_steps.expand),
    ("Second round", loop_steps.second_round),
    ("Take in the controls: by rewards, too far, by a random reward", controls.take_in),
    ("Prove the children against their parents", loop_steps.prove),
    ("Report", loop_report.write_report),
]


class Command(PlatformCommand):
    help = (
        "Rehearse a feedback loop with small models and simulated annotators of a known utility: "
        "gallery, rankings, rewards, children, two rounds, proof, controls. What they value is "
        "arithmetic, so that what was gained can be computed; it is no evidence of quality. "
        "Interrupted, it resumes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
        parser.add_argument(
            "--over-steps", type=int, default=LoopDemo.over_steps, metavar="N",
            help="steps of the control that is tuned too far, a multiple of 4 (%(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--over-rate", type=float, default=LoopDemo.over_rate, metavar="RATE",
            help="its learning rate (%(default)s; the children's is 1e-4)",
        )  # fmt: skip
        parser.add_argument(
            "--detach", action="store_true", help="stop everything at the end instead of serving"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["port"] <= 65535:
            raise BadInputError(f"port {options['port']} is out of range; accepted: 1 to 65535.")
        if options["over_steps"] < 8 or options["over_steps"] % 4:
            raise BadInputError(
                f"--over-steps {options['over_steps']}: accepted are multiples of 4 from 8, e.g. "
                "400."
            )
        demo = LoopDemo(
            port=options["port"], over_steps=options["over_steps"], over_rate=options["over_rate"]
        )
        # Programs run beside each other, one thread each: with more they would wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with steps.exclusive(demo), standing_by():
            try:
                walk(self, demo, STEPS)
                self.stdout.write("")
                self.stdout.write((demo.folder / loop_report.REPORT).read_text(encoding="utf-8"))
                self._say_where(demo, options["detach"])
            finally:
                if options["detach"]:
                    self.stdout.write(f"stopped: {', '.join(processes.stop_all())}")

    def _say_where(self, demo: LoopDemo, detach: bool) -> None:
        password_file = steps.researcher_account(demo)
        self.stdout.write(seconds_line(demo))
        self.stdout.write(f"{'report':14} {demo.folder / loop_report.REPORT}")
        if not detach:
            page = site_link(loop_steps.round_of(1).loop.get_absolute_url())
            self.stdout.write(
                f"{'lineage':14} {page}  (user researcher, password in {password_file})"
            )
            self.stdout.write("The site keeps running; `make stop` ends it.")
