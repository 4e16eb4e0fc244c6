"""Captions of what a pool keeps: written by people, approved by others."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, steered_or_404
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Text, words
from evalplatform.api.routes.pool_gold import GoldGiven, gold_of
from evalplatform.api.routes.pool_people import InvitedOut, annotators_link, invited
from evalplatform.api.routing import Routes
from evalplatform.curation.captions import open_round
from evalplatform.curation.figures import campaign_pace
from evalplatform.curation.models import Pool
from evalplatform.curation.selectors import pools
from evalplatform.curation.services import step_captions

routes = Routes(tags=["pools"])


class CaptionsIn(GoldGiven):
    """The next step of a pool's captions. Gold goes into an approval alone: images in `right/` and
    `wrong/`, each with its caption beside it in NAME.txt.
    """

    people: Annotated[list[Text], Field(max_length=500)] = Field(
        [], description="Labels of those who are invited; of an approval, none: those who wrote."
    )
    unfinished: bool = Field(
        False, description="Also while answers are missing: what has none waits for the next round."
    )


class CaptionRoundOut(Schema):
    """The round of captions that goes on: written first, then approved by others."""

    number: int
    asks_for: str = words(["captions", "approval"])
    campaign: str
    answers: int
    answers_wanted: int
    seconds_left: float | None = Field(description="At the pace of the last hour.")
    annotators_link: str


class CaptionStepOut(Schema):
    """What a step did: it opened a campaign, or closed a round, or nothing is left to be done."""

    round: CaptionRoundOut | None = Field(description="Null where none goes on now.")
    asked: int = Field(description="Images that the campaign asks about.")
    approved: int = Field(description="Of the round that was closed.")
    rejected: int = Field(description="Of the round that was closed: written anew by the next one.")
    invitations: list[InvitedOut]


@routes.makes("/pools/{name}/captions", CaptionStepOut, scope=Scope.CAMPAIGNS, status=200)
def step_pool_captions(request: HttpRequest, name: str, given: CaptionsIn) -> CaptionStepOut:
    """Take the next step of a pool's captions: have them written, have them approved by others, or
    close the round. Whoever is invited gets a link, told in this answer alone.
    """
    pool: Pool = steered_or_404(request.user, pools(), Role.EDITOR, name=name)
    assert isinstance(request.user, User)
    now = timezone.now()
    with gold_of(given, pool.project, request) as gold:
        step = step_captions(
            pool=pool, people=given.people, now=now, created_by=request.user,
            unfinished=given.unfinished, gold=gold, gold_rate=given.gold_rate,
        )  # fmt: skip
    campaign = step.campaign
    return CaptionStepOut(
        round=round_going_on(pool, request, now), asked=step.asked, approved=step.approved,
        rejected=step.rejected,
        invitations=invited(campaign, step.invitations, request) if campaign else [],
    )  # fmt: skip


def round_going_on(pool: Pool, request: HttpRequest, now: datetime) -> CaptionRoundOut | None:
    """Return the round of captions that goes on; None where none does."""
    going = open_round(pool)
    if going is None:
        return None
    campaign = going.approval or going.writing
    pace = campaign_pace(campaign, now)
    return CaptionRoundOut(
        number=going.number, asks_for="approval" if going.approval else "captions",
        campaign=campaign.slug, answers=pace.done, answers_wanted=pace.total,
        seconds_left=pace.seconds_left, annotators_link=annotators_link(campaign, request),
    )  # fmt: skip
