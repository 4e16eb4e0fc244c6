"""Campaigns: created, watched, opened, steered, read."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    steered_or_404,
    visible_to,
)
from evalplatform.api.callers import Scope
from evalplatform.api.etags import refuse_changed, tagged
from evalplatform.api.fields import Given, InProjectGiven, JsonObject, Name, words
from evalplatform.api.jobs import JobKind, ask_to_join, queue_job
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.api.streams import NDJSON, safety_scores_as_lines, votes_as_lines
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign as close
from evalplatform.campaigns.services import pause_campaign as pause
from evalplatform.campaigns.services import resume_campaign as resume
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.core.site import site_link
from evalplatform.reports.cached import results_of
from evalplatform.reports.exports import results_json
from evalplatform.reports.selectors import completeness_of
from evalplatform.runs.choices import DraftChoices
from evalplatform.runs.run_plans import plan_of
from evalplatform.runs.services import advance_run, resume_run, start_run
from evalplatform.runs.standing import standing_of
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.tallies.selectors import vote_counts

routes = Routes(tags=["campaigns"])
Share = Annotated[float, Field(ge=0, le=1)]


class ArmOut(Schema):
    """One of what is compared."""

    letter: str
    name: str
    kind: str = words(["checkpoint", "collection", "imported"])
    sha256: str
    joined_at: datetime | None


class CriterionOut(Schema):
    """One of the questions."""

    slug: str
    label: str
    question: str
    instructions: str
    shows_prompt: bool
    form: str
    k: int


class CampaignSummaryOut(Schema):
    """A campaign as lists show it."""

    slug: str
    project: str
    status: str = words(Campaign.Status.values)
    design: str
    created_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    items: int
    protocol_sha256: str


class CampaignOut(CampaignSummaryOut):
    """A campaign with what it asks of whom."""

    arms: list[ArmOut]
    criteria: list[CriterionOut]
    prompt_sets: list[str]
    prompts_per_set: int | None
    images_per_prompt: int
    seed: int
    opens_when_ready: bool
    rules: JsonObject
    annotators_link: str
    page: str


class ClosedCampaignOut(CampaignOut):
    """A closed campaign, and how many of the votes that it wanted are missing."""

    votes: int
    votes_wanted: int
    votes_missing: int


class CampaignIn(InProjectGiven):
    """A campaign to be created; `choices` is what a draft holds and `run_eval --draft` reads."""

    choices: DraftChoices
    opens_when_ready: bool = False


class CampaignChange(Given):
    """What may be said anew of a run; what is left out stays."""

    opens_when_ready: bool | None = None
    allow_constant: Share | None = None
    allow_identical: Share | None = None
    allow_cut: Share | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    budget_seconds: Annotated[int, Field(ge=1, lt=2**31)] | None = None


class ArmIn(Given):
    """A checkpoint or image collection that joins; `images:NAME` is always a collection."""

    arm: str = Field(min_length=1, max_length=200)


class ProgressOut(Schema):
    """How far a campaign is: prepared, and judged."""

    state: str = words([each.value for each in RunState])
    done: int = Field(description="Images made or checked in this state.")
    total: int
    note: str
    items: int
    votes_wanted: int
    votes: int
    last_vote_at: datetime | None


class ProtocolOut(Schema):
    """The protocol as it was frozen, amendments included; null before it opens."""

    sha256: str
    protocol: JsonObject | None


class Filtered(Paging):
    """Which campaigns."""

    status: Annotated[str, words(Campaign.Status.values)] | None = Field(None, max_length=12)
    project: Name | None = None


@routes.reads("/campaigns", Page[CampaignSummaryOut])
def list_campaigns(request: HttpRequest, paging: Query[Filtered]) -> dict[str, Any]:
    """Campaigns of your projects, the latest first."""
    rows = visible_to(request.user, Campaign.objects.select_related("project"))
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.project:
        rows = rows.filter(project__name=paging.project)
    return page_of(rows, paging, lambda row: CampaignSummaryOut(**_summary(row)), latest_first=True)


@routes.makes("/campaigns", CampaignOut, scope=Scope.CAMPAIGNS)
def create_campaign(request: HttpRequest, given: CampaignIn) -> CampaignOut:
    """Create a campaign and ask the workers for its images; asked the same again, it goes on."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    plan = replace(plan_of(given.choices), opens_when_ready=given.opens_when_ready)
    if not plan.name:
        raise BadInputError(
            "no arms and no name: give choices.arms, the names of what is compared."
        )
    campaign, _ = start_run(project=project, plan=plan, created_by=request.user)
    return _shown(request, campaign)


@routes.reads("/campaigns/{slug}", CampaignOut)
def get_campaign(request: HttpRequest, response: HttpResponse, slug: str) -> CampaignOut:
    """One campaign; its ETag goes with a change."""
    return tagged(response, _shown(request, campaign_of(request, slug)))


@routes.changes("/campaigns/{slug}", CampaignOut, scope=Scope.CAMPAIGNS)
def change_campaign(
    request: HttpRequest, response: HttpResponse, slug: str, given: CampaignChange
) -> CampaignOut:
    """Say anew how a run goes on; what it lets through only before it opens."""
    steered_campaign(request, slug)
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).get(slug=slug)
        refuse_changed(request, _shown(request, campaign))
        shares = {
            "allow_constant": given.allow_constant, "allow_identical": given.allow_identical,
            "allow_cut": given.allow_cut,
        }  # fmt: skip
        if campaign.is_frozen and given.opens_when_ready is not None:
            raise ConflictError(f"campaign {slug!r} is {campaign.status}; it has opened already.")
        resume_run(
            campaign=campaign, opens_when_ready=given.opens_when_ready, allowances=shares,
            priority=given.priority, budget_seconds=given.budget_seconds,
        )  # fmt: skip
    return tagged(response, _shown(request, Campaign.objects.get(pk=campaign.pk)))


@routes.reads("/campaigns/{slug}/progress", ProgressOut)
def get_progress(request: HttpRequest, slug: str) -> ProgressOut:
    """How far it is; nothing is done by asking. `ready` has its images, checked where asked for;
    `held` has more faulty ones than its rules let through, as its note says.
    """
    campaign = campaign_of(request, slug)
    return _progress(campaign, standing_of(campaign, timezone.now()))


@routes.does("/campaigns/{slug}/advance", ProgressOut, scope=Scope.CAMPAIGNS)
def advance_campaign(request: HttpRequest, slug: str) -> ProgressOut:
    """Bring a run as far as it can go now: samples asked for, safety checked, gold made."""
    campaign = steered_campaign(request, slug)
    now = advance_run(campaign=campaign, now=timezone.now())
    return _progress(campaign, now)


@routes.makes("/campaigns/{slug}/open", JobOut, scope=Scope.CAMPAIGNS, status=202)
def open_campaign(request: HttpRequest, slug: str) -> JobOut:
    """Let a worker open a campaign whose images are there: its protocol is frozen then."""
    campaign = steered_campaign(request, slug)
    if campaign.is_frozen:
        raise ConflictError(f"campaign {slug!r} is {campaign.status}; it has opened already.")
    return _job(request, campaign, JobKind.OPEN, {"campaign": slug})


@routes.makes("/campaigns/{slug}/arms", JobOut, scope=Scope.CAMPAIGNS, status=202)
def add_arm(request: HttpRequest, slug: str, given: ArmIn) -> JobOut:
    """Let an arm join an open campaign: its samples are asked for, and once they are there, and
    checked where the rules want that, it joins. Until then the job is `queued`, its note says why.
    """
    campaign = steered_campaign(request, slug)
    assert isinstance(request.user, User)
    return job_shown(ask_to_join(campaign=campaign, name=given.arm, user=request.user))


@routes.does("/campaigns/{slug}/pause", CampaignOut, scope=Scope.CAMPAIGNS)
def pause_campaign(request: HttpRequest, slug: str) -> CampaignOut:
    """Lease no more items; answers to what is shown still count."""
    return _steered(request, slug, pause, Campaign.Status.PAUSED)


@routes.does("/campaigns/{slug}/resume", CampaignOut, scope=Scope.CAMPAIGNS)
def resume_campaign(request: HttpRequest, slug: str) -> CampaignOut:
    """Open a paused campaign again."""
    return _steered(request, slug, resume, Campaign.Status.OPEN)


@routes.does("/campaigns/{slug}/close", ClosedCampaignOut, scope=Scope.CAMPAIGNS)
def close_campaign(request: HttpRequest, slug: str) -> ClosedCampaignOut:
    """Take no more votes, for good, also where some are missing."""
    shown = _steered(request, slug, close, Campaign.Status.CLOSED)
    votes = vote_counts([campaign := campaign_of(request, slug)])[campaign.pk]
    return ClosedCampaignOut(
        **shown.dict(), votes=votes.votes, votes_wanted=votes.votes_wanted,
        votes_missing=votes.votes_missing,
    )  # fmt: skip


@routes.reads("/campaigns/{slug}/protocol", ProtocolOut)
def get_protocol(request: HttpRequest, slug: str) -> ProtocolOut:
    """The frozen protocol."""
    campaign = campaign_of(request, slug)
    return ProtocolOut(sha256=campaign.protocol_sha256, protocol=campaign.protocol)


@routes.reads("/campaigns/{slug}/results", JsonObject)
def get_results(request: HttpRequest, slug: str) -> JsonObject:
    """The results as they stand: what results.json holds, its format named in it."""
    return results_json(results_of(campaign_of(request, slug)))


@routes.reads(
    "/campaigns/{slug}/votes",
    None,
    scope=Scope.VOTES,
    openapi_extra={"responses": {200: {
        "description": "One JSON object a line, in the order cast; columns as in votes.csv.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }}},
)  # fmt: skip
def stream_votes(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Every stored vote, streamed; memory stays flat however many there are."""
    return votes_as_lines(campaign_of(request, slug))


@routes.reads(
    "/campaigns/{slug}/safety-scores",
    None,
    openapi_extra={"responses": {200: {
        "description": "One JSON object a line, the surest first: `score`, `labels`, arm and "
        "prompt; `sample` is null of an image of a collection.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }}},
)  # fmt: skip
def stream_safety_scores(request: HttpRequest, slug: str) -> HttpResponseBase:
    """What the safety detector said of every image, also of a draft whose images are checked."""
    return safety_scores_as_lines(campaign_of(request, slug))


def campaign_of(request: HttpRequest, slug: str) -> Campaign:
    """Return the campaign that exists for whoever asks. Raises `Http404`."""
    found = visible_to(request.user, Campaign.objects.all()).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def steered_campaign(request: HttpRequest, slug: str) -> Campaign:
    """Return the campaign that an editor is about to change."""
    return steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)


def _steered(request: HttpRequest, slug: str, verb: Any, wanted: Campaign.Status) -> CampaignOut:
    campaign = steered_campaign(request, slug)
    if not verb(campaign=campaign):
        campaign.refresh_from_db()
        if campaign.status != wanted:
            raise ConflictError(f"campaign {slug!r} is {campaign.status}; this cannot be done.")
    return _shown(request, Campaign.objects.get(pk=campaign.pk))


def _job(request: HttpRequest, campaign: Campaign, kind: Any, asked: dict[str, Any]) -> JobOut:
    assert isinstance(request.user, User)
    return job_shown(queue_job(project=campaign.project, kind=kind, asked=asked, user=request.user))


def _progress(campaign: Campaign, now: RunProgress) -> ProgressOut:
    votes = completeness_of(campaign)
    return ProgressOut(
        state=now.state, done=now.done, total=now.total, note=now.note, items=votes.items,
        votes=votes.votes, votes_wanted=votes.votes_wanted, last_vote_at=votes.last_vote_at,
    )  # fmt: skip


def _summary(row: Campaign) -> dict[str, Any]:
    return {
        "slug": row.slug, "project": row.project.name, "status": row.status, "design": row.design,
        "created_at": row.created_at, "opened_at": row.opened_at, "closed_at": row.closed_at,
        "items": row.item_count, "protocol_sha256": row.protocol_sha256,
    }  # fmt: skip


def _shown(request: HttpRequest, row: Campaign) -> CampaignOut:
    return CampaignOut(
        **_summary(row),
        arms=[
            ArmOut(
                letter=arm.letter, name=arm.name, sha256=arm.sha256, joined_at=arm.joined_at,
                kind="checkpoint" if arm.checkpoint_id else (
                    "collection" if arm.collection_id else "imported"),
            )
            for arm in row.contenders
        ],
        criteria=[
            CriterionOut(
                slug=each.slug, label=each.label, question=each.question,
                instructions=each.instructions, shows_prompt=each.shows_prompt, form=each.form,
                k=each.k,
            )
            for each in row.criteria.all()
        ],
        prompt_sets=[str(each) for each in row.prompt_sets.all()],
        prompts_per_set=row.prompts_per_set, images_per_prompt=row.images_per_prompt,
        seed=row.seed, opens_when_ready=row.opens_when_ready, rules=row.rules,
        annotators_link=site_link(reverse("annotation:work", args=[row.invitation]), request),
        page=reverse("reports:dashboard", args=[row.slug]),
    )  # fmt: skip
