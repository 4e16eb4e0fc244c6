"""Before money is spent: what a campaign would come to, the power of a study, and drafts."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Schema, Status

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    steered_or_404,
    visible_to,
)
from evalplatform.api.callers import Scope
from evalplatform.api.etags import tagged
from evalplatform.api.fields import Given, InProjectGiven, JsonObject, Name, Text
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.campaigns import campaign_of
from evalplatform.api.routing import Routes
from evalplatform.core.errors import BadInputError, ChangedMeanwhileError
from evalplatform.reports.planning import (
    EXPECTED_ANNOTATOR_SHARE,
    EXPECTED_PROMPT_SHARE,
    EXPECTED_TIES,
    StudyQuestion,
    answer,
    pilot_components,
)
from evalplatform.runs.choices import DraftChoices
from evalplatform.runs.dry_run import dry_run
from evalplatform.runs.models import Draft
from evalplatform.runs.services import (
    DraftConflictError,
    launch_draft,
    make_draft,
    save_draft,
)
from evalplatform.runs.services import delete_draft as delete
from evalplatform.stats import Components, StatsError, stated_components

routes = Routes(tags=["planning"])
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class ChoicesIn(InProjectGiven):
    """Choices for a campaign."""

    choices: DraftChoices


class DraftIn(ChoicesIn):
    """A draft to be made."""

    title: Text = Field("", max_length=200)


class DraftChange(Given):
    """Choices as one person made them over the version that they saw."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    choices: DraftChoices


class LaunchIn(Given):
    """The version that was looked at."""

    version: Annotated[int, Field(ge=1, lt=2**31)]


class DraftOut(Schema):
    """A draft of a campaign."""

    number: int
    project: str
    label: str
    version: int
    choices: JsonObject
    campaign: str | None = Field(description="What was made of it; then it changes no more.")
    changed_at: datetime


class EstimateOut(Schema):
    """What a campaign would ask, take and cost; with errors it cannot be created."""

    errors: list[str]
    warnings: list[str]
    prompts: JsonObject
    comparisons: int
    votes: int
    answers: int
    annotators: int
    votes_per_annotator: int
    hours: float
    cost: float | None
    currency: str
    samples_missing: int
    worker_seconds: float | None
    criteria: list[JsonObject]
    samples: list[JsonObject]
    power: list[JsonObject]


class StudyIn(Given):
    """What to find, what bounds the study, and how much votes differ; shares, not per cent."""

    effect: Annotated[float, Field(gt=0, le=1)] = 0.1
    power: Annotated[float, Field(gt=0, le=0.999)] = 0.8
    bound: Literal["annotators", "prompts", "votes_per_annotator"] = "votes_per_annotator"
    number: Count = 50
    votes_per_prompt: Annotated[int, Field(ge=1, le=1000)] = 5
    price: Annotated[float, Field(ge=0, le=1e6)] | None = None
    pilot: Name | None = Field(None, description="A campaign whose votes say how much they differ.")
    criterion: Name = "visual_appeal"
    ties: Share = EXPECTED_TIES
    prompt_share: Share = EXPECTED_PROMPT_SHARE
    annotator_share: Share = EXPECTED_ANNOTATOR_SHARE


class StudyOut(Schema):
    """The study that finds it."""

    reachable: bool
    sentences: list[str]
    prompts: int | None
    annotators: int | None
    votes: int | None
    effect: float | None
    floor: float | None
    cost: float | None


@routes.does("/dry-run", EstimateOut, scope=Scope.READ)
def dry_run_campaign(request: HttpRequest, given: ChoicesIn) -> EstimateOut:
    """What these choices would come to; nothing is stored."""
    project = project_to_create_in(request.user, given.project)
    found = dry_run(choices=given.choices, project=project, now=timezone.now())
    return EstimateOut(
        errors=list(found.errors), warnings=list(found.warnings), prompts=asdict(found.prompts),
        comparisons=found.comparisons, votes=found.votes, answers=found.answers,
        annotators=found.annotators, votes_per_annotator=found.votes_per_annotator,
        hours=found.hours, cost=found.cost, currency=found.currency,
        samples_missing=found.missing, worker_seconds=found.gpu_seconds,
        criteria=[asdict(each) for each in found.criteria],
        samples=[asdict(each) for each in found.samples],
        power=[asdict(each) for each in found.power],
    )  # fmt: skip


@routes.does("/plan", StudyOut, scope=Scope.READ)
def plan_study(request: HttpRequest, given: StudyIn) -> StudyOut:
    """How many prompts, annotators and votes it takes to find a difference."""
    found = answer(
        StudyQuestion(
            components=_components(request, given), effect=given.effect, bound=given.bound,
            number=given.number, votes_per_prompt=given.votes_per_prompt, power=given.power,
            price=given.price,
        )
    )  # fmt: skip
    plan = found.plan
    return StudyOut(
        reachable=plan.prompts is not None and plan.effect is not None, sentences=found.sentences,
        prompts=plan.prompts, annotators=plan.annotators, votes=plan.votes, effect=plan.effect,
        floor=plan.floor, cost=found.cost,
    )  # fmt: skip


@routes.reads("/drafts", Page[DraftOut])
def list_drafts(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Drafts of your projects, the latest first."""
    return page_of(_visible(request), paging, _shown, latest_first=True)


@routes.makes("/drafts", DraftOut, scope=Scope.CAMPAIGNS)
def create_draft(request: HttpRequest, given: DraftIn) -> DraftOut:
    """Keep choices for a campaign; they may be unfinished."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    return _shown(
        make_draft(project=project, choices=given.choices, user=request.user, title=given.title)
    )


@routes.reads("/drafts/{int:number}", DraftOut)
def get_draft(request: HttpRequest, response: HttpResponse, number: int) -> DraftOut:
    """One draft."""
    found = _visible(request).filter(pk=number).first()
    if found is None:
        raise Http404
    return tagged(response, _shown(found))


@routes.puts("/drafts/{int:number}", DraftOut, scope=Scope.CAMPAIGNS)
def change_draft(request: HttpRequest, number: int, given: DraftChange) -> DraftOut:
    """Store choices made over a version; what others changed since stays where it is another
    choice, and is 412 where it is the same.
    """
    draft = _steered(request, number)
    assert isinstance(request.user, User)
    try:
        saved = save_draft(
            draft=draft, version=given.version, choices=given.choices.as_dict(),
            user=request.user, now=timezone.now(),
        )  # fmt: skip
    except DraftConflictError as error:
        raise ChangedMeanwhileError(str(error)) from error
    return _shown(saved.draft)


@routes.removes("/drafts/{int:number}", scope=Scope.CAMPAIGNS)
def delete_draft(request: HttpRequest, number: int) -> Status:
    """Remove a draft; what was made of it stays."""
    delete(draft=_steered(request, number))
    return Status(204, None)


@routes.makes("/drafts/{int:number}/launch", DraftOut, scope=Scope.CAMPAIGNS)
def launch(request: HttpRequest, number: int, given: LaunchIn) -> DraftOut:
    """Make the campaign of a draft and ask the workers for its images; it does not open."""
    draft = _steered(request, number)
    assert isinstance(request.user, User)
    try:
        launch_draft(draft=draft, version=given.version, user=request.user)
    except DraftConflictError as error:
        raise ChangedMeanwhileError(str(error)) from error
    return _shown(Draft.objects.select_related("project", "campaign").get(pk=draft.pk))


def _components(request: HttpRequest, given: StudyIn) -> Components:
    if given.pilot:
        return pilot_components(campaign_of(request, given.pilot), given.criterion)
    try:
        return stated_components(
            tie=given.ties, prompt_share=given.prompt_share, annotator_share=given.annotator_share
        )
    except StatsError as error:
        raise BadInputError(str(error)) from error


def _visible(request: HttpRequest) -> Any:
    return visible_to(request.user, Draft.objects.select_related("project", "campaign"))


def _steered(request: HttpRequest, number: int) -> Draft:
    return steered_or_404(request.user, Draft.objects.all(), Role.EDITOR, pk=number)


def _shown(row: Draft) -> DraftOut:
    return DraftOut(
        number=row.pk, project=row.project.name, label=row.label, version=row.version,
        choices=row.choices, campaign=row.campaign.slug if row.campaign else None,
        changed_at=row.changed_at,
    )  # fmt: skip
