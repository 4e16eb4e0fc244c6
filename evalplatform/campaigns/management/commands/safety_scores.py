"""List what the safety detector said of a campaign's samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.models import Arm, Campaign, Picture
from evalplatform.campaigns.selectors import all_pictures, campaign_named, ready_sets
from evalplatform.core.commands import PlatformCommand, add_for_excel
from evalplatform.core.csv_text import csv_text
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.promptsets.models import PromptSet
from evalplatform.safety.models import SafetyCheck
from evalplatform.safety.selectors import checks_of, covering_detector, safety_progress

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
        text = scores_csv(campaign, for_excel=options["for"] == "excel")
        if options["output"]:
            write_whole(options["output"], text)
            self.stdout.write(f"wrote {options['output']}")
        else:
            self.stdout.write(text, ending="")


def scores_csv(campaign: Campaign, *, for_excel: bool = False) -> str:
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
    prompt_sets = {each.pk: each for each in campaign.prompt_sets.all()}
    rows = {
        (arm.place, picture.pk): _row(arm, picture, checks[picture.image_sha256])
        | _prompt(picture, prompt_sets)
        for each in sets
        for arm, picture in zip(each.arms, each.pictures, strict=True)
    }
    surest_first = sorted(rows.items(), key=lambda item: (-item[1]["score"], item[0]))
    records = (row | {"detector": str(detector)} for _, row in surest_first)
    return csv_text(COLUMNS, records, for_excel=for_excel)


def _row(arm: Arm, picture: Picture, check: SafetyCheck) -> dict[str, Any]:
    seen = sorted(check.labels.items(), key=lambda item: -item[1])
    return {
        "score": check.score,
        "arm": arm.letter,
        "labels": ", ".join(f"{label} {score}" for label, score in seen),
        "name": arm.name,
        "sample": picture.pk if arm.checkpoint_id else "",
        "image_sha256": picture.image_sha256,
    }


def _prompt(picture: Picture, prompt_sets: Mapping[int, PromptSet]) -> dict[str, Any]:
    prompt = picture.prompt
    assert prompt  # an image that belongs to a set answers a prompt
    prompt_set = prompt_sets[prompt.prompt_set_id]
    return {
        "prompt_set": prompt_set.name,
        "prompt_set_version": prompt_set.version,
        "prompt_position": prompt.position,
        "prompt_text": prompt.text,
    }
