"""List what the safety detector said of a campaign's samples."""

import csv
import io
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named, sample_pairs
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.spreadsheets import spreadsheet_safe
from evalplatform.generation.models import SafetyCheck
from evalplatform.generation.safety_selectors import covering_detector, safety_progress

COLUMNS = (
    "score", "side", "prompt_text", "labels", "checkpoint", "sample", "image_sha256", "detector",
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
    pairs = sample_pairs(campaign)
    samples = [sample for pair in pairs for sample in pair]
    detector = campaign.safety_detector or covering_detector(rules.detector, samples)
    if detector is None:
        progress = safety_progress(rules.detector, samples)
        raise BadInputError(
            f"{campaign.slug!r}: {progress.checked:,} of {progress.total:,} samples are checked by "
            f"{rules.detector!r}; `manage.py run_eval --resume {campaign.slug}` has the others "
            "checked."
        )
    sides = {sample.pk: side for pair in pairs for sample, side in zip(pair, "AB", strict=True)}
    checks = SafetyCheck.objects.filter(detector=detector, sample__in=sides)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for check in checks.select_related("sample__prompt", "sample__checkpoint").order_by(
        "-score", "pk"
    ):
        row = _row(check, sides[check.sample_id]) | {"detector": str(detector)}
        writer.writerow({key: spreadsheet_safe(value) for key, value in row.items()})
    return buffer.getvalue()


def _row(check: SafetyCheck, side: str) -> dict[str, Any]:
    seen = sorted(check.labels.items(), key=lambda item: -item[1])
    return {
        "score": check.score,
        "side": side,
        "prompt_text": check.sample.prompt.text,
        "labels": ", ".join(f"{label} {score}" for label, score in seen),
        "checkpoint": check.sample.checkpoint.name,
        "sample": check.sample_id,
        "image_sha256": check.sample.image_sha256,
    }
