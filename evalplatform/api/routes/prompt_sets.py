"""Prompt sets: imported from a file, listed, looked at."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Field, File, Form, Query, Schema
from ninja.files import UploadedFile

from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    steered_or_404,
    visible_to,
)
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, InProjectGiven, Name
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.campaigns.selectors import sets_of_no_series
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.prompts import LONGEST_LABEL
from evalplatform.promptsets.reading.source import MAX_FILE_BYTES
from evalplatform.promptsets.services import import_prompt_set as import_it
from evalplatform.promptsets.services import tag_by_hand, tag_by_rule

routes = Routes(tags=["prompt sets"])
_VERSION = "/prompt-sets/{name}/{int:version}"
_MOST_TAGGED = 100_000


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


class TagIn(Given):
    """A tag, and the prompts that get it or lose it."""

    tag: str = Field(min_length=1, max_length=LONGEST_LABEL, description="Without a comma.")
    positions: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=_MOST_TAGGED)
    ]
    take: bool = Field(False, description="Take the tag from them instead.")


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


@routes.reads(_VERSION, PromptSetOut)
def get_prompt_set(request: HttpRequest, name: str, version: int) -> PromptSetOut:
    """One version of a prompt set."""
    return prompt_set_shown(_found(request, name, version))


@routes.reads(_VERSION + "/prompts", Page[PromptOut])
def list_prompts(
    request: HttpRequest, name: str, version: int, paging: Query[Paging]
) -> dict[str, Any]:
    """Its prompts, in the file's order."""
    return page_of(_found(request, name, version).prompts.all(), paging, _prompt)


@routes.makes(_VERSION + "/tags", PromptSetOut, scope=Scope.MODELS)
def tag_prompts(request: HttpRequest, name: str, version: int, given: TagIn) -> PromptSetOut:
    """Give prompts a tag, or take it; the answer is the version that has it so. This one stays as
    it is, and where nothing changes it is the answer.
    """
    found = _steered(request, name, version)
    made = tag_by_hand(
        prompt_set=found, tag=given.tag, positions=given.positions, add=not given.take,
        by=request.user.get_username(),
    )  # fmt: skip
    return prompt_set_shown(made)


@routes.makes(_VERSION + "/tags/stylized", PromptSetOut, scope=Scope.MODELS)
def tag_stylized(request: HttpRequest, name: str, version: int) -> PromptSetOut:
    """Tag as stylized what the site's words say, and nothing else; answered as `tag_prompts`."""
    return prompt_set_shown(tag_by_rule(prompt_set=_steered(request, name, version)))


def _steered(request: HttpRequest, name: str, version: int) -> PromptSet:
    if version >= 2**31:
        raise Http404
    rows = PromptSet.objects.select_related("project")
    return steered_or_404(request.user, rows, Role.EDITOR, name=name, version=version)


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
