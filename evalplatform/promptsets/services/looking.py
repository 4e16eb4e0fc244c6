"""Files that are looked at on a page before they are imported."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from evalplatform.accounts.models import Project, User
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import PromptUpload
from evalplatform.promptsets.reading.columns import FIELDS, Chosen
from evalplatform.promptsets.reading.looking import columns_found
from evalplatform.promptsets.reading.prompts import PromptRow, read_prompts
from evalplatform.promptsets.services.importing import ImportedSet, format_of, import_content

MOST_BYTES = 16 * 2**20
_KEPT = timedelta(days=1)
_SHOWN = 20


def keep_file(
    *, project: Project, user: User, file_name: str, content: bytes, now: datetime
) -> PromptUpload:
    """Keep a file for a day, so that it can be looked at. Raises `BadInputError` if too large."""
    PromptUpload.objects.filter(created_at__lt=now - _KEPT).delete()
    if len(content) > MOST_BYTES:
        raise BadInputError(
            f"the file has over {MOST_BYTES // 2**20} MiB; shorten it, or ask an operator to "
            "import it, who may bring 64 MiB (docs/prompts.md)."
        )
    if not content:
        raise BadInputError("the file is empty; choose one with at least one prompt.")
    format_of(file_name)
    name = "".join(each if each.isprintable() else "_" for each in file_name)[-200:]
    return PromptUpload.objects.create(
        project=project, created_by=user, file_name=name, content=content
    )


@dataclass(frozen=True)
class Look:
    """What a file would be as a prompt set: its first rows, or why it is none."""

    columns: list[str]
    mapping: list[tuple[str, str]]  # our field, the column chosen for it ("" by its name)
    rows: list[PromptRow]
    count: int
    notes: list[str]
    fault: str


def look_at(upload: PromptUpload, chosen: Chosen, *, drop_repeats: bool) -> Look:
    """Read a kept file with these columns; nothing is stored."""
    content = bytes(upload.content)
    columns: list[str] = []
    mapping = [(field, chosen[field] or "-" if field in chosen else "") for field in FIELDS]
    try:
        format = format_of(upload.file_name)
        columns = columns_found(content, format=format, name=upload.file_name)
        file = read_prompts(
            content, format=format, name=upload.file_name, columns=chosen, drop_repeats=drop_repeats
        )
    except BadInputError as error:
        return Look(columns, mapping, [], 0, [], str(error))
    return Look(columns, mapping, file.rows[:_SHOWN], len(file.rows), file.notes, "")


def import_kept(
    *, upload: PromptUpload, name: str, chosen: Chosen, drop_repeats: bool, licence: str
) -> ImportedSet:
    """Import a kept file and forget it. Raises `BadInputError`; then it is still kept."""
    imported = import_content(
        project=upload.project,
        name=name,
        content=bytes(upload.content),
        source=upload.file_name,
        licence=licence,
        columns=chosen,
        drop_repeats=drop_repeats,
    )
    upload.delete()
    return imported
