"""Two campaigns side by side: on each criterion they share, the difference of their nets."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from rich import box
from rich.console import Console
from rich.table import Table

from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.reports.cells import p_value, percent, percent_interval
from evalplatform.reports.selectors import simulated_as
from evalplatform.reports.stats_votes import is_duel, of_criterion, pair_votes
from evalplatform.reports.table import WIDTH
from evalplatform.stats import NetDifference, compare_nets, plain
from evalplatform.tallies.selectors import live_numbers

# Both campaigns' votes are read while somebody waits: of more it takes seconds.
MOST_VOTES = 20_000
FORMAT = "evalplatform-comparison/2"
_NOTE = (
    "Net: share of votes for A less share for B, in per cent, A and B being each campaign's own. "
    "Difference: first less second, in percentage points, with its 95 % interval; prompts and "
    "annotators that both share are accounted for. Votes that do not count are left out."
)


@dataclass(frozen=True)
class CriterionComparison:
    """One criterion that both campaigns ask."""

    criterion: str
    criterion_label: str
    difference: NetDifference


@dataclass(frozen=True)
class Comparison:
    """Two campaigns on their shared criteria."""

    first: Campaign
    second: Campaign
    criteria: list[CriterionComparison]
    simulated: list[str]  # slugs of the campaigns that hold simulated votes
    simulated_as: list[str]  # what their annotators say of themselves

    @property
    def imported_notes(self) -> list[str]:
        """What must stand where one of the two holds votes that were cast elsewhere."""
        notes = [each.imported_note for each in (self.first, self.second)]
        return [note for note in notes if note]

    @property
    def simulated_stamp(self) -> str:
        if not self.simulated:
            return ""
        whose = f" ({'; '.join(self.simulated_as)})" if self.simulated_as else ""
        where = " and ".join(self.simulated)
        return f"SIMULATED: votes in {where} were not cast by people{whose}."


def quick_comparison(first: Campaign, second: Campaign) -> Comparison:
    """Compare while somebody waits. Raises `BadInputError` where there are too many votes, too."""
    now = timezone.now()
    votes = sum(live_numbers(each, now).votes for each in (first, second))
    if votes > MOST_VOTES:
        raise BadInputError(
            f"They have {votes:,} votes, and {MOST_VOTES:,} at most are compared while somebody "
            "waits; ask an operator to compare them (docs/reports.md)."
        )
    return compare_campaigns(first, second)


def compare_campaigns(first: Campaign, second: Campaign) -> Comparison:
    """Compare the votes that count. Raises `BadInputError` where there is nothing to compare."""
    if first.pk == second.pk:
        raise BadInputError(f"{first.slug!r} was given twice; name two different campaigns.")
    for each in (first, second):
        _refuse_gallery(each)
    tables = {each.pk: vote_columns(each) for each in (first, second)}
    counting = {key: table.counting() for key, table in tables.items()}
    found = []
    for criterion in first.criteria.all():
        other = second.criteria.filter(slug=criterion.slug).first()
        if other is None or not (is_duel(first, criterion) and is_duel(second, other)):
            continue
        one = of_criterion(counting[first.pk], criterion)
        two = of_criterion(counting[second.pk], other)
        if len(one) and len(two):
            difference = compare_nets(pair_votes(one), pair_votes(two))
            found.append(CriterionComparison(criterion.slug, criterion.label, difference))
    if not found:
        raise BadInputError(
            f"{first.slug!r} and {second.slug!r} have no criterion on which both have votes that "
            "count; compare campaigns that ask the same question."
        )
    simulated = [each for each in (first, second) if tables[each.pk].is_simulated.any()]
    return Comparison(
        first, second, found, [each.slug for each in simulated], simulated_as(simulated)
    )


def _refuse_gallery(campaign: Campaign) -> None:
    if not campaign.is_duel:
        raise BadInputError(
            f"{campaign.slug!r} has {len(campaign.contenders)} arms; a net preference is of two. "
            "Name two campaigns of two arms each."
        )


def comparison_table(comparison: Comparison) -> str:
    """Return the comparison as a table of plain text."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    if comparison.simulated_stamp:
        console.print(comparison.simulated_stamp)
    for note in comparison.imported_notes:
        console.print(note, markup=False)
    for name, one in (("first", comparison.first), ("second", comparison.second)):
        arms = "   ".join(f"{arm.letter} = {arm.name}" for arm in one.contenders)
        console.print(f"{name}: {one.slug}   {arms}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("criterion", no_wrap=True)
    for heading in ("net %, first", "net %, second", "difference", "p", "shared prompts, people"):
        table.add_column(heading, justify="right")
    for each in comparison.criteria:
        found = each.difference
        table.add_row(
            each.criterion_label,
            percent(found.first, signed=True),
            percent(found.second, signed=True),
            percent_interval(found.value, found.low, found.high, found.state, signed=True),
            p_value(found.p_value),
            f"{found.n_shared_prompts:,}, {found.n_shared_annotators:,}",
        )
    console.print(table)
    for each in comparison.criteria:
        if each.difference.reason:
            console.print(f"{each.criterion_label}: {each.difference.reason}")
    console.print(_NOTE)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain JSON values; undefined numbers are null."""
    return {
        "format": FORMAT,
        "simulated_note": comparison.simulated_stamp,
        "imported_notes": comparison.imported_notes,
        "campaigns": [
            {
                "campaign": each.slug,
                "arms": [arm.name for arm in each.contenders],
                "protocol_sha256": each.protocol_sha256,
            }
            for each in (comparison.first, comparison.second)
        ],
        "criteria": [
            {"criterion": each.criterion, "net_difference": plain(each.difference)}
            for each in comparison.criteria
        ],
    }
