"""Images that were sent, imported as collections by a worker."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    projects_of,
    steered_or_404,
)
from evalplatform.api.callers import Scope
from evalplatform.api.fields import InProjectGiven, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.collections import SaidOfImages
from evalplatform.api.routing import Routes
from evalplatform.images.models import ImageImport
from evalplatform.images.services import sent_imports
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.uploads.services import MOST_FILES

routes = Routes(tags=["image collections"])


class ImageImportOut(Schema):
    """Images that were sent: how far their import is, or what became of it."""

    id: int
    project: str
    name: str
    sent: str = Field(description="What was sent, in words.")
    size_bytes: int
    state: str = words(ImageImport.State.values)
    done: int = Field(description="Images that are stored.")
    total: int = Field(description="0: not counted yet.")
    error: str
    faults: list[str] = Field(description="Rows that were refused or left out, in lines.")
    missing: int = Field(description="Prompts without an image.")
    collection: str | None
    created_at: datetime


class ImageImportIn(InProjectGiven, SaidOfImages):
    """Files that were sent by tus to `/uploads/files/`, and what they are.

    Images, a table that names them, Parquet, or zip, tar, tar.gz or tgz archives of any of it.
    """

    sent: list[str] = Field(
        min_length=1, max_length=MOST_FILES, description="The last parts of their addresses."
    )


@routes.reads("/image-imports", Page[ImageImportOut])
def list_image_imports(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Imports of images that were sent, the latest first; they go after two weeks."""
    rows = _rows().filter(project__in=projects_of(request.user, Role.EDITOR))
    return page_of(rows, paging, _shown, latest_first=True)


@routes.makes("/image-imports", ImageImportOut, scope=Scope.MODELS, status=202)
def start_image_import(request: HttpRequest, given: ImageImportIn) -> ImageImportOut:
    """Let a worker import what was sent, all or none; the files are used up."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    begun = sent_imports.begin_import(
        project=project, user=request.user, sent=given.sent, plan=_plan(given, project),
        now=timezone.now(),
    )  # fmt: skip
    return _shown(begun)


@routes.reads("/image-imports/{int:key}", ImageImportOut)
def get_image_import(request: HttpRequest, key: int) -> ImageImportOut:
    """How far an import is, or what became of it."""
    begun = _found(request, key)
    sent_imports.wake_silent_import(begun=begun, now=timezone.now())
    return _shown(begun)


@routes.does("/image-imports/{int:key}/again", ImageImportOut, scope=Scope.MODELS)
def repeat_image_import(request: HttpRequest, key: int, given: SaidOfImages) -> ImageImportOut:
    """Try a failed import again with other words; nothing is sent anew."""
    begun = _found(request, key)
    plan = _plan(given, begun.project)
    sent_imports.import_again(begun=begun, plan=plan, now=timezone.now())
    return _shown(begun)


@routes.removes("/image-imports/{int:key}", scope=Scope.MODELS)
def forget_image_import(request: HttpRequest, key: int) -> None:
    """Throw away what was sent; a collection that was made of it stays."""
    sent_imports.forget_image_import(begun=_found(request, key))


def _plan(given: SaidOfImages, project: Project) -> sent_imports.SentImport:
    told = given.model_dump(exclude={"project", "sent", "prompt_set"})
    prompts = prompt_set_named(given.prompt_set, project) if given.prompt_set else None
    return sent_imports.SentImport(**told, prompt_set=prompts)


def _rows() -> QuerySet[ImageImport]:
    return ImageImport.objects.select_related("project", "collection")


def _found(request: HttpRequest, key: int) -> ImageImport:
    return steered_or_404(request.user, _rows(), Role.EDITOR, pk=key)


def _shown(row: ImageImport) -> ImageImportOut:
    return ImageImportOut(
        id=row.pk, project=row.project.name, name=row.name, sent=row.sent,
        size_bytes=row.size_bytes, state=row.state, done=row.done, total=row.total,
        error=row.error, faults=row.faults, missing=row.missing,
        collection=row.collection.name if row.collection else None, created_at=row.created_at,
    )  # fmt: skip
