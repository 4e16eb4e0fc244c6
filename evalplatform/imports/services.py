"""Making a campaign of votes that people cast elsewhere: whole or not at all."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.names import check_slug
from evalplatform.core.telling import tell_nobody
from evalplatform.imports.as_pairs import as_pairs as read_as_pairs
from evalplatform.imports.faults import BadRowError, LeftOut
from evalplatform.imports.gathering import GatheredVotes, Gathering, JudgedTwiceError
from evalplatform.imports.prompts import KnownPrompts, NewPrompts, NumberedPrompts
from evalplatform.imports.protocol import Wish, new_criteria, store_campaign
from evalplatform.imports.reading.columns import layout_of
from evalplatform.imports.reading.formats import Reader
from evalplatform.imports.reading.tables import Table, open_table
from evalplatform.imports.writing import Progress, Rows, write_votes
from evalplatform.promptsets.models import PromptSet
from evalplatform.tallies.folding import fold

Made = Callable[[Campaign], None]
_STEP = 5000
_NAMED = 10


@dataclass(frozen=True)
class Handling:
    """How a file is read.

    Attributes:
        columns: which column holds a field, where it is called otherwise (`--column`).
        as_pairs: read ratings and rankings as pairs.
        keep_first: of two votes by one annotator on one item keep the first; else refuse.
        skip_bad: leave rows out that cannot be imported; else refuse.
        anonymous: the file does not say who voted: each row counts as by a person of its own.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    as_pairs: bool = False
    keep_first: bool = False
    skip_bad: bool = False
    anonymous: bool = False


@dataclass(frozen=True)
class ImportedVotes:
    """What an import came to."""

    campaign: Campaign
    votes: int
    annotators: int
    repeated: int  # left out: their annotator had judged the item before
    unlabelled: int  # rows that hold no vote
    left_out: list[LeftOut]


def import_votes(
    *,
    project: Project,
    path: Path,
    campaign: str,
    prompt_set: PromptSet | None = None,
    wish: Wish = Wish(),  # noqa: B008 (frozen)
    handling: Handling = Handling(),
    licence: str = "",
    source: str = "",
    created_by: User | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
) -> ImportedVotes:
    """Make the closed campaign `campaign` of the votes in a CSV, TSV, JSONL, JSON or parquet file.

    Its arms are the models that the file names, in the order of their names. Prompts are those of
    `prompt_set`, matched by text or key, or a new set named as the campaign. `progress` is told
    (what, done, total or None) as rows are read and written, `made` the campaign, in the
    transaction that makes it.

    Raises `BadInputError` for a name that is taken, a file of which no votes can be read, and for
    the first row that cannot be imported; nothing is stored then.
    """
    check_import(project=project, campaign=campaign, wish=wish, licence=licence, source=source)
    if prompt_set:
        refuse_foreign(project, prompt_set)
    table = open_table(path)
    layout = layout_of(table.columns, handling.columns, table.name)
    _check_columns(table, set(layout.columns), layout.kind, wish, handling)
    prompts: NumberedPrompts = NewPrompts(project, campaign, table.name, licence)
    if prompt_set:
        prompts = KnownPrompts(prompt_set)
    reader = Reader(table, layout, handling.anonymous)
    gathered = Gathering(prompts.code, wish.named)
    left_out = _gather(reader, gathered, handling, progress)
    votes = _votes(table, gathered, handling)
    now = timezone.now()
    about = {
        "file": table.name,
        "sha256": _sha256(path),
        **_read(reader, handling, left_out),
        "votes": len(votes),
        "repeated": votes.repeated,
        "knows_sides": reader.knows_sides and votes.says_sides(gathered.says),
        "licence": licence,
        "source": source,
        "imported_at": now.isoformat(),
    }
    stored = _store(
        project, campaign, prompts, gathered, votes, wish, about, created_by, now, progress, made
    )
    return ImportedVotes(
        stored, len(votes), len(gathered.annotators), votes.repeated, reader.unlabelled, left_out
    )


def check_import(*, project: Project, campaign: str, wish: Wish, licence: str, source: str) -> None:
    """Raise `BadInputError` for words that no import takes, and for a name that is taken."""
    check_slug(campaign, "a campaign")
    if len(campaign) > 80:
        raise BadInputError("the campaign's name is over 80 characters; shorten it.")
    if wish.slug and not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", wish.slug):
        raise BadInputError(
            f"the criterion {wish.slug!r} is no slug: up to 40 of a to z, digits and _, a letter "
            "first."
        )
    for what, given, most in (("licence", licence, 200), ("source", source, 500),
                              ("question", wish.question, 1000)):  # fmt: skip
        if len(given) > most or "\0" in given:
            raise BadInputError(f"the {what} is over {most} characters, or no text; shorten it.")
    _refuse_taken(project, campaign)


def _refuse_taken(project: Project, campaign: str) -> None:
    there = Campaign.objects.filter(slug=campaign).first()
    if there and there.project_id != project.pk:
        raise BadInputError(
            f"the name {campaign!r} is taken in another project; choose another name."
        )
    if there:
        raise BadInputError(f"campaign {campaign!r} exists already; choose another name.")


def _check_columns(
    table: Table, fields: set[str], kind: str, wish: Wish, handling: Handling
) -> None:
    found = f"its columns are {', '.join(table.columns)}"
    if not {"prompt", "key", "conversation"} & fields:
        raise BadInputError(
            f"{table.name} does not say what the prompts were: {found}. Say which column "
            "does, prompt or key.",
            by_command="--column prompt=NAME or --column key=NAME says it.",
        )
    says_who = "annotator" in fields or kind == "wide ratings" or "each" in fields
    if not says_who and not handling.anonymous:
        raise BadInputError(
            f"{table.name} does not say who voted: {found}. Say which column does; if nobody "
            "knows, have the votes taken as anonymous, each as by a person of its own, which makes "
            "intervals too narrow.",
            by_command="--column annotator=NAME says it, --anonymous takes them so.",
        )
    if handling.anonymous and kind == "ranked rows" and "vote" not in fields:
        raise BadInputError(
            f"{table.name} has a row for each image of a ranking, and without annotators nobody "
            "knows which rows are one vote; say which column does, as the vote.",
            by_command="--column vote=NAME says it.",
        )
    if wish.slug and "criterion" in fields:
        raise BadInputError(
            f"{table.name} names criteria itself; name no other one, or leave its column out.",
            by_command="--column criterion= leaves it out.",
        )


def _gather(
    reader: Reader, gathered: Gathering, handling: Handling, progress: Progress
) -> list[LeftOut]:
    """Take every row; return those that are left out.

    Raises `BadInputError` at the first that cannot be imported, but lists unmatched prompts.
    """
    unit, left_out = reader.table.unit, list[LeftOut]()
    read = read_as_pairs(reader.read()) if handling.as_pairs else reader.read()
    for where, judgement in read:
        try:
            if isinstance(judgement, BadRowError):
                raise judgement
            gathered.add(where, judgement)
        except BadRowError as fault:
            if not handling.skip_bad and fault.kind != "unmatched":
                raise BadInputError(
                    f"{reader.table.name}: {unit} {where} {fault}. Nothing was imported; mend it, "
                    "or have left out what cannot be imported.",
                    by_command="--skip-bad leaves it out.",
                ) from None
            left_out.append(LeftOut(f"{unit} {where}", fault.kind, fault.why))
        if len(gathered) % _STEP == 0:
            progress("rows", reader.rows, None)
    progress("rows", reader.rows, reader.rows)
    if left_out and not handling.skip_bad:
        raise _unmatched(reader.table.name, left_out)
    if not len(gathered):
        why = f"all {reader.rows:,} rows are left out" if left_out else "it has no votes"
        raise BadInputError(f"{reader.table.name}: {why}, so there is nothing to import.")
    return left_out


def _read(reader: Reader, handling: Handling, left_out: list[LeftOut]) -> dict[str, Any]:
    """Return what a campaign keeps of how its file was read."""
    return {
        "format": reader.layout.kind + (" as pairs" if handling.as_pairs else ""),
        "rows": reader.rows,
        "left_out": dict(Counter(each.kind for each in left_out)),
        "unlabelled": reader.unlabelled,
        "knows_annotators": not handling.anonymous,
    }


def _unmatched(name: str, faults: list[LeftOut]) -> BadInputError:
    first = list(dict.fromkeys(fault.why for fault in faults))
    listed = "; ".join(first[:_NAMED]) + (
        f" and {len(first) - _NAMED:,} more" * (len(first) > _NAMED)
    )
    return BadInputError(
        f"{name}: {len(faults):,} votes are on prompts that the set does not have, the first at "
        f"{faults[0].where}: {listed}. Nothing was imported; name no prompt set to make one of "
        "the file's own prompts, or have these votes left out.",
        by_command="--skip-bad leaves them out.",
    )


def _votes(table: Table, gathered: Gathering, handling: Handling) -> GatheredVotes:
    try:
        return gathered.votes(keep_first=handling.keep_first)
    except JudgedTwiceError as twice:
        who = list(gathered.annotators)[twice.annotator]
        raise BadInputError(
            f"{table.name}: {table.unit} {twice.where}: annotator {who!r} judged the same before, "
            f"at {table.unit} {twice.before}. Nothing was imported; have the first of such "
            "votes kept, or name the column that tells images apart.",
            by_command="--keep-first keeps it, --column image=NAME names that.",
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store(
    project: Project,
    slug: str,
    prompts: NumberedPrompts,
    gathered: Gathering,
    votes: GatheredVotes,
    wish: Wish,
    about: dict[str, Any],
    created_by: User | None,
    now: datetime,
    progress: Progress,
    made: Made,
) -> Campaign:
    criteria = new_criteria(gathered.asked, votes.most_votes(len(gathered.asked)), wish)
    models = sorted({model for each in gathered.models for model in each})
    arms = [Arm(place=place, model=model) for place, model in enumerate(models)]
    try:
        with transaction.atomic():
            prompt_set, rows = prompts.stored()
            campaign = store_campaign(
                project=project, slug=slug, arms=arms, criteria=criteria, prompt_set=prompt_set,
                imported_from=about, created_by=created_by, now=now,
            )  # fmt: skip
            write_votes(
                rows=Rows(campaign, arms, criteria, rows), gathered=gathered, votes=votes, now=now,
                progress=progress,
            )  # fmt: skip
            fold([campaign.pk])  # here, where nobody waits: the first page would, for all of them
            made(campaign)
    except IntegrityError:
        _refuse_taken(project, slug)  # meanwhile
        raise
    with connection.cursor() as cursor:
        cursor.execute(
            "ANALYZE annotation_assignment, annotation_vote, campaigns_item, campaigns_shownimage"
        )
    return campaign
