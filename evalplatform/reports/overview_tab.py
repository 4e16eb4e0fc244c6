"""The tab that a campaign opens with: the answer of each criterion, and how far voting is."""

from typing import Any

from django.urls import reverse

from evalplatform.campaigns.models import Campaign
from evalplatform.core.components import AnswerCard, ForestRow
from evalplatform.reports.answers import Finding, answers, few_annotators
from evalplatform.reports.cells import early_net
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.gallery_page import grade_ends, grade_rows, strength_rows
from evalplatform.reports.orders import look_in_words
from evalplatform.reports.result_types import CampaignResults, CriterionLook, GroupResult
from evalplatform.reports.results_tab import images_address, net_row, vote_bar
from evalplatform.reports.table import complete
from evalplatform.stats.pairs.sequential import ASSUMES


def overview_context(results: CampaignResults, *, offline: bool = False) -> dict[str, Any]:
    """Return what `reports/tabs/_overview.html` shows."""
    return {
        "completeness": results.completeness,
        "cards": answer_cards(results, offline=offline),
        "early_looks": _early_looks(results),
        "early_assumes": ASSUMES,
        "few_annotators": few_annotators(results),
    }


def answer_cards(results: CampaignResults, *, offline: bool = False) -> list[AnswerCard]:
    """Return a card for each criterion with votes that count, in the campaign's order."""
    asked = {each.slug: each.question for each in results.campaign.criteria.all()}
    parts: list[Any] = [*results.groups, *results.galleries, *results.gradings]
    wholes = {each.criterion: each for each in parts if not each.depth}
    links = ("", "")
    if not offline:
        links = (reverse("reports:results", args=[results.campaign.slug]), images_address(results))
    return [
        _card(results, finding, wholes[finding.criterion], asked[finding.criterion], links)
        for finding in answers(results)
    ]


def _card(
    results: CampaignResults, finding: Finding, whole: Any, question: str, links: tuple[str, str]
) -> AnswerCard:
    """One criterion's card; `links` lead to all results and to the images, or nowhere."""
    href, images = links
    looks = {each.criterion: each for each in results.early_looks}
    caution = few_annotators(results)
    shared: dict[str, Any] = {
        "title": finding.criterion_label,
        "question": question,
        "sentence": finding.sentence,
        "leader": finding.leader,
        "notes": [caution] if caution else [],
        "stamp": results.short_stamp,
        "href": href,
    }
    if isinstance(whole, GroupResult):
        return AnswerCard(**shared, **_of_pairs(results, whole, looks.get(whole.criterion), images))
    return AnswerCard(**shared, **_of_order(results, whole, images))


def _of_pairs(
    results: CampaignResults, whole: GroupResult, look: CriterionLook | None, images: str
) -> dict[str, Any]:
    groups = [each for each in results.groups if each.criterion == whole.criterion]
    return {
        "rows": [net_row(each, images) for each in groups],
        "bar": vote_bar(whole) if whole.rates.tally.total else [],
        "bar_title": "Votes",
        "early": _early(look) if look else "",
        "early_title": (
            "Voting was stopped early"
            if results.campaign.status == Campaign.Status.CLOSED
            else "Voting is not finished"
        ),
        "facts": [
            ("Votes", f"{whole.rates.tally.total:,}"),
            ("People", f"{results.n_annotators:,}"),
            ("Complete sets", complete(whole.verdicts)),
        ],
    }


def _early(look: CriterionLook) -> str:
    sequence = look.look.sequence
    return (
        "The intervals below promise too much when they are read again and again. What may be "
        f"read at every look: net {early_net(sequence)} % on {sequence.n_prompts:,} complete "
        f"prompts; "
        f"{look_in_words(look.look)}."
    )


def _of_order(
    results: CampaignResults, whole: GalleryResult | GradeResult, images: str
) -> dict[str, Any]:
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    facts = [("Votes", f"{whole.n_votes:,}"), ("People", f"{results.n_annotators:,}")]
    if isinstance(whole, GalleryResult):
        return {"scale": "strength", "rows": strength_rows(whole, names, images), "facts": facts}
    rows = grade_rows(whole, names, images)
    return {"scale": "grade", "rows": rows, "facts": facts, "ends": grade_ends(whole)}


def mini_row(results: CampaignResults) -> ForestRow | None:
    """Return the net preference on all prompts of the first criterion; None without one."""
    for group in results.groups:
        if not group.depth and group.rates.tally.total:
            return net_row(group)
    return None


def _early_looks(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "n": each.look.sequence.n_prompts,
            "net": early_net(each.look.sequence),
            "says": look_in_words(each.look),
        }
        for each in results.early_looks
    ]
