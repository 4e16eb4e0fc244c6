"""results.json and votes.csv: the same facts as the dashboard, for other programs."""

import csv
import dataclasses
import io
from enum import Enum
from typing import Any

from evalplatform import stats
from evalplatform.reports.results import CampaignResults
from evalplatform.reports.selectors import vote_table

FORMAT = "evalplatform-results/1"
CSV_COLUMNS = [
    "campaign", "vote_id", "criterion", "comparison", "prompt_set", "prompt_set_version",
    "prompt_text", "category", "challenge", "tags", "slot", "annotator", "outcome", "choice",
    "a_on_left", "response_time_ms", "is_simulated", "voted_at", "checkpoint_a", "checkpoint_b",
    "checkpoint_a_sha256", "checkpoint_b_sha256", "sample_a_sha256", "sample_b_sha256", "seed",
    "protocol_sha256",
]  # fmt: skip


def results_json(results: CampaignResults) -> dict[str, Any]:
    """Return the results as plain JSON values; undefined numbers are null beside their reason."""
    campaign = results.campaign
    return {
        "format": FORMAT,
        "simulated": results.is_simulated,
        "simulated_note": results.simulated_stamp,
        "campaign": campaign.slug,
        "status": campaign.status,
        "code_version": results.code_version,
        "made_at": results.made_at.isoformat(),
        "protocol_sha256": campaign.protocol_sha256,
        "protocol": campaign.protocol,
        "a": campaign.checkpoint_a.name,
        "b": campaign.checkpoint_b.name,
        "comparisons": results.completeness.comparisons,
        "votes": results.completeness.votes,
        "votes_wanted": results.completeness.votes_wanted,
        "surplus_votes": results.completeness.surplus_votes,
        "annotators": results.n_annotators,
        "simulated_votes": results.n_simulated_votes,
        "median_response_ms": results.median_response_ms,
        "side_bias": _plain(results.side_bias),
        "groups": [
            {
                "criterion": group.criterion,
                "prompts": group.prompts,
                "k": group.k,
                "votes": _rates(group.rates),
                "verdicts": _verdicts(group.verdicts),
                "test": _plain(group.test),
                "agreement": _plain(group.agreement),
            }
            for group in results.groups
        ],
        "exploratory": [
            {
                "criterion": each.criterion_label,
                "by": each.kind,
                "name": each.name,
                "votes": _rates(each.rates),
            }
            for each in results.categories
        ],
    }


def _rates(rates: stats.WinRates) -> dict[str, Any]:
    return {
        "counts": _plain(rates.tally),
        "estimand": rates.estimand,
        "level": rates.level,
        **{
            name: _plain(getattr(rates, name))
            for name in ("win", "tie", "lose", "net", "half", "decided")
        },
    }


def _verdicts(verdicts: stats.Verdicts) -> dict[str, Any]:
    return {
        "rule": verdicts.rule,
        "counts": _plain(verdicts.tally),
        **{name: _plain(getattr(verdicts, name)) for name in ("win", "tie", "lose", "net")},
    }


def _plain(value: Any) -> Any:
    """Return a frozen result as dictionaries, lists and JSON scalars."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return value


def votes_csv(results: CampaignResults) -> str:
    """Return every vote that counts as CSV, one row each, with what is needed to trace it."""
    campaign = results.campaign
    table = vote_table(campaign)
    constant = {
        "campaign": campaign.slug,
        "checkpoint_a": campaign.checkpoint_a.name,
        "checkpoint_b": campaign.checkpoint_b.name,
        "checkpoint_a_sha256": campaign.checkpoint_a.sha256,
        "checkpoint_b_sha256": campaign.checkpoint_b.sha256,
        "protocol_sha256": campaign.protocol_sha256,
    }
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    names = list(table.columns)
    for row in table.rows(names):
        record = dict(zip(names, row, strict=True)) | constant
        record["tags"] = ",".join(record["tags"])  # type: ignore[arg-type]
        record["voted_at"] = record["voted_at"].isoformat()  # type: ignore[attr-defined]
        # A cell that starts like a formula would be run by a spreadsheet.
        writer.writerow({key: _safe_cell(value) for key, value in record.items()})
    return buffer.getvalue()


def _safe_cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return "'" + value
    return value
