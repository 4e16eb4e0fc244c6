"""Prompt sets that are built from a log: begun with a file that was sent, read, kept."""

from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    projects_of,
    steered_or_404,
)
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, InProjectGiven, JsonObject, Name, Text, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routes.prompt_sets import PromptSetOut, prompt_set_shown
from evalplatform.api.routing import Routes
from evalplatform.promptsets.models import LogBuild
from evalplatform.promptsets.services import log_builds
from evalplatform.promptsets.services.log_choices import (
    LISTS,
    MOST_LIST_BYTES,
    LogChoices,
    list_of_file,
)

routes = Routes(tags=["prompt sets"])
_LIST = Literal["categories", "unsafe", "keywords", "stylized", "names"]


class LogBuildOut(Schema):
    """A log that was brought, and the prompts that are built from it."""

    id: int
    project: str
    file_name: str
    size_bytes: int
    columns: list[str] = Field(description="None of plain text.")
    state: str = words(LogBuild.State.values)
    stage: str = Field(description="What a worker is at.")
    share: float = Field(description="Of this stage, in [0, 1].")
    error: str
    funnel: JsonObject | None = Field(description="Lines and dropped lines of each stage, by why.")
    prompt_set: str | None = Field(description="NAME@VERSION, once it is kept.")
    created_at: datetime


class LogBuildIn(InProjectGiven):
    """A log that was sent by tus to `/uploads/files/`, and what to take of it."""

    sent: str = Field(max_length=40, description="The last part of the file's address.")
    column: str = Field("", max_length=200, description="Of the prompts; empty: by its name.")
    category_column: str = Field("", max_length=200, description="Empty: by its name, or none.")
    size: int = Field(2100, ge=1, le=100_000, description="Prompts in the set.")
    seed: int = Field(0, ge=0, lt=2**63)
    languages: list[Text] = Field(["en"], max_length=20, description="None: every language.")
    near: float = Field(
        0.8, ge=0.3, le=1, description="Share of 5-grams from which two prompts are alike."
    )
    strip: bool = Field(True, description="Take prompt engineering off.")
    shares: dict[str, float] = Field({}, description="Weights by category; empty: as ours are.")
    lists: dict[_LIST, str] = Field(
        {}, description=f"Texts of lists in place of ours, each up to {MOST_LIST_BYTES:,} bytes."
    )
    moderate: bool = False
    reword: bool = False


class KeepIn(Given):
    """What the set is called."""

    name: Name
    licence: str = Field("", max_length=200)


@routes.reads("/log-builds", Page[LogBuildOut])
def list_log_builds(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Logs that were brought to your projects, the latest first; they go after two weeks."""
    rows = _rows().filter(project__in=projects_of(request.user, Role.EDITOR))
    return page_of(rows, paging, _shown, latest_first=True)


@routes.makes("/log-builds", LogBuildOut, scope=Scope.MODELS, status=202)
def start_log_build(request: HttpRequest, given: LogBuildIn) -> LogBuildOut:
    """Let a worker build prompts from a log that was sent; the file is used up."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    told = given.model_dump(exclude={"project", "sent", "lists", "languages"})
    choices = LogChoices(
        **told, languages=tuple(given.languages),
        lists={name: list_of_file(name, text.encode()) for name, text in given.lists.items()},
    )  # fmt: skip
    build = log_builds.start_build(
        project=project, user=request.user, sent=given.sent, choices=choices, now=timezone.now()
    )
    return _shown(build)


@routes.reads("/log-builds/{int:key}", LogBuildOut)
def get_log_build(request: HttpRequest, key: int) -> LogBuildOut:
    """How far a build is, or what became of it."""
    build = _found(request, key)
    log_builds.wake_silent(build=build, now=timezone.now())
    return _shown(build)


@routes.does("/log-builds/{int:key}/keep", PromptSetOut, scope=Scope.MODELS)
def keep_log_build(request: HttpRequest, key: int, given: KeepIn) -> PromptSetOut:
    """Keep what was built as a prompt set; a known name gets its next version."""
    build = _found(request, key)
    kept = log_builds.keep_build(build=build, name=given.name, licence=given.licence)
    return prompt_set_shown(kept)


@routes.removes("/log-builds/{int:key}", scope=Scope.MODELS)
def forget_log_build(request: HttpRequest, key: int) -> None:
    """Throw a log away with what was built from it; a set that was kept stays."""
    log_builds.forget_build(build=_found(request, key))


def _rows() -> QuerySet[LogBuild]:
    return LogBuild.objects.select_related("project", "prompt_set")


def _found(request: HttpRequest, key: int) -> LogBuild:
    return steered_or_404(request.user, _rows(), Role.EDITOR, pk=key)


def _shown(row: LogBuild) -> LogBuildOut:
    return LogBuildOut(
        id=row.pk, project=row.project.name, file_name=row.file_name, size_bytes=row.size_bytes,
        columns=row.columns, state=row.state, stage=row.doing, share=row.share, error=row.error,
        funnel=(row.recipe or {}).get("funnel"),
        prompt_set=str(row.prompt_set) if row.prompt_set else None, created_at=row.created_at,
    )  # fmt: skip


assert set(_LIST.__args__) == set(LISTS)  # type: ignore[attr-defined]  # a Literal's
