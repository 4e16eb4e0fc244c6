"""Who did how much, for paying them, and what they answered at the end."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.annotation.selectors import questionnaire_answers, roster
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand, add_for_excel
from evalplatform.core.csv_text import csv_text


class Command(PlatformCommand):
    help = (
        "List a campaign's annotators as CSV: platform, platform id, pseudonym, pairs judged, "
        "status. This is the only output that ties a pseudonym to a platform id. "
        "--questionnaire lists the answers to the questionnaire instead, by pseudonym alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument(
            "--questionnaire", action="store_true", help="the answers to the questionnaire"
        )
        add_for_excel(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        records: list[dict[str, Any]]
        if options["questionnaire"]:
            asked = campaign.checked_rules.questionnaire
            columns = ["pseudonym", *(question.name for question in asked)]
            records = [
                answers | {"pseudonym": pseudonym}
                for pseudonym, answers in questionnaire_answers(campaign)
            ]
        else:
            columns = ["platform", "external_id", "pseudonym", "judged", "status"]
            records = [dict(zip(columns, row, strict=True)) for row in roster(campaign)]
        text = csv_text(columns, records, for_excel=options["for"] == "excel")
        self.stdout.write(text, ending="")
