"""What the headline would be if one annotator's votes ceased to count, or counted again."""

from __future__ import annotations

from evalplatform import stats
from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.annotation.models import Enrolment
from evalplatform.reports.gallery import Gallery
from evalplatform.reports.other_votes import OtherVotes, of_net, of_orders, outside
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.results import ALL_PROMPTS
from evalplatform.reports.stats_votes import is_duel, of_criterion, pair_votes, pseudonyms


def effect_of(enrolment: Enrolment) -> list[OtherVotes]:
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
    found: list[OtherVotes] = []
    for criterion in campaign.criteria.all():
        before, after = of_criterion(now, criterion), of_criterion(then, criterion)
        if is_duel(campaign, criterion):
            nets = [
                stats.win_rates(pair_votes(each)).net if len(each) else None
                for each in (before, after)
            ]
            found.append(of_net(criterion, ALL_PROMPTS, *nets))
        elif len(before) and not criterion.shape.is_written:
            gallery = gallery or Gallery(campaign, Prompts(campaign), pseudonyms(campaign))
            reported = gallery.result(criterion, ALL_PROMPTS, 0, before)
            other = gallery.result(criterion, ALL_PROMPTS, 0, after) if len(after) else None
            found += of_orders(reported, other)
    return found
