"""Exports of a campaign: asked for, watched, downloaded, removed."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Field, Query, Schema, Status

from evalplatform.accounts.models import User
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, JsonObject, Text, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.campaigns import campaign_of, steered_campaign
from evalplatform.api.routing import Routes
from evalplatform.exports import services
from evalplatform.exports.kinds import KINDS
from evalplatform.exports.models import Export
from evalplatform.exports.options import checked_options, options_from
from evalplatform.exports.sending import send_export

routes = Routes(tags=["exports"])
Some = Annotated[list[Text], Field(max_length=100)]
_AT = "/campaigns/{slug}/exports"
_USUAL = "Null: as is usual of the kind."


class ExportIn(Given):
    """What to export; what is left out is as is usual of the kind."""

    kind: str = words(list(KINDS))
    rows: Literal["vote", "pair", "consensus"] | None = Field(
        None, description=f"What a row is. {_USUAL}"
    )
    criteria: Some = Field([], description="Slugs; none for all.")
    categories: Some = []
    tags: Some = []
    with_excluded: bool | None = Field(
        None, description=f"Also votes of excluded annotators. {_USUAL}"
    )
    ties: Literal["keep", "drop"] | None = Field(None, description=_USUAL)
    split: Annotated[list[int], Field(min_length=3, max_length=3)] | None = Field(
        None, description="Per cent of prompts in train, validation and test: [80, 10, 10]."
    )
    images: Literal["embed", "path", "none"] | None = Field(None, description=_USUAL)
    image_format: Literal["png", "jpg"] | None = Field(None, description=_USUAL)
    missing_images: Literal["fail", "mark"] = Field(
        "fail", description="What becomes of the export where the store has lost an image."
    )
    blind: bool = Field(False, description="Leave out what arms are called, and their weights.")
    for_excel: bool = False
    licence: str = Field("", max_length=60, description="Such as cc-by-4.0.")
    consent: str = Field("", max_length=4000, description="What annotators agreed to.")


class ExportOut(Schema):
    """An export: ask again until it is done or failed; its file is kept for a while."""

    id: UUID
    campaign: str
    kind: str = words(list(KINDS))
    options: JsonObject
    command: str = Field(description="Makes the same on the server.")
    state: str = words([each for each in Export.State.values if each != Export.State.REMOVED])
    rows: int = Field(description="Written so far.")
    rows_expected: int | None
    share: float | None = Field(description="How much is written, in [0, 1]; null: not known.")
    error: str
    asked_by: str | None
    asked_at: datetime
    finished_at: datetime | None
    removed_after: datetime | None
    file_name: str
    size_bytes: int
    sha256: str
    files: dict[str, str] = Field(description="SHA-256 of each file in the archive.")


@routes.reads(_AT, Page[ExportOut])
def list_exports(request: HttpRequest, slug: str, paging: Query[Paging]) -> dict[str, Any]:
    """Exports of a campaign, the latest first, without those removed."""
    campaign = campaign_of(request, slug)
    services.wake_silent(campaign=campaign, now=timezone.now())
    rows = campaign.exports.exclude(state=Export.State.REMOVED)
    rows = rows.select_related("campaign", "asked_by")
    return page_of(rows, paging, _shown, latest_first=True)


@routes.makes(_AT, ExportOut, scope=Scope.CAMPAIGNS, status=202)
def create_export(request: HttpRequest, slug: str, given: ExportIn) -> ExportOut:
    """Let a worker make an export; one that is being made with the same options is answered."""
    campaign = steered_campaign(request, slug)
    assert isinstance(request.user, User)
    asked = {
        "kind": given.kind, "grain": given.rows, "criteria": given.criteria,
        "categories": given.categories, "tags": given.tags, "ties": given.ties,
        "splits": given.split, "images": given.images, "image_format": given.image_format,
        "missing": given.missing_images, "is_blind": given.blind, "for_excel": given.for_excel,
        "licence": given.licence, "consent": given.consent, "with_excluded": given.with_excluded,
    }  # fmt: skip
    options = checked_options(campaign, asked)
    return _shown(services.request_export(campaign=campaign, options=options, user=request.user))


@routes.reads(_AT + "/{identifier}", ExportOut)
def get_export(request: HttpRequest, slug: str, identifier: UUID) -> ExportOut:
    """How far an export is, or what became of it."""
    found = _found(request, slug, identifier)
    services.wake_silent(campaign=found.campaign, now=timezone.now())
    return _shown(found)


@routes.reads(
    _AT + "/{identifier}/file",
    None,
    scope=Scope.VOTES,
    openapi_extra={"responses": {
        200: {"description": "The archive; its ETag is its SHA-256.",
              "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The bytes that Range asks for.",
              "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is the one that If-None-Match names."},
        416: {"description": "Range begins behind its end."},
    }},
)  # fmt: skip
def download_export(request: HttpRequest, slug: str, identifier: UUID) -> HttpResponseBase:
    """Its archive; a download that broke goes on by Range."""
    return send_export(request, _found(request, slug, identifier))


@routes.removes(_AT + "/{identifier}", scope=Scope.CAMPAIGNS)
def delete_export(request: HttpRequest, slug: str, identifier: UUID) -> Status:
    """Remove its file, or stop one that is being made."""
    steered_campaign(request, slug)
    services.remove_export(export=_found(request, slug, identifier))
    return Status(204, None)


def _found(request: HttpRequest, slug: str, identifier: UUID) -> Export:
    rows = campaign_of(request, slug).exports.exclude(state=Export.State.REMOVED)
    found = rows.select_related("campaign", "asked_by").filter(public_id=identifier).first()
    if found is None:
        raise Http404
    return found


def _shown(row: Export) -> ExportOut:
    command = options_from(row.options).asked_on_the_command_line(row.campaign.slug)
    return ExportOut(
        id=row.public_id, campaign=row.campaign.slug, kind=row.kind, options=row.options,
        command=command, state=row.state, rows=row.rows, rows_expected=row.rows_expected,
        share=row.share_made, error=row.error,
        asked_by=row.asked_by.get_username() if row.asked_by else None, asked_at=row.asked_at,
        finished_at=row.finished_at, removed_after=row.removed_after, file_name=row.file_name,
        size_bytes=row.size_bytes, sha256=row.sha256, files=row.files,
    )  # fmt: skip
