"""List what the safety detector said of a campaign's samples."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.safety_scores import ImageSafety, scored_images
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand, add_for_excel
from evalplatform.core.csv_text import csv_text
from evalplatform.core.files import write_whole

COLUMNS = (
    "score", "arm", "prompt_set", "prompt_set_version", "prompt_position", "prompt_text", "labels",
    "name", "sample", "image_sha256", "detector",
)  # fmt: skip


class Command(PlatformCommand):
    help = (
        "List the safety score of every sample of a campaign as CSV, the surest first: to see what "
        "a threshold takes out, and what comes close to it. It works as soon as every sample is "
        "checked, before the campaign opens too. The column sample is the number under which a "
        "signed-in researcher finds the image, at /models/samples/NUMBER/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of a campaign with a safety filter")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write here instead of printing"
        )
        add_for_excel(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        rows = [_row(each) for each in scored_images(campaign)]
        text = csv_text(COLUMNS, rows, for_excel=options["for"] == "excel")
        if options["output"]:
            write_whole(options["output"], text)
            self.stdout.write(f"wrote {options['output']}")
        else:
            self.stdout.write(text, ending="")


def _row(scored: ImageSafety) -> dict[str, Any]:
    seen = sorted(scored.labels.items(), key=lambda item: -item[1])
    return vars(scored) | {
        "labels": ", ".join(f"{label} {score}" for label, score in seen),
        "sample": "" if scored.sample is None else scored.sample,
    }
