"""Prompt sets: imported from a file, listed, looked at."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Field, File, Form, Query, Schema
from ninja.files import UploadedFile

from evalplatform.accounts.projects import project_to_create_in, visible_to
from evalplatform.api.callers import Scope
from evalplatform.api.fields import InProjectGiven, Name
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.campaigns.selectors import sets_of_no_series
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.source import MAX_FILE_BYTES
from evalplatform.promptsets.services import import_prompt_set as import_it

routes = Routes(tags=["prompt sets"])


class PromptSetOut(Schema):
    """A version of a prompt set."""

    name: str
    version: int
    project: str
    is_shared: bool
    sha256: str
    source: str
    licence: str
    imported_at: datetime
    prompts: int = Field(description="How many.")


class PromptSetImported(PromptSetOut):
    """A prompt set that was imported, or was there already."""

    is_new: bool
    notes: list[str]


class PromptOut(Schema):
    """A prompt."""

    position: int
    text: str
    category: str
    challenge: str
    note: str
    tags: list[str]


class PromptSetIn(InProjectGiven):
    """What is said of the file."""

    name: Name
    format: Literal["tsv", "csv", "json", "jsonl", "parquet", "txt"] | None = Field(
        None, description="Null: by the file's ending."
    )
    licence: str = Field("", max_length=200)
    sha256: str | None = Field(None, max_length=64, description="The file's, to be sure of it.")
    drop_repeats: bool = False


@routes.reads("/prompt-sets", Page[PromptSetOut])
def list_prompt_sets(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Prompt sets of your projects and shared ones, every version; not those that flows make."""
    return page_of(sets_of_no_series(_visible(request)), paging, prompt_set_shown)


@routes.makes("/prompt-sets", PromptSetImported, scope=Scope.MODELS)
def import_prompt_set(
    request: HttpRequest, file: File[UploadedFile], given: Form[PromptSetIn]
) -> PromptSetImported:
    """Import a file as a prompt set; changed content becomes the next version."""
    project = project_to_create_in(request.user, given.project)
    name = Path(file.name or "").name
    if not name.isprintable() or not 1 <= len(name) <= 200:
        raise BadInputError("the file has no name that can be printed; name it prompts.tsv, say.")
    if (file.size or 0) > MAX_FILE_BYTES:
        raise BadInputError(f"the file is over {MAX_FILE_BYTES // 2**20} MiB; split it.")
    with tempfile.TemporaryDirectory(prefix="prompts-") as folder:
        path = Path(folder) / name
        with path.open("xb") as out:
            for chunk in file.chunks():
                out.write(chunk)
        imported = import_it(
            project=project, name=given.name, source=str(path), format=given.format,
            licence=given.licence or None, sha256=given.sha256, drop_repeats=given.drop_repeats,
        )  # fmt: skip
    shown = prompt_set_shown(imported.prompt_set)
    return PromptSetImported(
        **shown.model_dump(), is_new=imported.is_new, notes=[str(each) for each in imported.notes]
    )


@routes.reads("/prompt-sets/{name}/{int:version}", PromptSetOut)
def get_prompt_set(request: HttpRequest, name: str, version: int) -> PromptSetOut:
    """One version of a prompt set."""
    return prompt_set_shown(_found(request, name, version))


@routes.reads("/prompt-sets/{name}/{int:version}/prompts", Page[PromptOut])
def list_prompts(
    request: HttpRequest, name: str, version: int, paging: Query[Paging]
) -> dict[str, Any]:
    """Its prompts, in the file's order."""
    return page_of(_found(request, name, version).prompts.all(), paging, _prompt)


def _visible(request: HttpRequest) -> Any:
    return visible_to(request.user, PromptSet.objects.select_related("project"))


def _found(request: HttpRequest, name: str, version: int) -> PromptSet:
    if version >= 2**31:
        raise Http404
    found: PromptSet | None = _visible(request).filter(name=name, version=version).first()
    if found is None:
        raise Http404
    return found


def prompt_set_shown(row: PromptSet) -> PromptSetOut:
    """Return a prompt set as an answer shows it."""
    return PromptSetOut(
        name=row.name, version=row.version, project=row.project.name, is_shared=row.is_shared,
        sha256=row.sha256, source=row.source, licence=row.licence, imported_at=row.imported_at,
        prompts=row.prompts.count(),
    )  # fmt: skip


def _prompt(row: Prompt) -> PromptOut:
    return PromptOut(
        position=row.position, text=row.text, category=row.category, challenge=row.challenge,
        note=row.note, tags=row.tags,
    )  # fmt: skip
