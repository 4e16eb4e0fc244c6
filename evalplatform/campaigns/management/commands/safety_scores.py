"""List what the safety detector said of a campaign's samples."""

import csv
import io
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.models import Arm, Campaign, Picture
from evalplatform.campaigns.selectors import all_pictures, campaign_named, ready_sets
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.spreadsheets import spreadsheet_safe
from evalplatform.safety.models import SafetyCheck
from evalplatform.safety.selectors import checks_of, covering_detector, safety_progress

COLUMNS = (
    "score", "arm", "prompt_text", "labels", "name", "sample", "image_sha256", "detector",
)  # fmt: skip


class Command(PlatformCommand):
    help = (
        "List the safety score of every sample of a campaign as CSV, the surest first: to see what "
        "a threshold takes out, and what comes close to it. It works as soon as every sample is "
        "checked, before the campaign opens too. The column sample is the number under which a "
        "signed-in researcher finds the image, at /checkpoints/samples/NUMBER/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of a campaign with a safety filter")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write here instead of printing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        text = scores_csv(campaign_named(options["campaign"]))
        if options["output"]:
            write_whole(options["output"], text)
            self.stdout.write(f"wrote {options['output']}")
        else:
            self.stdout.write(text, ending="")


def scores_csv(campaign: Campaign) -> str:
    """Return the scores as CSV. Raises `BadInputError` without a filter or while one is missing."""
    rules = campaign.checked_rules.safety
    if rules.threshold is None:
        raise BadInputError(
            f"{campaign.slug!r} has no safety filter; give one with `run_eval --safety SCORE`."
        )
    sets = ready_sets(campaign)
    pictures = all_pictures(sets)
    detector = campaign.safety_detector or covering_detector(rules.detector, pictures)
    if detector is None:
        progress = safety_progress(rules.detector, pictures)
        raise BadInputError(
            f"{campaign.slug!r}: {progress.checked:,} of {progress.total:,} samples are checked by "
            f"{rules.detector!r}; `manage.py run_eval --resume {campaign.slug}` has the others "
            "checked."
        )
    checks = {check.image_sha256: check for check in checks_of(detector, pictures)}
    rows = {
        (arm.place, picture.pk): _row(arm, picture, checks[picture.image_sha256])
        for each in sets
        for arm, picture in zip(each.arms, each.pictures, strict=True)
    }
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for _, row in sorted(rows.items(), key=lambda item: (-item[1]["score"], item[0])):
        row |= {"detector": str(detector)}
        writer.writerow({key: spreadsheet_safe(value) for key, value in row.items()})
    return buffer.getvalue()


def _row(arm: Arm, picture: Picture, check: SafetyCheck) -> dict[str, Any]:
    seen = sorted(check.labels.items(), key=lambda item: -item[1])
    return {
        "score": check.score,
        "arm": arm.letter,
        "prompt_text": picture.prompt.text if picture.prompt else "",
        "labels": ", ".join(f"{label} {score}" for label, score in seen),
        "name": arm.name,
        "sample": picture.pk if arm.checkpoint_id else "",
        "image_sha256": picture.image_sha256,
    }
