"""Gold of a campaign before it opens: counted, made by a worker, removed."""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema

from evalplatform.accounts.models import User
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, words
from evalplatform.api.jobs import JobKind, queue_job
from evalplatform.api.routes.campaigns import campaign_of, steered_campaign
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.campaigns.models import Campaign, Criterion, ImageSet
from evalplatform.core.errors import ConflictError
from evalplatform.quality.selectors import gold_stock
from evalplatform.quality.services import MOST_GOLD, USUAL_GOLD
from evalplatform.quality.services import clear_gold as clear
from evalplatform.quality.sheet import gold_sheet
from evalplatform.uploads.services import MOST_FILES

routes = Routes(tags=["campaigns"])
_AT = "/campaigns/{slug}/gold"
Count = Annotated[int, Field(ge=0, le=MOST_GOLD)]
Purpose = ImageSet.Purpose
# What the fields of bodies and answers are called.
_PURPOSES = {
    "examples": Purpose.EXAMPLE, "qualification": Purpose.QUALIFICATION, "checks": Purpose.CHECK,
}  # fmt: skip


class CriterionGoldOut(Schema):
    """How many sets of gold one question has."""

    criterion: str
    recipe: str = words(Criterion.Gold.values)
    examples: int
    qualification: int
    checks: int


class GoldOut(Schema):
    """The gold of a campaign; once it has opened it changes no more."""

    campaign: str
    is_frozen: bool
    criteria: list[CriterionGoldOut]


class GoldIn(Given):
    """How many sets each criterion is to have; what is there stays and counts. Null: the usual (2,
    5 and 20), and none beside pairs that were `sent`.
    """

    examples: Count | None = None
    qualification: Count | None = None
    checks: Count | None = None
    sent: list[Annotated[str, Field(max_length=40)]] = Field(
        [], max_length=MOST_FILES,
        description="A table of pairs and its images, sent by tus to `/uploads/files/`: the last "
        "parts of their addresses.",
    )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Return how many sets of each purpose."""
        usual = {each.value: 0 for each in Purpose} if self.sent else USUAL_GOLD
        given = {purpose.value: getattr(self, name) for name, purpose in _PURPOSES.items()}
        return {key: usual[key] if each is None else each for key, each in given.items()}


@routes.reads(_AT, GoldOut)
def get_gold(request: HttpRequest, slug: str) -> GoldOut:
    """How much gold each criterion has; a recipe that is empty says that none can be made."""
    return _shown(campaign_of(request, slug))


@routes.reads(
    _AT + "/sheet",
    None,
    openapi_extra={"responses": {200: {
        "description": "One HTML file with all gold inside it.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }}},
)  # fmt: skip
def get_gold_sheet(request: HttpRequest, slug: str) -> HttpResponse:
    """All gold on one page, the best image of each set first: is each clearly decided?"""
    campaign = campaign_of(request, slug)
    answer = HttpResponse(gold_sheet(campaign), content_type="text/html; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{campaign.slug}-gold.html"'
    return answer


@routes.makes(_AT, JobOut, scope=Scope.CAMPAIGNS, status=202)
def make_gold(request: HttpRequest, slug: str, given: GoldIn) -> JobOut:
    """Let a worker make gold before the campaign opens: of pairs that were sent, which are used up,
    and of the campaign's own samples.
    """
    campaign = _unopened(request, slug)
    assert isinstance(request.user, User)
    asked = {"campaign": slug, "counts": given.counts()}
    job = queue_job(
        project=campaign.project, kind=JobKind.GOLD, asked=asked, user=request.user,
        sent=given.sent,
    )  # fmt: skip
    return job_shown(job)


@routes.removes(_AT, scope=Scope.CAMPAIGNS)
def clear_gold(request: HttpRequest, slug: str) -> None:
    """Remove all gold of a campaign that has not opened."""
    clear(campaign=_unopened(request, slug))


def _unopened(request: HttpRequest, slug: str) -> Campaign:
    campaign = steered_campaign(request, slug)
    if campaign.is_frozen:
        raise ConflictError(
            f"campaign {slug!r} is {campaign.status}; its gold is frozen with its protocol."
        )
    return campaign


def _shown(campaign: Campaign) -> GoldOut:
    there = gold_stock(campaign)
    return GoldOut(
        campaign=campaign.slug, is_frozen=campaign.is_frozen,
        criteria=[CriterionGoldOut(**_told(each, there)) for each in campaign.criteria.all()],
    )  # fmt: skip


def _told(criterion: Criterion, there: dict[tuple[str, str], int]) -> dict[str, Any]:
    counts = {
        name: there.get((criterion.slug, purpose.value), 0) for name, purpose in _PURPOSES.items()
    }
    return {"criterion": criterion.slug, "recipe": criterion.gold, **counts}
