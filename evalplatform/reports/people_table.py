"""The table of a campaign's annotators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from evalplatform.annotation.models import Settlement
from evalplatform.campaigns.models import Campaign
from evalplatform.core.components.tables import DataTable, TableColumn
from evalplatform.quality.measures import AnnotatorMeasures, Share
from evalplatform.reports.result_types import CampaignResults
from evalplatform.stats import AnnotatorProfile

COLUMNS = (
    TableColumn("annotator", "Annotator", lambda row: row.measures.pseudonym),
    TableColumn("votes", "Votes", lambda row: row.measures.votes, is_number=True, descends=True),
    TableColumn("gold", "Gold right", lambda row: row.measures.gold.value, is_number=True),
    TableColumn(
        "repeats", "Repeats as before", lambda row: row.measures.repeats.value, is_number=True
    ),
    TableColumn(
        "fast", "Too fast", lambda row: row.measures.too_fast.value, is_number=True, descends=True
    ),
    TableColumn(
        "left",
        "Left",
        lambda row: row.measures.left.value,
        is_number=True,
        descends=True,
        help="Of answers for left or right",
    ),
    TableColumn("ties", "Ties", lambda row: row.measures.ties.value, is_number=True, descends=True),
    TableColumn(
        "majority",
        "As the majority",
        lambda row: row.measures.majority.value,
        is_number=True,
        help="Votes as more than half of at least two others",
    ),
    TableColumn(
        "seconds", "Median time", lambda row: row.measures.median_response_ms, is_number=True
    ),
    TableColumn(
        "skips",
        "Skipped",
        lambda row: sum(row.measures.skips.values()),
        is_number=True,
        descends=True,
    ),
    TableColumn("late", "Late", lambda row: row.measures.surplus, is_number=True, descends=True),
    TableColumn(
        "accuracy",
        "Model accuracy",
        lambda row: row.profile and row.profile.accuracy,
        is_number=True,
    ),
    TableColumn(
        "outlier", "Outlier z", lambda row: row.profile and row.profile.outlier_z, is_number=True
    ),
    TableColumn("state", "Counts", lambda row: row.measures.excluded_by or None),
)


@dataclass(frozen=True)
class PersonRow:
    """One annotator: what their answers look like, and how their votes stand beside others'."""

    measures: AnnotatorMeasures
    profile: AnnotatorProfile | None


def people_table(results: CampaignResults, params: QueryDict) -> DataTable:
    """Return everybody enrolled, as the address sorts, searches and pages them."""
    return DataTable(
        COLUMNS,
        [
            PersonRow(each, results.profiles.get(each.pseudonym))
            for each in results.quality.annotators
        ],
        params,
        search=lambda row: f"{row.measures.pseudonym} {row.measures.excluded_by}",
        default="-votes",
        name="people",
    )


def percent_cell(share: Share) -> str:
    """Return a share for a narrow cell; a dash where nothing was asked."""
    return "–" if share.value is None else f"{100 * share.value:.0f} %"


def person_cells(row: PersonRow) -> list[tuple[str, str, bool]]:
    """Return (label, text, is a number) of each cell after the first."""
    each, profile = row.measures, row.profile
    milliseconds = each.median_response_ms
    told = {
        "votes": f"{each.votes:,}",
        "gold": f"{each.gold.hits} of {each.gold.total}" if each.gold.total else "–",
        "repeats": f"{each.repeats.hits} of {each.repeats.total}" if each.repeats.total else "–",
        "fast": percent_cell(each.too_fast),
        "left": percent_cell(each.left),
        "ties": percent_cell(each.ties),
        "majority": percent_cell(each.majority),
        "seconds": "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s",
        "skips": f"{sum(each.skips.values()):,}",
        "late": f"{each.surplus:,}",
        "accuracy": "–" if not profile or profile.accuracy is None else f"{profile.accuracy:.2f}",
        "outlier": "–" if not profile or profile.outlier_z is None else f"{profile.outlier_z:.1f}",
        "state": f"excluded: {each.excluded_by}" if each.excluded_by else "yes",
    }
    return [
        (column.label, told[column.key], column.is_number)
        for column in COLUMNS
        if column.key in told
    ]


def payments(campaign: Campaign) -> list[dict[str, Any]]:
    """Return what was approved or paid to whom by a crowd platform, newest first, by pseudonym."""
    sent = Settlement.objects.filter(visit__enrolment__campaign=campaign).select_related(
        "visit__enrolment__annotator"
    )
    return [
        {
            "annotator": each.visit.enrolment.annotator.pseudonym,
            "kind": each.get_kind_display(),
            "amount": "–" if each.amount is None else f"{each.amount:.2f}",
            "state": each.get_state_display(),
            "sent_at": each.sent_at,
        }
        for each in sent.order_by("-pk")[:200]
    ]
