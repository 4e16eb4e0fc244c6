"""What the headline would be if one annotator's votes ceased to count, or counted again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns, vote_columns
from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.reports.gallery import Gallery
from evalplatform.reports.other_votes import Figure, of_orders, outside
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.results import ALL_PROMPTS
from evalplatform.reports.stats_votes import is_duel, of_criterion, pair_votes, pseudonyms


@dataclass(frozen=True)
class Effect:
    """One figure of the headline on all prompts, as it is and as it would be.

    `measure` is "net", "strength" or "mean grade", `arm` the letter of whose it is; a figure is
    None where no vote is left.
    """

    criterion_label: str
    measure: str
    arm: str
    now: Figure | None
    then: Figure | None
    votes: int  # that cease to count, or count again


def effect_of(enrolment: Enrolment) -> list[Effect]:
    """Return each figure of the headline without this annotator; of one who is excluded, with.

    Votes of theirs whose slot somebody else has taken meanwhile would stay out; here they count.
    """
    campaign, who = enrolment.campaign, enrolment.annotator_id
    votes = vote_columns(campaign)
    now = votes.counting()
    if enrolment.status == Enrolment.Status.DISQUALIFIED:
        then = votes.where((votes.exclusion == 0) | (votes.annotator == who))
    else:
        then = outside(now, [who])
    gallery: Gallery | None = None
    found: list[Effect] = []
    for criterion in campaign.criteria.all():
        before, after = of_criterion(now, criterion), of_criterion(then, criterion)
        if is_duel(campaign, criterion):
            found.append(_net(criterion, before, after))
            continue
        gallery = gallery or Gallery(campaign, Prompts(campaign), pseudonyms(campaign))
        found += _order(campaign, gallery, criterion, before, after)
    return found


def _net(criterion: Criterion, before: AnswerColumns, after: AnswerColumns) -> Effect:
    figures = [
        Figure.of(stats.win_rates(pair_votes(each)).net) if len(each) else None
        for each in (before, after)
    ]
    return Effect(criterion.label, "net", "", figures[0], figures[1], _moved(before, after))


def _order(
    campaign: Campaign,
    gallery: Gallery,
    criterion: Criterion,
    before: AnswerColumns,
    after: AnswerColumns,
) -> Iterator[Effect]:
    if not len(before):
        return
    reported = gallery.result(criterion, ALL_PROMPTS, 0, before)
    then = gallery.result(criterion, ALL_PROMPTS, 0, after) if len(after) else None
    moved = _moved(before, after)
    for each in of_orders(reported, then):
        figures = [Figure.of(one) if one else None for one in (each.as_reported, each.other)]
        yield Effect(criterion.label, each.measure, each.arm, figures[0], figures[1], moved)


def _moved(before: AnswerColumns, after: AnswerColumns) -> int:
    return len(np.setxor1d(before.vote, after.vote))
