"""Importing prompt sets."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from evalplatform.accounts.models import Project
from evalplatform.core.errors import BadInputError
from evalplatform.core.locks import take_turn
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.columns import Chosen
from evalplatform.promptsets.reading.prompts import ENDINGS, FORMATS, PromptRow, read_prompts
from evalplatform.promptsets.reading.source import name_of, read_source
from evalplatform.promptsets.reading.words import shown

# Public sets we can name. The hash is of the file as its authors released it.
KNOWN_SETS = {
    "parti": {
        "format": "tsv",
        "licence": "Apache-2.0 (google-research/parti)",
        "sha256": "fab29e41bb512a169b56acab4cf2a41dcb675e285df2efcde6640c7dd3c440eb",
    },
}


class ImportedSet(NamedTuple):
    """A prompt set that was imported, whether it is new, and notes on how its file was read."""

    prompt_set: PromptSet
    is_new: bool
    notes: list[str]


def import_prompt_set(
    *,
    project: Project,
    name: str,
    source: str,
    format: str | None = None,
    licence: str | None = None,
    sha256: str | None = None,
    columns: Chosen | None = None,
    drop_repeats: bool = False,
) -> ImportedSet:
    """Import `source` (file or URL) as prompt set `name`.

    Versions of one name belong to one project.

    The same content under the same name is stored once; changed content is the next version. A
    set that is there keeps its licence, and another one is refused.
    `sha256`, where given, must be the file's; `columns` and `drop_repeats` are as in
    `read_prompts`. Raises `BadInputError`; then nothing is stored.
    """
    _check_words(name=name, licence=licence or "", source=source)
    content = read_source(source)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256.lower():
        raise BadInputError(
            f"{name_of(source)} has sha256 {digest}, expected {shown(sha256.lower())}; nothing was "
            "imported: get the file again or correct the hash."
        )
    return import_content(
        project=project,
        name=name,
        content=content,
        source=source,
        format=format,
        licence=licence,
        columns=columns,
        drop_repeats=drop_repeats,
    )


def import_content(
    *,
    project: Project,
    name: str,
    content: bytes,
    source: str,
    format: str | None = None,
    licence: str | None = None,
    columns: Chosen | None = None,
    drop_repeats: bool = False,
    recipe: dict[str, Any] | None = None,
) -> ImportedSet:
    """Import a file's content, as `import_prompt_set` does; `source` is what the file is called.

    `recipe` says, in JSON values, how prompts were built; it is kept with the set.
    """
    known = KNOWN_SETS.get(name, {})
    _check_words(name=name, licence=licence or "", source=source)
    file = read_prompts(
        content,
        format=format or format_of(source, known.get("format")),
        name=name_of(source),
        columns=columns,
        drop_repeats=drop_repeats,
    )
    digest = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        existing = versions_of(project, name)
        same = existing.filter(sha256=digest).first()
        if same:
            _refuse_another_reading(same, file.rows)
            refuse_another_licence(same, licence)
            if recipe is not None and same.recipe != recipe:
                raise BadInputError(
                    f"{same} has these prompts already, and is not built in this way; give the set "
                    "another name."
                )
            return ImportedSet(same, False, file.notes)
        latest = existing.order_by("-version").first()
        prompt_set = PromptSet.objects.create(
            project=project,
            name=name,
            version=latest.version + 1 if latest else 1,
            sha256=digest,
            source=source if "://" in source else _file_name(source),
            licence=licence or (known["licence"] if digest == known.get("sha256") else ""),
            recipe=recipe,
        )
        store_prompts(prompt_set, file.rows)
    return ImportedSet(prompt_set, True, file.notes)


def versions_of(project: Project, name: str) -> QuerySet[PromptSet]:
    """Return the versions there are of a prompt set; others who ask wait for this transaction.

    Raises `BadInputError` for a name that another project has taken.
    """
    take_turn(f"prompt set {name}")
    versions = PromptSet.objects.filter(name=name)
    if versions.exclude(project=project).exists():
        raise BadInputError(f"the name {name!r} is taken in another project; choose another name.")
    return versions


def is_released_file(prompt_set: PromptSet) -> bool | None:
    """Return whether a known set's content is the released file's; None for other names."""
    known = KNOWN_SETS.get(prompt_set.name)
    return None if known is None else prompt_set.sha256 == known["sha256"]


def store_prompts(prompt_set: PromptSet, rows: list[PromptRow]) -> None:
    """Write the prompts of a set, in their order."""
    Prompt.objects.bulk_create(
        [
            Prompt(
                prompt_set=prompt_set,
                position=position,
                text=row.text,
                category=row.category,
                challenge=row.challenge,
                note=row.note,
                tags=row.tags,
            )
            for position, row in enumerate(rows)
        ],
        batch_size=1000,
    )


def _refuse_another_reading(prompt_set: PromptSet, rows: list[PromptRow]) -> None:
    """A name and a file's hash are one list of prompts, however often it is imported."""
    stored = prompt_set.prompts.values_list("text", "category", "challenge", "note", "tags")
    if [PromptRow(*each) for each in stored] != rows:
        raise BadInputError(
            f"{prompt_set} is this file, read in another way (format, columns, repeats), and its "
            "prompts differ; give the set another name."
        )


def refuse_another_licence(prompt_set: PromptSet, given: str | None) -> None:
    """Raise `BadInputError` for a licence that a set, which never changes, does not have."""
    if given and given != prompt_set.licence:
        has = f"with the licence {prompt_set.licence!r}" if prompt_set.licence else "without one"
        raise BadInputError(
            f"the licence {shown(given)} is given, and {prompt_set} has these prompts already, "
            f"{has}; leave the licence out, or give the set another name."
        )


def _check_words(*, name: str, licence: str, source: str) -> None:
    """Raise `BadInputError` for what the database would not take beside the prompts."""
    limits = {"name": (name, 80), "licence": (licence, 200), "address": (source, 500)}
    if "://" not in source:
        del limits["address"]
    for what, (text, most) in limits.items():
        if len(text) > most:
            raise BadInputError(
                f"{what} {shown(text)} has {len(text):,} characters, at most {most} are kept; "
                "give a shorter one."
            )
        if not text.isprintable():
            raise BadInputError(f"{what} {shown(text)} holds what cannot be printed; remove it.")


def _file_name(source: str) -> str:
    """The name without its folder; bytes of it that are no text are shown as such."""
    return os.fsencode(Path(source).name).decode(errors="replace")


def format_of(source: str, otherwise: str | None = None) -> str:
    """Return how a file is written, by its name. Raises `BadInputError` if it does not tell."""
    suffix = Path(source.partition("?")[0]).suffix.lower().lstrip(".")
    found = ENDINGS.get(suffix, otherwise)
    if found is None:
        raise BadInputError(
            f"{name_of(source)}: the format cannot be told from the name; say which it is: "
            f"{', '.join(FORMATS)}.",
            by_command="--format says it.",
        )
    return found
