"""How far people agree about two images: one person against the rest, and of rankings W and tau."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.gallery import Gallery, GalleryResult, GradeResult
from evalplatform.reports.stats_votes import of_criterion


@dataclass(frozen=True)
class CriterionConsensus:
    """One criterion of pairs or rankings, on all its prompts.

    `orders` are Kendall's W and mean tau-b of rankings of as many images as each says; none of
    pairs, for which both say no more than the share of agreement.
    """

    criterion: str
    criterion_label: str
    form: str
    one_person: stats.OneAgainstRest
    orders: tuple[stats.GradedAgreement, ...]


def consensus(
    campaign: Campaign,
    table: AnswerColumns,
    gallery: Gallery,
    found: Sequence[GalleryResult | GradeResult],
) -> Iterator[CriterionConsensus]:
    """Yield it for each criterion with votes; `found` are the results on criteria of many arms."""
    wholes = {each.criterion: each for each in found if each.depth == 0}
    for criterion in campaign.criteria.all():
        votes = of_criterion(table, criterion)
        if criterion.shape.most < 2 or not len(votes):
            continue
        one_person = stats.one_against_rest(gallery.graded(votes))
        if one_person is None:
            continue
        whole = wholes.get(criterion.slug)
        yield CriterionConsensus(
            criterion=criterion.slug,
            criterion_label=criterion.label,
            form=criterion.form,
            one_person=one_person,
            orders=tuple(
                each for each in (whole.agreement if whole else ()) if each.kendall_w is not None
            ),
        )


def consensus_json(found: Sequence[CriterionConsensus]) -> list[dict[str, Any]]:
    """Return it for `results.json`."""
    return [
        {"criterion": each.criterion, "form": each.form}
        | each.one_person.as_dict()
        | {
            "orders": [
                {
                    "images": order.images,
                    "kendall_w": stats.plain(order.kendall_w),
                    "mean_tau": stats.plain(order.mean_tau),
                }
                for order in each.orders
            ]
        }
        for each in found
    ]


def consensus_records(found: Sequence[CriterionConsensus]) -> Iterator[dict[str, Any]]:
    """Yield rows of groups.csv, which are of no arm."""
    for each in found:
        place = {"criterion": each.criterion, "by": "prompts", "name": "", "arm": "", "other": ""}
        told = {"tie_share": each.one_person.tie_share}
        if each.one_person.agreement is not None:
            told = {"one_against_rest": each.one_person.agreement} | told
        for measure, estimate in told.items():
            yield place | vars(estimate) | {"measure": measure}
        for order in each.orders:
            counts = {"level": order.level, "n_votes": order.n_votes, "method": order.method}
            for measure, coefficient in (
                (f"kendall_w_of_{order.images}", order.kendall_w),
                (f"mean_tau_of_{order.images}", order.mean_tau),
            ):
                yield place | counts | vars(coefficient) | {"measure": measure}
