"""Image collections: imported from the server's disk, listed, retired."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
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
from evalplatform.api.fields import Given, InProjectGiven, JsonObject, Name, Text, words
from evalplatform.api.jobs import JobKind, folders_allowed, queue_job
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.services import restore_collection as restore
from evalplatform.images.services import retire_collection as retire

routes = Routes(tags=["image collections"])


class CollectionOut(Schema):
    """Images that exist already."""

    name: str
    project: str
    is_shared: bool
    model: str
    licence: str
    source: str
    prompt_set: str | None = Field(description="NAME@VERSION; null: a pool of photos.")
    status: str = words(ImageCollection.Status.values)
    sha256: str
    image_count: int
    created_at: datetime
    retired_at: datetime | None


class CollectedImageOut(Schema):
    """One of its images; the file is at `page`."""

    position: int
    prompt: str | None
    seed: int | None
    caption: str
    width: int
    height: int
    image_sha256: str
    metadata: JsonObject


class SaidOfImages(Given):
    """As the options of `manage.py import_images`."""

    name: Name
    model: str = Field(min_length=1, max_length=200, description="What made them.")
    prompt_set: Text = Field("", description="NAME or NAME@VERSION; empty: a pool of photos.")
    licence: str = Field("", max_length=200)
    source: Text = ""
    columns: dict[str, str] = {}
    skip_bad: bool = False


class CollectionIn(InProjectGiven, SaidOfImages):
    """Images to be imported by a worker, all or none."""

    path: Text = Field(description="Folder, .jsonl, .csv, .tsv or .parquet, where it is allowed.")


@routes.reads("/collections", Page[CollectionOut])
def list_collections(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Image collections of your projects and shared ones, by name."""
    return page_of(_visible(request), paging, _shown, by="name")


@routes.makes("/collections", JobOut, scope=Scope.MODELS, status=202)
def import_collection(request: HttpRequest, given: CollectionIn) -> JobOut:
    """Let a worker import images; the answer is its job."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    folders_allowed(given.path)
    job = queue_job(
        project=project, kind=JobKind.IMPORT, asked=given.model_dump(), user=request.user
    )
    return job_shown(job)


@routes.reads("/collections/{name}", CollectionOut)
def get_collection(request: HttpRequest, name: str) -> CollectionOut:
    """One image collection."""
    return _shown(_found(request, name))


@routes.reads("/collections/{name}/images", Page[CollectedImageOut])
def list_collected_images(request: HttpRequest, name: str, paging: Query[Paging]) -> dict[str, Any]:
    """Its images, in order."""
    rows = _found(request, name).images.select_related("prompt")
    return page_of(rows, paging, _image)


@routes.does("/collections/{name}/retire", CollectionOut, scope=Scope.MODELS)
def retire_collection(request: HttpRequest, name: str) -> CollectionOut:
    """Let no new campaign take it; what was made with it stays."""
    found = steered_or_404(request.user, ImageCollection.objects.all(), Role.EDITOR, name=name)
    assert isinstance(request.user, User)
    retire(collection=found, user=request.user, now=timezone.now())
    return _shown(found)


@routes.does("/collections/{name}/restore", CollectionOut, scope=Scope.MODELS)
def restore_collection(request: HttpRequest, name: str) -> CollectionOut:
    """Let new campaigns take a retired collection again."""
    found = steered_or_404(request.user, ImageCollection.objects.all(), Role.EDITOR, name=name)
    restore(collection=found)
    return _shown(found)


def _visible(request: HttpRequest) -> Any:
    return visible_to(request.user, ImageCollection.objects.select_related("project", "prompt_set"))


def _found(request: HttpRequest, name: str) -> ImageCollection:
    found: ImageCollection | None = _visible(request).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _shown(row: ImageCollection) -> CollectionOut:
    return CollectionOut(
        name=row.name, project=row.project.name, is_shared=row.is_shared, model=row.model,
        licence=row.licence, source=row.source,
        prompt_set=str(row.prompt_set) if row.prompt_set else None, status=row.status,
        sha256=row.sha256, image_count=row.image_count, created_at=row.created_at,
        retired_at=row.retired_at,
    )  # fmt: skip


def _image(row: CollectedImage) -> CollectedImageOut:
    return CollectedImageOut(
        position=row.position, prompt=row.prompt.text if row.prompt else None, seed=row.seed,
        caption=row.caption, width=row.width, height=row.height, image_sha256=row.image_sha256,
        metadata=row.metadata,
    )  # fmt: skip
