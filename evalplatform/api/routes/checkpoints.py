"""The registry of checkpoints, and what is on its way into it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import (
    Asking,
    Role,
    project_to_create_in,
    steered_or_404,
    visible_to,
)
from evalplatform.api.callers import Scope
from evalplatform.api.fields import InProjectGiven, JsonObject, Name, Text, words
from evalplatform.api.jobs import (
    JobKind,
    check_registering,
    folders_allowed,
    places_allowed,
    queue_job,
)
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.selectors import parent_of, tuned_from
from evalplatform.checkpoints.services import (
    restore_checkpoint as restore,
)
from evalplatform.checkpoints.services import (
    retire_checkpoint as retire,
)
from evalplatform.checkpoints.services import (
    wake_stalled_uploads,
)

routes = Routes(tags=["checkpoints"])
RoleName = Literal["pretrained", "quality_tuned", "baseline", "preference_tuned", "external"]
PartName = Literal["unet", "transformer", "vae", "text_encoder", "text_encoder_2"]


class CheckpointSummary(Schema):
    """A checkpoint as lists show it."""

    name: str
    project: str
    is_shared: bool
    status: str = words(Checkpoint.Status.values)
    role: str = words(Checkpoint.Role.values)
    family: str
    sha256: str
    parent: str | None = Field(description="What it was tuned from, where you may see that.")
    parent_sha256: str | None
    origin: JsonObject
    licences: list[str]
    parameters: dict[str, int]
    size_bytes: int
    registered_at: datetime
    retired_at: datetime | None
    page: str


class CheckpointOut(CheckpointSummary):
    """A checkpoint with its configuration and provenance."""

    config: JsonObject
    training: JsonObject
    children: list[str]
    retired_by: str | None


class CheckpointsOf(Paging):
    """Which checkpoints."""

    status: Literal["verified", "retired"] | None = None


class LoraIn(Schema):
    """A LoRA's file or folder on the server, and how much of it is added."""

    path: Text
    scale: float = Field(1.0, ge=-100, le=100)


class CheckpointIn(InProjectGiven):
    """A checkpoint to be registered by a worker: from the server's disk, a hub, or a base."""

    source: Text | None = Field(
        None,
        description="hub:ORG/NAME[@REVISION] where the operator allows hubs, or a path below one "
        "of the folders that the operator allows.",
    )
    name: Name | None = None
    role: RoleName | None = None
    config: Text | None = Field(None, description="Of a single file: a pipeline's folder.")
    variant: Annotated[str, Field(max_length=40)] | None = None
    weights: Literal["ema", "plain"] | None = None
    base: Name | None = Field(None, description="A registered checkpoint that is changed.")
    loras: Annotated[list[LoraIn], Field(max_length=20)] = []
    parts: dict[PartName, Text] = Field({}, description="Paths of parts put into the base.")


class UploadOut(Schema):
    """An upload by tus, and what became of it."""

    id: UUID
    project: str
    file_name: str
    base: str | None = Field(description="The checkpoint it is put into; null: it is whole.")
    part: str = words(["", *Upload.Part.values])
    scale: float = Field(description="How much of a LoRA is added.")
    weights: str = words(["", *Upload.Weights.values])
    status: str = words(Upload.Status.values)
    received_bytes: int
    size_bytes: int
    reason: str
    checkpoint: str | None
    created_at: datetime


@routes.reads("/checkpoints", Page[CheckpointSummary])
def list_checkpoints(request: HttpRequest, paging: Query[CheckpointsOf]) -> dict[str, Any]:
    """Checkpoints of your projects and shared ones, by name."""
    rows = visible_to(request.user, Checkpoint.objects.select_related("project"))
    if paging.status:
        rows = rows.filter(status=paging.status)
    return page_of(
        rows, paging, lambda each: CheckpointSummary(**_summary(each, request.user)), by="name"
    )


@routes.makes("/checkpoints", JobOut, scope=Scope.MODELS, status=202)
def register_checkpoint(request: HttpRequest, given: CheckpointIn) -> JobOut:
    """Let a worker verify and register a checkpoint; the answer is its job."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    check_registering(given.model_dump())
    loras = [each.path for each in given.loras]
    places_allowed(given.source)
    folders_allowed(given.config, *given.parts.values(), *loras)
    job = queue_job(
        project=project, kind=JobKind.REGISTER, asked=given.model_dump(), user=request.user
    )
    return job_shown(job)


@routes.reads("/checkpoints/{name}", CheckpointOut)
def get_checkpoint(request: HttpRequest, name: str) -> CheckpointOut:
    """One checkpoint with its configuration and provenance."""
    rows = Checkpoint.objects.select_related("project", "retired_by")
    found = visible_to(request.user, rows).filter(name=name).first()
    if found is None:
        raise Http404
    return _shown(found, request.user)


@routes.does("/checkpoints/{name}/retire", CheckpointOut, scope=Scope.MODELS)
def retire_checkpoint(request: HttpRequest, name: str) -> CheckpointOut:
    """Let no new campaign take it; what was made with it stays."""
    found = steered_or_404(request.user, Checkpoint.objects.all(), Role.EDITOR, name=name)
    assert isinstance(request.user, User)
    retire(checkpoint=found, user=request.user, now=timezone.now())
    return _shown(found, request.user)


@routes.does("/checkpoints/{name}/restore", CheckpointOut, scope=Scope.MODELS)
def restore_checkpoint(request: HttpRequest, name: str) -> CheckpointOut:
    """Let new campaigns take a retired checkpoint again."""
    found = steered_or_404(request.user, Checkpoint.objects.all(), Role.EDITOR, name=name)
    restore(checkpoint=found)
    return _shown(found, request.user)


@routes.reads("/uploads", Page[UploadOut], scope=Scope.MODELS)
def list_uploads(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Uploads of your projects."""
    rows = visible_to(request.user, Upload.objects.select_related("project", "checkpoint", "base"))
    return page_of(rows, paging, _upload, by="id")


@routes.reads("/uploads/{identifier}", UploadOut, scope=Scope.MODELS)
def get_upload(request: HttpRequest, identifier: UUID) -> UploadOut:
    """How far an upload is, or what became of it."""
    wake_stalled_uploads(now=timezone.now())
    rows = visible_to(request.user, Upload.objects.select_related("project", "checkpoint", "base"))
    found = rows.filter(pk=identifier).first()
    if found is None:
        raise Http404
    return _upload(found)


def _summary(checkpoint: Checkpoint, user: Asking) -> dict[str, Any]:
    parent = parent_of(checkpoint, user)
    return {
        "name": checkpoint.name,
        "project": checkpoint.project.name,
        "is_shared": checkpoint.is_shared,
        "status": checkpoint.status,
        "role": checkpoint.role,
        "family": checkpoint.family,
        "sha256": checkpoint.sha256,
        "parent": parent.name if parent else None,
        "parent_sha256": checkpoint.parent_sha256,
        "origin": checkpoint.origin,
        "licences": checkpoint.licences,
        "parameters": checkpoint.parameters,
        "size_bytes": checkpoint.size_bytes,
        "registered_at": checkpoint.registered_at,
        "retired_at": checkpoint.retired_at,
        "page": reverse("registry:checkpoint", args=[checkpoint.name]),
    }


def _shown(checkpoint: Checkpoint, user: Asking) -> CheckpointOut:
    return CheckpointOut(
        **_summary(checkpoint, user),
        config=checkpoint.config,
        training=checkpoint.training,
        children=[child.name for child in tuned_from(checkpoint.sha256, user)],
        retired_by=checkpoint.retired_by.get_username() if checkpoint.retired_by else None,
    )


def _upload(row: Upload) -> UploadOut:
    return UploadOut(
        id=row.pk, project=row.project.name, file_name=row.file_name, status=row.status,
        base=row.base.name if row.base else None, part=row.part, scale=row.scale,
        weights=row.weights,
        received_bytes=row.received_bytes, size_bytes=row.size_bytes, reason=row.reason,
        checkpoint=row.checkpoint.name if row.checkpoint else None, created_at=row.created_at,
    )  # fmt: skip
