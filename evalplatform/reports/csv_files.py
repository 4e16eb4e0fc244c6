"""votes.csv and checks.csv: a row an answer, traceable; groups.csv: a row an estimate.

filtered.csv: a row a pair that the safety filter kept from annotators. samples.csv: a row a prompt
that annotators were shown, with both its images.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

from evalplatform.annotation.models import Assignment, Outcome
from evalplatform.campaigns.models import Campaign
from evalplatform.core.spreadsheets import spreadsheet_safe
from evalplatform.reports.exports import VERDICT_MEASURES
from evalplatform.reports.results import CampaignResults
from evalplatform.reports.safety import filtered_records
from evalplatform.reports.samples import sample_records
from evalplatform.reports.selectors import VOTE_FIELDS, check_answers, vote_rows
from evalplatform.stats import Verdicts, WinRates

VOTE_COLUMNS = [
    "campaign", "vote_id", "criterion", "comparison", "prompt_set", "prompt_set_version",
    "prompt_text", "category", "challenge", "tags", "slot", "annotator", "outcome", "choice",
    "a_on_left", "response_time_ms", "is_simulated", "voted_at", "checkpoint_a", "checkpoint_b",
    "checkpoint_a_sha256", "checkpoint_b_sha256", "sample_a_sha256", "sample_b_sha256", "seed",
    "protocol_sha256", "counts", "excluded_by", "too_fast", "viewport_width", "viewport_height",
    "pixel_ratio", "zoomed", "prompt_position", "prompt_tokens_a", "tokens_read_a",
    "prompt_tokens_b", "tokens_read_b", "simulated_as",
]  # fmt: skip
CHECK_COLUMNS = [
    "campaign", "vote_id", "purpose", "criterion", "annotator", "passed", "outcome", "choice",
    "a_on_left", "comparison", "first_outcome", "gold_position", "gold_origin", "prompt_text",
    "response_time_ms", "too_fast", "is_simulated", "voted_at", "excluded_by", "protocol_sha256",
    "simulated_as",
]  # fmt: skip

GROUP_COLUMNS = [
    "campaign", "simulated", "checkpoint_a", "checkpoint_b", "criterion", "by", "name", "estimand",
    "measure", "value", "se", "low", "high", "level", "df", "n_votes", "n_prompts", "n_annotators",
    "n_effective", "design_effect", "state", "reason", "p_value", "p_holm", "tests_in_family",
    "untested", "method", "protocol_sha256", "simulated_note",
]  # fmt: skip
FILTERED_COLUMNS = [
    "campaign", "prompt_set", "prompt_set_version", "prompt_text", "category", "challenge", "side",
    "score_a", "score_b", "threshold", "detector", "detector_version", "weights_sha256",
    "checkpoint_a", "checkpoint_b", "sample_a", "sample_b", "sample_a_sha256", "sample_b_sha256",
    "seed", "protocol_sha256",
]  # fmt: skip
SAMPLE_COLUMNS = [
    "campaign", "prompt_set", "prompt_set_version", "prompt_position", "prompt_text",
    "read_in_full_by_both", "identical", "seed", "checkpoint_a", "sample_a", "sha256_a",
    "one_colour_a", "prompt_tokens_a", "tokens_read_a", "checkpoint_b", "sample_b", "sha256_b",
    "one_colour_b", "prompt_tokens_b", "tokens_read_b", "protocol_sha256",
]  # fmt: skip
MEASURES = ("win", "tie", "lose", "net", "half", "decided")


def votes_csv(results: CampaignResults) -> str:
    """Return every stored vote on a comparison as CSV; `counts` is 1 where it counts, else 0."""
    campaign = results.campaign
    constant = {
        "campaign": campaign.slug,
        "checkpoint_a": campaign.checkpoint_a.name,
        "checkpoint_b": campaign.checkpoint_b.name,
        "checkpoint_a_sha256": campaign.checkpoint_a.sha256,
        "checkpoint_b_sha256": campaign.checkpoint_b.sha256,
        "protocol_sha256": campaign.protocol_sha256,
    }
    rows = (dict(zip(VOTE_FIELDS, row, strict=True)) for row in vote_rows(campaign))
    return _csv(
        VOTE_COLUMNS,
        (
            row
            | constant
            | {"tags": ",".join(row["tags"]), "counts": int(row["excluded_by"] is None)}  # type: ignore[arg-type]
            | _common(campaign, row)
            for row in rows
        ),
    )


def checks_csv(results: CampaignResults) -> str:
    """Return every answer to a gold pair or a repeat as CSV.

    For gold, outcome A is the better image and `a_on_left` says where it stood; `passed` is 1
    where it was chosen. For a repeat, `passed` is 1 where the outcome is the first one; it is
    empty where the first vote was taken back.
    """
    campaign = results.campaign
    constant = {"campaign": campaign.slug, "protocol_sha256": campaign.protocol_sha256}
    return _csv(
        CHECK_COLUMNS,
        (
            row
            | constant
            | {
                "criterion": row["gold_criterion"] or row["comparison_criterion"],
                "prompt_text": row["gold_prompt"] or row["comparison_prompt"],
                "passed": _passed(row),
            }
            | _common(campaign, row)
            for row in check_answers(campaign)
        ),
    )


def groups_csv(results: CampaignResults) -> str:
    """Return every estimate as CSV: of prompt sets (votes, prompt means, verdicts) and of groups.

    `by` is "prompts", "category" or "challenge". p_value and p_holm are of net = 0 and stand with
    net; p_holm is adjusted for all categories and challenges of the criterion.
    """
    campaign = results.campaign
    constant = {
        "campaign": campaign.slug,
        "simulated": int(results.is_simulated),
        "simulated_note": results.simulated_stamp,
        "checkpoint_a": campaign.checkpoint_a.name,
        "checkpoint_b": campaign.checkpoint_b.name,
        "protocol_sha256": campaign.protocol_sha256,
    }
    records: list[dict[str, Any]] = []
    for group in results.groups:
        place = {"criterion": group.criterion, "by": "prompts", "name": group.prompts}
        for rates in (group.rates, group.prompt_means):
            p = group.test.p_value if rates is group.rates else None
            records += _measures(rates, MEASURES, constant | place, {"p_value": p})
        records += _measures(group.verdicts, VERDICT_MEASURES, constant | place, {})
    for each in results.categories:
        test = each.test
        place = {"criterion": each.criterion, "by": test.kind, "name": test.name}
        tested = {
            "p_value": test.p_value,
            "p_holm": test.p_holm,
            "tests_in_family": test.n_tests,
            "untested": test.reason,
        }
        records += _measures(test.rates, MEASURES, constant | place, tested)
    return _csv(GROUP_COLUMNS, records)


def filtered_csv(results: CampaignResults) -> str:
    """Return every pair the safety filter took out as CSV, without rows where there is none.

    `side` says whose image is unsafe: A, B or both. `sample_a` and `sample_b` are the samples'
    numbers, under which a signed-in researcher can open them.
    """
    campaign = results.campaign
    constant = {
        "campaign": campaign.slug,
        "checkpoint_a": campaign.checkpoint_a.name,
        "checkpoint_b": campaign.checkpoint_b.name,
        "protocol_sha256": campaign.protocol_sha256,
    }
    records = filtered_records(results.safety) if results.safety else ()
    return _csv(FILTERED_COLUMNS, (record | constant for record in records))


def samples_csv(results: CampaignResults) -> str:
    """Return every prompt shown as CSV: what its two images are, and how much of it was read.

    Tokens are empty where nothing is known of how a checkpoint reads.
    """
    campaign = results.campaign
    constant = {
        "campaign": campaign.slug,
        "checkpoint_a": campaign.checkpoint_a.name,
        "checkpoint_b": campaign.checkpoint_b.name,
        "protocol_sha256": campaign.protocol_sha256,
    }
    return _csv(SAMPLE_COLUMNS, (record | constant for record in sample_records(campaign)))


def _measures(
    rates: WinRates | Verdicts,
    measures: tuple[str, ...],
    constant: dict[str, Any],
    tested: dict[str, Any],
) -> list[dict[str, Any]]:
    records = []
    for measure in measures:
        estimate = vars(getattr(rates, measure)) | {"measure": measure}
        if measure == "net":
            estimate |= tested
        records.append(constant | {key: _cell(value) for key, value in estimate.items()})
    return records


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _passed(row: dict[str, object]) -> int | str:
    if row["purpose"] != Assignment.Purpose.REPEAT:
        return int(row["outcome"] == Outcome.A)
    return int(row["outcome"] == row["first_outcome"]) if row["first_outcome"] else ""


def _common(campaign: Campaign, row: dict[str, Any]) -> dict[str, object]:
    time = row["response_time_ms"]
    least = campaign.checked_rules.quality.min_response_ms
    return {
        "voted_at": row["voted_at"].isoformat(),
        "excluded_by": row["excluded_by"] or "",
        "too_fast": "" if time is None else int(time < least),
    }


def _csv(columns: list[str], records: Iterable[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        # A cell that starts like a formula would be run by a spreadsheet.
        writer.writerow({key: spreadsheet_safe(value) for key, value in record.items()})
    return buffer.getvalue()
