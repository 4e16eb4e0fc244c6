"""Flows: a trainer sends images, asks about them, goes on, and reads the answers."""

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest
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
from evalplatform.api.fields import Given, InProjectGiven, JsonObject, Name, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.campaigns.criteria import CriterionPlan, plan_criterion
from evalplatform.campaigns.rules import CriterionRules, Rules
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.flows import services
from evalplatform.flows.models import Flow, FlowBatch
from evalplatform.flows.selectors import BatchState, PanelState, batches, flows, state_of
from evalplatform.flows.waiting import LONGEST_WAIT, await_news
from evalplatform.runs.choices import criterion_plan

routes = Routes(tags=["flows"])
_AT = "/flows/{name}"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the file's bytes.")]
Places = Annotated[list[float], Field(description="By place, as the panel's images.")]


class FlowIn(InProjectGiven):
    """One question that is asked again and again."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
    criterion: Name | CriterionRules = Field(
        "visual_appeal", description="A shipped criterion by its slug, or your own in full."
    )
    form: str = Field("ranking", description="Of a shipped criterion: ranking, pair or rating.")
    k: Annotated[int, Field(ge=1, le=1000)] = Field(
        3, description="Annotators a panel, of a shipped criterion; your own says it itself."
    )
    images_per_panel: Annotated[int, Field(ge=1, le=8)] | None = Field(
        None, description="Null: 4 to rank, 2 as a pair, 1 to rate."
    )
    deadline_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 3600
    rules: Rules = Rules()


class FlowOut(Schema):
    """A flow, and the one link for annotators."""

    name: str
    project: str
    status: str = words(Flow.Status.values)
    criterion: JsonObject
    images_per_panel: int
    k: int
    deadline_seconds: int
    batches: int
    created_at: datetime
    closed_at: datetime | None
    annotators_link: str
    page: str


class FlowImageOut(Schema):
    """An image that was sent; batches name it by its hash."""

    sha256: str
    width: int
    height: int
    is_new: bool


class PanelIn(Given):
    """Images that are judged together, and the prompt that they answer."""

    prompt: Annotated[str, Field(min_length=1, max_length=10_000)]
    images: Annotated[list[Sha256], Field(min_length=1, max_length=8)]


class FlowBatchIn(Given):
    """What is asked; people have `deadline_seconds` from now on."""

    panels: Annotated[list[PanelIn], Field(min_length=1, max_length=200)]
    deadline_seconds: int | None = Field(None, description="Null: the flow's.")


class PanelOut(Schema):
    """A panel, and what was said of it so far. Lists are by place, as the images were given."""

    prompt: str
    images: list[str]
    votes: int = Field(description="That count, of the k wanted.")
    k: int
    is_complete: bool
    mean_ranks: Places | None = Field(
        description="1 is best; images that tie share the mean of their ranks. Null: no votes."
    )
    borda: Places | None = Field(
        description="Mean share of the panel's other images that it was put above, ties as half."
    )
    preferred: list[list[int]] = Field(
        description="preferred[i][j]: votes that put image i above image j."
    )
    mean_grade: float | None = Field(description="Of a rating: 1 to 5.")


class FlowBatchSummaryOut(Schema):
    """A batch as lists show it."""

    flow: str
    number: int
    status: str = words(FlowBatch.Status.values)
    reason: str = Field(description="Why it failed, or was not open in time.")
    panel_count: int
    votes_wanted: int
    asked_at: datetime
    deadline_at: datetime
    opened_at: datetime | None
    ended_at: datetime | None
    campaign: str | None


class FlowBatchOut(FlowBatchSummaryOut):
    """A batch with what people said so far."""

    votes: int
    is_final: bool = Field(description="No more votes come.")
    is_partial: bool = Field(description="Some panel has fewer than k votes.")
    version: str = Field(description="Send it as `seen` to wait for what comes after this.")
    panels: list[PanelOut]


class Awaited(Schema):
    """What a reader has seen, and how long they would wait for more."""

    seen: str = Field("", max_length=60, description="`version` of the answer before.")
    wait: float = Field(
        0, ge=0, le=LONGEST_WAIT, description="Seconds, until something differs from `seen`."
    )


@routes.reads("/flows", Page[FlowOut])
def list_flows(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Flows of your projects, the latest first."""
    return page_of(_visible(request), paging, lambda row: _shown(row, request), latest_first=True)


@routes.makes("/flows", FlowOut, scope=Scope.CAMPAIGNS)
def create_flow(request: HttpRequest, given: FlowIn) -> FlowOut:
    """Make a flow: one question, one link for annotators, and as many batches as you ask."""
    project = project_to_create_in(request.user, given.project)
    plan = _plan(given)
    made = services.make_flow(
        project=project,
        plan=services.FlowPlan(
            name=given.name,
            criterion=plan,
            images_per_panel=given.images_per_panel or services.usual_size(plan.form),
            deadline_seconds=given.deadline_seconds,
            rules=given.rules,
        ),
        user=_user(request),
    )
    return _shown(_found(request, made.slug), request)


@routes.reads(_AT, FlowOut)
def get_flow(request: HttpRequest, name: str) -> FlowOut:
    """One flow."""
    return _shown(_found(request, name), request)


@routes.does(_AT + "/close", FlowOut, scope=Scope.CAMPAIGNS)
def close_flow(request: HttpRequest, name: str) -> FlowOut:
    """Take no more batches, and end those under way with the votes they have."""
    services.close_flow(flow=_steered(request, name), now=timezone.now())
    return _shown(_found(request, name), request)


@routes.puts(
    _AT + "/images/{sha256}",
    FlowImageOut,
    scope=Scope.CAMPAIGNS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A PNG, JPEG or WebP file, of 32 MiB and 16.7 million pixels at most.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
def send_flow_image(request: HttpRequest, name: str, sha256: str) -> FlowImageOut:
    """Send an image: the body is its file, the address says its hash. Sent twice it is done once.

    One that no batch asks about within two days is removed; it counts in the quota.
    """
    flow = _steered(request, name)
    # Read by hand: the body of a form or of JSON is far smaller.
    content = request.read(services.MOST_IMAGE_BYTES + 1)
    image, is_new = services.keep_image(
        flow=flow, sha256=sha256, content=content, now=timezone.now()
    )
    return FlowImageOut(sha256=image.sha256, width=image.width, height=image.height, is_new=is_new)


@routes.reads(_AT + "/batches", Page[FlowBatchSummaryOut])
def list_flow_batches(request: HttpRequest, name: str, paging: Query[Paging]) -> dict[str, Any]:
    """Batches of a flow, the latest first, without what was said of them."""
    rows = batches(_found(request, name))
    return page_of(rows, paging, _summary, by="number", latest_first=True)


@routes.makes(_AT + "/batches", FlowBatchOut, scope=Scope.CAMPAIGNS, status=202)
def ask_flow(request: HttpRequest, name: str, given: FlowBatchIn) -> FlowBatchOut:
    """Ask about panels of images that were sent; answered at once, opened by a worker."""
    batch = services.ask_batch(
        flow=_steered(request, name),
        panels=[
            services.AskedPanel(prompt=each.prompt, images=tuple(each.images))
            for each in given.panels
        ],
        deadline_seconds=given.deadline_seconds,
        user=_user(request),
        now=timezone.now(),
    )
    return _batch(state_of(batch))


@routes.reads(_AT + "/batches/{int:number}", FlowBatchOut)
def get_flow_batch(
    request: HttpRequest, name: str, number: int, awaited: Query[Awaited]
) -> FlowBatchOut:
    """What people said so far, also before the deadline. With `seen` and `wait`: once something
    differs from it, the batch ends or the time is over.
    """
    batch = await_news(
        batch=_batch_of(_found(request, name), number),
        seen=awaited.seen,
        seconds=awaited.wait,
        now=timezone.now,
    )
    return _batch(state_of(batch))


@routes.does(_AT + "/batches/{int:number}/close", FlowBatchOut, scope=Scope.CAMPAIGNS)
def close_flow_batch(request: HttpRequest, name: str, number: int) -> FlowBatchOut:
    """End a batch early, with the votes it has."""
    batch = _batch_of(_steered(request, name), number)
    services.close_batch(batch=batch, now=timezone.now())
    return _batch(state_of(batch))


def _plan(given: FlowIn) -> CriterionPlan:
    if isinstance(given.criterion, str):
        return plan_criterion(given.criterion, given.k, given.form)
    said = {"form", "k"} & given.model_fields_set
    if said:
        raise BadInputError(
            f"{', '.join(sorted(said))} stand in a criterion of your own; leave them out beside it."
        )
    return criterion_plan(given.criterion)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _visible(request: HttpRequest) -> Any:
    return visible_to(request.user, flows())


def _found(request: HttpRequest, name: str) -> Flow:
    found: Flow | None = _visible(request).filter(slug=name).first()
    if found is None:
        raise Http404
    return found


def _steered(request: HttpRequest, name: str) -> Flow:
    rows = Flow.objects.select_related("project")
    return steered_or_404(request.user, rows, Role.EDITOR, slug=name)


def _batch_of(flow: Flow, number: int) -> FlowBatch:
    found = batches(flow).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise Http404
    return found


def _shown(row: Flow, request: HttpRequest) -> FlowOut:
    return FlowOut(
        name=row.slug, project=row.project.name, status=row.status, criterion=row.criterion,
        images_per_panel=row.images_per_panel, k=row.k, deadline_seconds=row.deadline_seconds,
        batches=row.batch_count,  # type: ignore[attr-defined]  # annotated
        created_at=row.created_at, closed_at=row.closed_at,
        annotators_link=site_link(row.entrance, request),
        page=site_link(reverse("flows:flow", args=[row.slug]), request),
    )  # fmt: skip


def _told(row: FlowBatch) -> dict[str, Any]:
    return {
        "flow": row.flow.slug, "number": row.number, "status": row.status, "reason": row.reason,
        "panel_count": row.panel_count, "votes_wanted": row.votes_wanted,
        "asked_at": row.asked_at, "deadline_at": row.deadline_at, "opened_at": row.opened_at,
        "ended_at": row.ended_at, "campaign": row.campaign.slug if row.campaign else None,
    }  # fmt: skip


def _summary(row: FlowBatch) -> FlowBatchSummaryOut:
    return FlowBatchSummaryOut(**_told(row))


def _batch(state: BatchState) -> FlowBatchOut:
    return FlowBatchOut(
        **_told(state.batch), votes=state.votes, is_final=state.is_final,
        is_partial=state.is_partial, version=state.version,
        panels=[_panel(each) for each in state.panels],
    )  # fmt: skip


def _panel(state: PanelState) -> PanelOut:
    figures = state.figures
    return PanelOut(
        prompt=state.prompt, images=list(state.images), votes=figures.votes, k=state.k,
        is_complete=state.is_complete, mean_ranks=figures.mean_ranks, borda=figures.borda,
        preferred=figures.preferred, mean_grade=figures.mean_grade,
    )  # fmt: skip
