"""Look at a campaign's annotators, exclude them and take them back."""

import io
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich import box
from rich.console import Console
from rich.table import Table

from evalplatform.annotation.doors.places import shared_places
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import reinstate
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.quality.measures import AnnotatorMeasures, Share
from evalplatform.quality.rings import campaign_rings
from evalplatform.quality.rules import has_exclusion_rules, verdict_on
from evalplatform.quality.selectors import annotator_measures, enrolment_named
from evalplatform.quality.services import exclude_by_hand, review

WIDTH = 132


class Command(PlatformCommand):
    help = (
        "Print what each annotator's answers look like and which of the campaign's rules they "
        "break, and which accounts answer alike by agreement. --apply excludes who breaks a rule, "
        "never who is in a ring; --exclude and --reinstate decide by hand. "
        "Excluded votes stay stored and reported, and their slots are judged anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--apply", action="store_true", help="exclude whoever breaks a rule")
        action.add_argument("--exclude", metavar="PSEUDONYM", help="exclude this annotator")
        action.add_argument("--reinstate", metavar="PSEUDONYM", help="let their votes count again")
        parser.add_argument("--reason", metavar="TEXT", help="with --exclude: why, for the report")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if options["reason"] and not options["exclude"]:
            raise BadInputError("--reason goes with --exclude PSEUDONYM.")
        if options["apply"]:
            self._apply(campaign)
        if options["exclude"]:
            self._exclude(campaign, options["exclude"], options["reason"] or "")
        if options["reinstate"]:
            self._reinstate(campaign, options["reinstate"])
        self.stdout.write(measures_table(campaign), ending="")
        self.stdout.write(rings_in_words(campaign), ending="")
        for place in shared_places(campaign, timezone.now()):
            self.stdout.write(
                f"for information: {counted(len(place.pseudonyms), 'annotator')} began at one "
                "place "
                f"({place.same_browser} with browsers alike): {', '.join(place.pseudonyms)}"
            )

    def _apply(self, campaign: Campaign) -> None:
        now = timezone.now()
        active = campaign.enrolments.exclude(status=Enrolment.Status.DISQUALIFIED)
        for enrolment in active.select_related("annotator", "campaign"):
            exclusion = review(enrolment=enrolment, now=now)
            if exclusion:
                self.stdout.write(f"excluded {enrolment.annotator}: {exclusion.detail}")

    def _exclude(self, campaign: Campaign, pseudonym: str, reason: str) -> None:
        enrolment = enrolment_named(campaign, pseudonym)
        if enrolment.status == Enrolment.Status.DISQUALIFIED:
            raise BadInputError(f"{pseudonym} is excluded already.")
        exclusion = exclude_by_hand(enrolment=enrolment, reason=reason, now=timezone.now())
        self.stdout.write(
            f"excluded {pseudonym}: {counted(exclusion.votes.count(), 'answer')} no longer count"
        )

    def _reinstate(self, campaign: Campaign, pseudonym: str) -> None:
        enrolment = enrolment_named(campaign, pseudonym)
        exclusion = enrolment.exclusions.filter(revoked_at__isnull=True).first()
        if exclusion is None:
            raise BadInputError(f"{pseudonym} is not excluded, so there is nothing to take back.")
        count = reinstate(exclusion=exclusion, now=timezone.now())
        taken = exclusion.votes.count()
        self.stdout.write(
            f"reinstated {pseudonym}: {count} votes count again; {taken} stay out, as somebody "
            "else has judged there since"
        )


def measures_table(campaign: Campaign) -> str:
    """Return the measures of everybody in a campaign as a table of plain text."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    rules = campaign.checked_rules.quality
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("annotator", no_wrap=True)
    for heading in ("votes", "gold\nright", "repeats\nas before", "too\nfast", "left", "tie",
                    "median\ns", "with\nmajority", "skips", "late"):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("excluded", no_wrap=True)
    broken = []
    for each in annotator_measures(campaign):
        table.add_row(*_cells(each), each.excluded_by)
        broken += [f"{each.pseudonym} breaks {b.rule}: {b.detail}" for b in verdict_on(each, rules)]
    console.print(table)
    for line in broken:
        console.print(line)
    if not has_exclusion_rules(rules):
        console.print(
            "The campaign has no exclusion rules for how people judge (docs/campaign-rules.md)."
        )
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def rings_in_words(campaign: Campaign) -> str:
    """Return the rings found among the accounts of a campaign, with what each rests on."""
    found = campaign_rings(campaign)
    if found.reason:
        return f"Rings were not looked for: {found.reason}\n"
    if not found.rings:
        return f"No ring among {found.n_compared:,} accounts (docs/quality.md#rings).\n"
    lines = []
    for ring in found.rings:
        lines.append(ring.sentence)
        lines += [
            f"  {each.pseudonym}{' (simulated)' if each.is_simulated else ''}: "
            f"{each.alike:,} of {each.judged:,}, {each.expected:.0f} expected, "
            f"{'p < 0.001' if each.p_value < 0.001 else f'p = {each.p_value:.3f}'}"
            for each in ring.members
        ]
        if ring.example:
            lines.append(f"  For example {ring.example}.")
    lines += [
        "Nobody is excluded for it: look at them, then --exclude PSEUDONYM --reason TEXT.",
        "`report` gives the results with and without these accounts.",
    ]
    return "\n".join(lines) + "\n"


def _cells(each: AnnotatorMeasures) -> tuple[str, ...]:
    seconds = each.median_response_ms
    return (
        each.pseudonym + (" (simulated)" if each.is_simulated else ""),
        f"{each.votes:,}",
        _of(each.gold),
        _of(each.repeats),
        _percent(each.too_fast),
        _percent(each.left),
        _percent(each.ties),
        "–" if seconds is None else f"{seconds / 1000:.1f}",
        _percent(each.majority),
        str(sum(each.skips.values())),
        str(each.surplus),
    )


def _of(share: Share) -> str:
    return f"{share.hits}/{share.total}" if share.total else "–"


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{100 * share.value:.0f} %"
