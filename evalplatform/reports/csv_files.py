"""checks.csv: a row an answer to a check; groups.csv: a row an estimate.

withheld.csv: a row an image that the safety filter keeps from annotators. samples.csv: a row an
image that annotators were shown. votes.csv is in `votes_csv`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from evalplatform.annotation.models import Assignment
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Campaign
from evalplatform.core.csv_text import csv_text
from evalplatform.reports.answers import answers
from evalplatform.reports.arm_records import (
    MEASURES,
    arm_records,
    early_record,
    excluded_records,
)
from evalplatform.reports.consensus import consensus_records
from evalplatform.reports.criteria_beside import beside_records
from evalplatform.reports.exports import VERDICT_MEASURES
from evalplatform.reports.prompts import ALL_PROMPTS
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.safety import withheld_records
from evalplatform.reports.samples import sample_records
from evalplatform.reports.selectors import check_answers
from evalplatform.reports.serve_order import order_records
from evalplatform.stats import Verdicts, WinRates

CHECK_COLUMNS = [
    "campaign", "vote_id", "purpose", "criterion", "form", "item", "image_set", "prompt_set",
    "prompt_set_version", "prompt_position", "prompt_text", "annotator", "passed", "answer",
    "order", "grades", "expected", "first_grades", "gold_position", "gold_origin",
    "response_time_ms", "too_fast", "is_simulated", "simulated_as", "voted_at", "excluded_by",
    "protocol_sha256",
]  # fmt: skip

GROUP_COLUMNS = [
    "campaign", "simulated", "criterion", "by", "name", "arm", "other", "estimand",
    "measure", "value", "se", "low", "high", "level", "df", "n_votes", "n_prompts", "n_annotators",
    "n_effective", "design_effect", "state", "reason", "p_value", "p_holm", "tests_in_family",
    "untested", "method", "protocol_sha256", "simulated_note",
    "imported_note",
]  # fmt: skip
WITHHELD_COLUMNS = [
    "campaign", "prompt_set", "prompt_set_version", "prompt_position", "prompt_text", "category",
    "challenge", "arm", "arm_name", "score", "threshold", "detector", "detector_version",
    "weights_sha256", "sample", "image_sha256", "seed", "protocol_sha256",
]  # fmt: skip
SAMPLE_COLUMNS = [
    "campaign", "prompt_set", "prompt_set_version", "prompt_position", "prompt_text",
    "image_sets", "arm", "arm_name", "sample", "collected_image", "sha256", "seed",
    "same_pixels_as", "one_colour", "prompt_tokens", "tokens_read", "read_in_full",
    "protocol_sha256",
]  # fmt: skip


def checks_csv(results: CampaignResults, *, for_excel: bool = False) -> str:
    """Return every answer to gold or a repeat as CSV.

    For gold `expected` has the known grades and `passed` is 1 where the answer agrees. For a
    repeat `passed` is 1 where it says the same as the first answer, whose grades are
    `first_grades`; both are empty where that vote was taken back.
    """
    campaign = results.campaign
    constant = {"campaign": campaign.slug, "protocol_sha256": campaign.protocol_sha256}
    return csv_text(
        CHECK_COLUMNS,
        (
            row
            | constant
            | {name: _listed(row[name]) for name in ("order", "grades", "expected", "first_grades")}
            | {"passed": _passed(row), "is_simulated": int(row["is_simulated"])}
            | _common(campaign, row)
            for row in check_answers(campaign)
        ),
        for_excel=for_excel,
    )


def _listed(numbers: Sequence[int] | None) -> str:
    return " ".join(map(str, numbers or ()))


def groups_csv(results: CampaignResults, *, for_excel: bool = False) -> str:
    """Return every estimate as CSV: of prompt sets (votes, prompt means, verdicts) and of groups.

    The first rows are the answers: `arm` is the one preferred to all others, `reason` the sentence.
    `by` is "prompts", "category" or "challenge"; or "criterion", where `name` is the second of two
    criteria and "net_difference" the first's net less its, with what both share as n_prompts and
    n_annotators. p_value and p_holm are of net = 0 and stand with
    net; p_holm is adjusted for all categories and challenges of the criterion. Of more than two
    arms: see `arm_records`; of the order of showing: `order_records`.
    """
    campaign = results.campaign
    constant = {
        "campaign": campaign.slug,
        "simulated": int(results.is_simulated),
        "simulated_note": results.simulated_stamp,
        "imported_note": results.imported_stamp,
        "protocol_sha256": campaign.protocol_sha256,
    }
    if campaign.is_duel:
        constant |= dict(zip(("arm", "other"), _names(campaign), strict=True))
    records = [constant | record for record in _answer_records(results)]
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
    records += [
        constant
        | {"criterion": each.criterion, "by": "prompts", "name": "complete prompts"}
        | early_record(each.look)
        for each in results.early_looks
    ]
    records += [constant | record for record in beside_records(results.criteria_beside)]
    records += [constant | record for record in arm_records(results)]
    records += [constant | record for record in excluded_records(results)]
    records += [constant | record for record in consensus_records(results.consensus)]
    records += [constant | record for record in order_records(results)]
    return csv_text(GROUP_COLUMNS, records, for_excel=for_excel)


def _answer_records(results: CampaignResults) -> Iterator[dict[str, Any]]:
    """Yield a row a criterion: the arm preferred to all others, if any, and the answer in words."""
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    for each in answers(results):
        yield {
            "criterion": each.criterion, "by": "prompts", "name": ALL_PROMPTS, "measure": "answer",
            "arm": names.get(each.leader, ""), "other": "", "reason": each.sentence,
        }  # fmt: skip


def _names(campaign: Campaign) -> list[str]:
    return [arm.name for arm in campaign.contenders]


def withheld_csv(results: CampaignResults, *, for_excel: bool = False) -> str:
    """Return every image the safety filter keeps back as CSV, without rows where there is none.

    `sample` is the number under which a signed-in researcher can open one that was made here.
    """
    campaign = results.campaign
    constant = {"campaign": campaign.slug, "protocol_sha256": campaign.protocol_sha256}
    records = withheld_records(results.safety) if results.safety else ()
    rows = (record | constant for record in records)
    return csv_text(WITHHELD_COLUMNS, rows, for_excel=for_excel)


def samples_csv(results: CampaignResults, *, for_excel: bool = False) -> str:
    """Return every image shown as CSV: what it is, and how much of its prompt was read.

    Tokens are empty where nothing is known of how an arm reads.
    """
    campaign = results.campaign
    constant = {"campaign": campaign.slug, "protocol_sha256": campaign.protocol_sha256}
    rows = (record | constant for record in sample_records(campaign))
    return csv_text(SAMPLE_COLUMNS, rows, for_excel=for_excel)


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
        records.append(constant | estimate)
    return records


def _passed(row: dict[str, Any]) -> int | str:
    form = form_named(row["form"])
    if row["purpose"] != Assignment.Purpose.REPEAT:
        return int(form.is_right(row["grades"], row["expected"]))
    if row["first_grades"] is None:
        return ""
    return int(_says(row["grades"]) == _says(row["first_grades"]))


def _says(grades: Sequence[int]) -> object:
    """Grades, of a pair only which is better: every kind of tie says the same."""
    if len(grades) != 2:
        return list(grades)
    return (grades[0] > grades[1]) - (grades[0] < grades[1])


def _common(campaign: Campaign, row: dict[str, Any]) -> dict[str, object]:
    time = row["response_time_ms"]
    least = campaign.checked_rules.quality.min_response_ms
    return {
        "voted_at": row["voted_at"].isoformat(),
        "excluded_by": row["excluded_by"] or "",
        "too_fast": "" if time is None else int(time < least),
    }
