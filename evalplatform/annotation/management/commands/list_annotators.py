"""Who did how much, for paying them, and what they answered at the end."""

import csv
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.annotation.selectors import questionnaire_answers, roster
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.spreadsheets import spreadsheet_safe


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

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        table = csv.writer(self.stdout, lineterminator="")
        if options["questionnaire"]:
            names = [question.name for question in campaign.checked_rules.questionnaire]
            table.writerow(["pseudonym", *names])
            for pseudonym, answers in questionnaire_answers(campaign):
                table.writerow(
                    [pseudonym, *(spreadsheet_safe(answers.get(name, "")) for name in names)]
                )
            return
        table.writerow(["platform", "external_id", "pseudonym", "judged", "status"])
        table.writerows(roster(campaign))
