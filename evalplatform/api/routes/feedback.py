"""Feedback loops: begun, read, and their steps done by a worker."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from django.urls import reverse
from ninja import Field, Query, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, project_to_create_in, steered_or_404, visible_to
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, InProjectGiven, Name, PromptSetName
from evalplatform.api.jobs import JobKind, queue_job
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.campaigns.rules import Rules
from evalplatform.core.site import site_link
from evalplatform.feedback.asked_steps import AskedStep
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound
from evalplatform.feedback.selectors import facts_of, loops
from evalplatform.feedback.services import LoopWish
from evalplatform.feedback.services import start_loop as start
from evalplatform.feedback.steps import steps_of
from evalplatform.runs.choices import SamplerChoices

routes = Routes(tags=["feedback"])
_AT = "/feedback-loops/{name}"
Share = Annotated[float, Field(ge=0, le=1)]
Model = Annotated[str, Field(max_length=90, pattern=r"^(images:)?[A-Za-z0-9_-]+$")]
Verb = Literal["export", "train", "tune", "expand", "prove"]


class LoopIn(InProjectGiven):
    """What a loop is asked; the two prompt sets share no prompt."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
    gallery: Annotated[list[Model], Field(min_length=2, max_length=200)] = Field(
        description="Checkpoints or image collections that people rank."
    )
    tune: Name = Field(description="The checkpoint that the first round tunes.")
    prompts: PromptSetName = Field(description="NAME or NAME@VERSION.")
    proof_prompts: PromptSetName
    aspects: Annotated[list[Name], Field(min_length=1, max_length=20)]
    k: Annotated[int, Field(ge=1, le=1000)] = 3
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    verify: Share = Field(0.1, description="Of the prompts on which people rank a child too.")
    floor: Share = Field(0.6, description="Of the placed pairs that people must agree with.")
    sampler: SamplerChoices = SamplerChoices()
    rules: Rules = Rules()


class StepOut(Schema):
    """A step of a round, and how far it is."""

    verb: str
    label: str
    state: str = Field(description="done, now, people (waits for votes), later or stopped.")
    says: str


class RoundOut(Schema):
    """A round: what it tunes, what it has come to."""

    number: int
    parent: str
    child: str | None
    rankings: str | None = Field(description="The campaign in which people rank.")
    verification: str | None
    proof: str | None
    rewards: list[str]
    preferences_sha256: str
    agreement: float | None = Field(description="Share of the placed pairs; null: not counted.")
    steps: list[StepOut]


class LoopOut(Schema):
    """A loop as lists show it."""

    name: str
    project: str
    gallery: list[str]
    aspects: list[str]
    prompts: str
    proof_prompts: str
    k: int
    created_at: datetime
    page: str


class LoopWithRoundsOut(LoopOut):
    """A loop with its rounds, the first one first."""

    rounds: list[RoundOut]


class StepIn(Given):
    """A step to do; `recipe`, `steps` and `settings` are of tune."""

    verb: Verb
    recipe: Literal["preference", "feedback"] = "preference"
    steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Null: the recipe's."
    )
    settings: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)] = Field(
        [], description="KEY=VALUE with a number, true, false or a list of numbers."
    )


@routes.reads("/feedback-loops", Page[LoopOut])
def list_feedback_loops(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Feedback loops of your projects, the latest first."""
    rows = visible_to(request.user, loops())
    return page_of(rows, paging, lambda row: LoopOut(**_told(row, request)), latest_first=True)


@routes.makes("/feedback-loops", LoopWithRoundsOut, scope=Scope.CAMPAIGNS)
def start_feedback_loop(request: HttpRequest, given: LoopIn) -> LoopWithRoundsOut:
    """Make a loop and the ranking of its gallery, which `POST /campaigns/{slug}/open` opens once
    its images are there. Asked the same again, it goes on with what is there.
    """
    made, _ = start(
        project=project_to_create_in(request.user, given.project),
        wish=LoopWish(
            name=given.name, gallery=given.gallery, tuned=given.tune, prompts=given.prompts,
            proof_prompts=given.proof_prompts, aspects=given.aspects, k=given.k, seed=given.seed,
            verified_share=given.verify, agreement_floor=given.floor, rules=given.rules,
            sampler=given.sampler.model_dump(),
        ),
        created_by=_user(request),
    )  # fmt: skip
    return _whole(loops().get(pk=made.pk), request)


@routes.reads(_AT, LoopWithRoundsOut)
def get_feedback_loop(request: HttpRequest, name: str) -> LoopWithRoundsOut:
    """One loop, its rounds, and what each waits for."""
    found = visible_to(request.user, loops()).filter(slug=name).first()
    if found is None:
        raise Http404
    return _whole(found, request)


@routes.makes(_AT + "/rounds/{int:number}/steps", JobOut, scope=Scope.CAMPAIGNS, status=202)
def do_feedback_step(request: HttpRequest, name: str, number: int, given: StepIn) -> JobOut:
    """Do a step of a round: a worker of the default queue does it, which trains for minutes, on
    its own machine. Asked again, what is done is found done, and what broke off goes on.
    """
    loop = steered_or_404(
        request.user, FeedbackLoop.objects.select_related("project"), Role.EDITOR, slug=name
    )
    if number >= 2**15 or not loop.rounds.filter(number=number).exists():
        raise Http404
    step = AskedStep(given.verb, given.recipe, given.steps, tuple(given.settings))
    asked = {"loop": loop.slug, "round": number, **given.model_dump()}
    job = queue_job(
        project=loop.project, kind=JobKind.FEEDBACK, asked=asked | {"verb": step.verb},
        user=_user(request),
    )  # fmt: skip
    return job_shown(job)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _told(row: FeedbackLoop, request: HttpRequest) -> dict[str, Any]:
    return {
        "name": row.slug, "project": row.project.name, "gallery": row.gallery,
        "aspects": row.aspects, "prompts": str(row.prompt_set),
        "proof_prompts": str(row.proof_prompt_set), "k": row.k, "created_at": row.created_at,
        "page": site_link(reverse("feedback:loop", args=[row.slug]), request),
    }  # fmt: skip


def _whole(row: FeedbackLoop, request: HttpRequest) -> LoopWithRoundsOut:
    return LoopWithRoundsOut(
        **_told(row, request), rounds=[_round(each) for each in row.rounds.all()]
    )


def _round(row: FeedbackRound) -> RoundOut:
    return RoundOut(
        number=row.number, parent=row.parent.name, child=row.child.name if row.child else None,
        rankings=row.rankings.slug if row.rankings else None,
        verification=row.verification.slug if row.verification else None,
        proof=row.proof.slug if row.proof else None,
        rewards=[each.name for each in row.rewards.all()],
        preferences_sha256=row.preferences_sha256, agreement=row.agreement,
        steps=[
            StepOut(verb=each.verb, label=each.label, state=each.state.value, says=each.says)
            for each in steps_of(facts_of(row))
        ],
    )  # fmt: skip
