"""Pools of images from which people pick: read, stages opened and closed, exported."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, StreamingHttpResponse
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
from evalplatform.api.fields import Given, InProjectGiven, Name, PromptSetName, Text, words
from evalplatform.api.jobs import JobKind, ask_for_pool, folders_allowed, queue_job
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.captions import CaptionRoundOut, round_going_on
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routes.pool_gold import GoldGiven, gold_of
from evalplatform.api.routes.pool_people import InvitedOut, annotators_link, invited
from evalplatform.api.routing import Routes
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.curation import figures, people
from evalplatform.curation.archive import pool_archive
from evalplatform.curation.captions import caption_figures
from evalplatform.curation.models import Pool, Stage
from evalplatform.curation.selectors import kept_so_far, pools
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from evalplatform.curation.services.pools import LONGEST_NAME, check_name
from evalplatform.curation.services.samples import GUIDANCE, MOST_SEEDS, STEPS
from evalplatform.stats import Proportion
from evalplatform.uploads.services import MOST_FILES

routes = Routes(tags=["pools"])
_AT = "/pools/{name}"
_STAGE = _AT + "/stages/{kind}"
Kind = Literal["generalists", "specialists", "alignment", "style"]


class PoolOut(Schema):
    """A pool, and how many images are left of it."""

    name: str
    project: str
    origin: str = words(Pool.Origin.values)
    source: str
    images: int
    left: int = Field(description="After the last stage that has decided.")
    rules_sha256: str
    scores_sha256: str
    created_at: datetime
    page: str


class FunnelBarOut(Schema):
    """What one step left: a rule of the automatic stages, or people."""

    name: str
    before: int
    left: int | None = Field(description="Null while people judge.")
    by_people: bool


class ProportionOut(Schema):
    """So many of so many, with Wilson's 95 % interval; null without any."""

    hits: int
    total: int
    value: float | None
    low: float | None
    high: float | None


class PoolPersonOut(Schema):
    """One person in a stage."""

    pseudonym: str
    is_simulated: bool
    kept: ProportionOut
    excellent: ProportionOut = Field(
        description="Kept of hidden gold known to be excellent: recall."
    )
    bad: ProportionOut = Field(description="Kept of hidden gold known to be bad.")
    a_minute: float | None


class ApproverOut(Schema):
    """One person who approves captions, over all rounds."""

    pseudonym: str
    is_simulated: bool
    approved: ProportionOut
    right: ProportionOut = Field(
        description="Approved of hidden captions known to be right: recall."
    )
    wrong: ProportionOut = Field(description="Approved of hidden captions known to be wrong.")
    a_minute: float | None


class HeadOut(Schema):
    """How far people agree on a head, or to keep."""

    head: str
    failed: int = Field(description="Judgements that marked it; of `keep`, those that keep.")
    judgements: int
    alpha: float | None = Field(description="Krippendorff's, nominal.")
    low: float | None
    high: float | None


class StageOut(Schema):
    """One round of people."""

    number: int
    kind: str = words(Stage.Kind.values)
    campaign: str
    keep: str = words(Stage.Keep.values)
    target: int | None
    opened_at: datetime
    closed_at: datetime | None
    kept: int | None = Field(description="Null while it is open.")
    judgements: int
    judgements_wanted: int
    seconds_left: float | None = Field(description="At the pace of the last hour.")
    annotators_link: str
    people: list[PoolPersonOut]
    agreement: list[HeadOut]


class ConceptOut(Schema):
    """One concept."""

    name: str
    images: int
    left: int


class PoolDetailOut(PoolOut):
    """A pool with its funnel and what people did."""

    is_simulated: bool = Field(description="Simulated annotators cast votes of its stages.")
    funnel: list[FunnelBarOut]
    concepts: list[ConceptOut]
    stages: list[StageOut]
    captions_approved: int
    captions_wanted: int
    caption_round: CaptionRoundOut | None
    approvers: list[ApproverOut]


class PoolIn(InProjectGiven):
    """A pool to be brought by a worker, all or nothing: one of `sent`, `path` and `checkpoint`.

    A folder of the format t2i-pool/1 is sent as its files, by tus to `/uploads/files/`, each named
    by its path in it; or it lies where an operator has opened it (API_FOLDERS). Of a checkpoint the
    samples for `prompt_set` are taken, `seeds` a prompt.
    """

    name: Annotated[Name, Field(max_length=LONGEST_NAME)]
    sent: list[Annotated[str, Field(max_length=40)]] = Field(
        [], max_length=MOST_FILES, description="The last parts of the files' addresses."
    )
    path: Text = ""
    checkpoint: Name | None = None
    prompt_set: PromptSetName | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] = STEPS
    guidance: Annotated[float, Field(ge=0, le=100)] = GUIDANCE
    licence: str = Field("", max_length=200, description="Of the samples, as an SPDX id.")


class StageIn(GoldGiven):
    """A stage over what the one before has kept. Its gold are images in `excellent/` and `bad/`,
    mixed in unseen, and examples in `accepted/` and `rejected/`.
    """

    kind: Kind
    k: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="Null: the usual.")
    keep: Literal["any", "all"] | None = Field(None, description="Null: the usual of the kind.")
    heads: Annotated[list[Text], Field(max_length=9)] = []
    target: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    people: Annotated[list[Text], Field(max_length=500)] = Field(
        [], description="Labels of those who are invited; nobody else takes part then."
    )
    question: Text = Field("", description="Empty: the usual.")
    grid: Annotated[int, Field(ge=0, le=12)] = Field(
        0, description="Images on one screen; 0: one after another."
    )


class OpenedStageOut(Schema):
    """A stage that was opened."""

    stage: StageOut
    invitations: list[InvitedOut]


class StageCloseIn(Given):
    """How a stage is closed."""

    unfinished: bool = Field(False, description="Also while judgements are missing.")


class PoolExportAsked(Schema):
    """What an export may leave open."""

    allow_unknown_licence: bool = False
    allow_imported_captions: bool = False


@routes.reads("/pools", Page[PoolOut])
def list_pools(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Pools of your projects, the latest first."""
    return page_of(
        visible_to(request.user, pools()), paging, lambda row: PoolOut(**_told(row, request)),
        latest_first=True,
    )  # fmt: skip


@routes.makes("/pools", JobOut, scope=Scope.CAMPAIGNS, status=202)
def import_pool(request: HttpRequest, given: PoolIn) -> JobOut:
    """Let a worker bring a pool. Of samples that are not made yet the workers are asked for, and
    the pool is made once they are there. Until then the job is `queued`, its note says how far.
    """
    project = project_to_create_in(request.user, given.project)
    check_name(given.name)
    if sum(map(bool, (given.sent, given.path, given.checkpoint))) != 1:
        raise BadInputError("give sent, path or checkpoint: one of them.")
    folders_allowed(given.path)
    sampled = (given.checkpoint, given.prompt_set, given.seeds)
    if any(sampled) and not all(sampled):
        raise BadInputError("checkpoint, prompt_set and seeds go together.")
    asked, user = given.model_dump(exclude={"project", "sent"}), _user(request)
    if given.checkpoint and given.prompt_set:
        return job_shown(ask_for_pool(project=project, asked=asked, user=user))
    return job_shown(
        queue_job(project=project, kind=JobKind.POOL, user=user, sent=given.sent, asked=asked)
    )


@routes.reads(_AT, PoolDetailOut)
def get_pool(request: HttpRequest, name: str) -> PoolDetailOut:
    """One pool: funnel, concepts, and of each stage the people, their recall and agreement."""
    pool, now = _found(request, name), timezone.now()
    captions = caption_figures(pool)
    return PoolDetailOut(
        **_told(pool, request), is_simulated=figures.is_simulated(pool),
        funnel=[FunnelBarOut(**vars(each)) for each in figures.funnel_of(pool)],
        concepts=[ConceptOut(**vars(each)) for each in figures.concepts_of(pool)],
        stages=[
            _stage(each, request, now)
            for each in pool.stages.select_related("campaign").order_by("number")
        ],
        captions_approved=captions.approved, captions_wanted=captions.wanted,
        caption_round=round_going_on(pool, request, now),
        approvers=[_approver(each) for each in people.approvers_of(pool)],
    )  # fmt: skip


@routes.makes(_AT + "/stages", OpenedStageOut, scope=Scope.CAMPAIGNS)
def open_pool_stage(request: HttpRequest, name: str, given: StageIn) -> OpenedStageOut:
    """Open a stage as a campaign; whoever is invited gets a link, told in this answer alone."""
    pool, now = _steered(request, name), timezone.now()
    with gold_of(given, pool.project, request) as gold:
        plan = StagePlan(**given.model_dump(exclude={"gold_sent", "gold_path"}), gold=gold)
        opened = open_stage(pool=pool, plan=plan, now=now, created_by=_user(request))
    return OpenedStageOut(
        stage=_stage(opened.stage, request, now),
        invitations=invited(opened.stage.campaign, opened.invitations, request),
    )


@routes.does(_STAGE + "/close", StageOut, scope=Scope.CAMPAIGNS)
def close_pool_stage(request: HttpRequest, name: str, kind: Kind, given: StageCloseIn) -> StageOut:
    """Close a stage: it decides what is kept. This cannot be taken back."""
    pool, now = _steered(request, name), timezone.now()
    stage = pool.stages.filter(kind=kind).first()
    if stage is None:
        raise Http404
    if stage.closed_at is None:
        stage = close_stage(
            stage=stage, now=now, closed_by=_user(request), unfinished=given.unfinished
        )
    return _stage(stage, request, now)


@routes.reads(
    _AT + "/export",
    None,
    scope=Scope.VOTES,
    openapi_extra={"responses": {200: {
        "description": "The data set folder as a tar file.",
        "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
    }}},
)  # fmt: skip
def export_pool_data(
    request: HttpRequest, name: str, asked: Query[PoolExportAsked]
) -> StreamingHttpResponse:
    """What is kept, as the data set folder that the trainer reads, with every decision."""
    pool = _found(request, name)
    pieces = pool_archive(
        pool=pool, allow_unknown_licence=asked.allow_unknown_licence,
        allow_imported_captions=asked.allow_imported_captions,
    )  # fmt: skip
    answer = StreamingHttpResponse(pieces, content_type="application/x-tar")
    answer["Content-Disposition"] = f'attachment; filename="{pool.name}.tar"'
    return answer


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _found(request: HttpRequest, name: str) -> Pool:
    found: Pool | None = visible_to(request.user, pools()).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _steered(request: HttpRequest, name: str) -> Pool:
    return steered_or_404(request.user, pools(), Role.EDITOR, name=name)


def _told(pool: Pool, request: HttpRequest) -> dict[str, Any]:
    return {
        "name": pool.name, "project": pool.project.name, "origin": pool.origin,
        "source": pool.source, "images": pool.collection.image_count,
        "left": kept_so_far(pool).count(), "rules_sha256": pool.rules_sha256,
        "scores_sha256": pool.scores_sha256, "created_at": pool.created_at,
        "page": site_link(reverse("curation:pool", args=[pool.name]), request),
    }  # fmt: skip


def _stage(stage: Stage, request: HttpRequest, now: datetime) -> StageOut:
    pace = figures.pace_of(stage, now)
    closed = stage.closed_at is not None
    return StageOut(
        number=stage.number, kind=stage.kind, campaign=stage.campaign.slug, keep=stage.keep,
        target=stage.target, opened_at=stage.opened_at, closed_at=stage.closed_at,
        kept=stage.promotions.filter(kept=True).count() if closed else None,
        judgements=pace.done, judgements_wanted=pace.total, seconds_left=pace.seconds_left,
        annotators_link=annotators_link(stage.campaign, request),
        people=[_person(each) for each in people.people_of(stage)],
        agreement=[
            HeadOut(
                head=each.head, failed=each.failed, judgements=each.judgements,
                alpha=each.alpha.value, low=each.alpha.low, high=each.alpha.high,
            )
            for each in figures.agreement_of(stage)
        ],
    )  # fmt: skip


def _person(each: people.PersonFigures) -> PoolPersonOut:
    return PoolPersonOut(
        pseudonym=each.pseudonym, is_simulated=each.is_simulated, kept=_share(each.kept),
        excellent=_share(each.excellent), bad=_share(each.bad), a_minute=each.a_minute,
    )  # fmt: skip


def _approver(each: people.ApproverFigures) -> ApproverOut:
    return ApproverOut(
        pseudonym=each.pseudonym, is_simulated=each.is_simulated, approved=_share(each.approved),
        right=_share(each.right), wrong=_share(each.wrong), a_minute=each.a_minute,
    )  # fmt: skip


def _share(share: Proportion) -> ProportionOut:
    return ProportionOut(
        hits=share.hits, total=share.total, value=share.value, low=share.low, high=share.high
    )
