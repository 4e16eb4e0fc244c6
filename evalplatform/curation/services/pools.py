"""Bringing a pool: its images become a collection; all is there in the end, or nothing."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.core.errors import BadInputError
from evalplatform.core.locks import session_turn
from evalplatform.core.telling import tell_nobody
from evalplatform.curation.models import Pool, PoolImage
from evalplatform.curation.pool_folder import PoolFolder, PoolLine, read_pool
from evalplatform.images.faults import FaultyRowsError, listed
from evalplatform.images.models import ImageCollection
from evalplatform.images.services import discard_import, import_collection
from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.services import import_content

Progress = Callable[[str, int, int], None]
Made = Callable[[Pool], None]
LONGEST_NAME = 60  # letters: campaigns of its stages are called after it


@dataclass(frozen=True)
class GivenPoolImage:
    """One image on its way into a pool; `row` is what its collection's manifest says of it."""

    sha256: str
    row: Mapping[str, Any]
    fields: Mapping[str, Any]


def import_pool(
    *,
    project: Project,
    path: Path,
    name: str,
    created_by: User | None = None,
    processes: int | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
) -> Pool:
    """Import a folder of the format `t2i-pool/1` as pool `name`.

    Its captions become the prompt set `NAME-captions`, since every image of a campaign stands
    under a prompt; an image without a caption stands under its hash. `progress` is told what is
    being done, and how many images of how many; `made` the pool, in the transaction that makes it.

    Raises `BadInputError` for what is wrong in the folder, images whose bytes have another hash
    or cannot be read, or a name that is taken. Then nothing of it is left.
    """
    check_name(name)
    folder = read_pool(path)
    folder.verify(lambda done, count: progress("verifying", done, count))
    pool = Pool(
        project=project, name=name, origin=Pool.Origin.FOLDER, source=folder.source,
        rules_sha256=folder.rules_sha256, scores_sha256=folder.scores_sha256,
        scorers=folder.scorers, funnel=folder.funnel, created_by=created_by,
    )  # fmt: skip
    with making(name):
        captions, is_new = _captions(project, name, folder)
        positions = dict(captions.prompts.values_list("text", "position"))
        given = [_given(entry, positions) for entry in folder.entries]
        try:
            return store_pool(
                pool, given, model=f"Pool {name}", prompt_set=captions,
                licence=_common_licence(folder.entries), processes=processes, progress=progress,
                made=made,
            )  # fmt: skip
        except BaseException:
            if is_new:
                captions.delete()
            raise


@contextmanager
def making(name: str) -> Iterator[None]:
    """Be alone with the making of pool `name` until the block ends.

    Raises `BadInputError` where another has begun it, and for a name that `check_name` refuses.
    """
    with session_turn(f"making pool {name}") as is_ours:
        if not is_ours:
            raise BadInputError(
                f"a pool {name!r} is being made now; wait for it, or choose another name."
            )
        check_name(name)
        yield


def store_pool(
    pool: Pool,
    given: Iterable[GivenPoolImage],
    *,
    model: str,
    prompt_set: PromptSet,
    licence: str,
    processes: int | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
) -> Pool:
    """Import the images of a pool as its collection, and save both. Refused, nothing is left.

    The caller is alone with this name (`making`). The collection of an import that was killed
    before its pool was saved is taken up.
    """
    by_hash = {each.sha256: each for each in given}
    there = _left_by_a_kill(pool, by_hash)
    pool.collection = there or _collect(
        pool, [each.row for each in by_hash.values()], model, prompt_set, licence, processes,
        progress,
    )  # fmt: skip
    try:
        with transaction.atomic():
            pool.save()
            keys = pool.collection.images.values_list("source_sha256", "pk")
            PoolImage.objects.bulk_create(
                (PoolImage(pool=pool, image_id=key, **by_hash[sha].fields) for sha, key in keys),
                batch_size=2000,
            )
            made(pool)
    except BaseException:
        pool.collection.delete()
        discard_import(name=pool.name)
        raise
    return pool


def check_name(name: str) -> None:
    """Raise `BadInputError` for a name that is none, or is taken by a pool."""
    try:
        validate_slug(name)
    except ValidationError:
        raise BadInputError(
            f"the name {name[:80]!r}: give letters, digits, - and _ alone."
        ) from None
    if len(name) > LONGEST_NAME:
        raise BadInputError(
            f"the name has {len(name)} letters; its campaigns are called after it, so give at most "
            f"{LONGEST_NAME}."
        )
    if Pool.objects.filter(name=name).exists():
        raise BadInputError(f"there is a pool {name!r} already; choose another name.")


def _left_by_a_kill(pool: Pool, hashes: Iterable[str]) -> ImageCollection | None:
    """Return the collection of the same images and name. Raises `BadInputError` for another."""
    found = ImageCollection.objects.filter(name=pool.name).first()
    if found is None:
        return None
    same = found.project_id == pool.project_id
    if same and set(found.images.values_list("source_sha256", flat=True)) == set(hashes):
        return found
    raise BadInputError(
        f"there is an image collection {pool.name!r} already, and a pool brings one of its own; "
        "choose another name."
    )


def _captions(project: Project, name: str, folder: PoolFolder) -> tuple[PromptSet, bool]:
    """Return the prompt set of the captions, and whether it was made now."""
    concepts: dict[str, str] = {}
    for entry in folder.entries:
        concepts.setdefault(_prompt_of(entry), entry.concept)
    rows = [
        json.dumps({"prompt": text, "category": concept}, ensure_ascii=False)
        for text, concept in concepts.items()
    ]
    imported = import_content(
        project=project, name=f"{name}-captions", content="\n".join(rows).encode(),
        source=f"{name}-captions.jsonl", licence=_common_licence(folder.entries),
    )  # fmt: skip
    return imported.prompt_set, imported.is_new


def _prompt_of(entry: PoolLine) -> str:
    return entry.caption if entry.caption.strip() else f"(no caption) {entry.sha256[:16]}"


def _given(entry: PoolLine, positions: Mapping[str, int]) -> GivenPoolImage:
    return GivenPoolImage(
        sha256=entry.sha256,
        row={
            "image": str(entry.file.absolute()), "key": positions[_prompt_of(entry)],
            "caption": entry.caption,
        },
        fields={
            "concept": entry.concept, "licence": entry.licence, "popularity": entry.popularity,
            "scores": entry.scores,
        },
    )  # fmt: skip


def _common_licence(entries: Iterable[PoolLine]) -> str:
    return ", ".join(sorted({entry.licence or "unknown" for entry in entries}))[:200]


def _collect(
    pool: Pool,
    rows: list[Mapping[str, Any]],
    model: str,
    prompt_set: PromptSet,
    licence: str,
    processes: int | None,
    progress: Progress,
) -> ImageCollection:
    with tempfile.TemporaryDirectory(prefix="pool-") as folder:
        manifest = Path(folder) / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        try:
            imported = import_collection(
                project=pool.project, path=manifest, name=pool.name, model=model,
                prompt_set=prompt_set, licence=licence, source=pool.source,
                created_by=pool.created_by, processes=processes,
                progress=lambda done, count: progress("storing", done, count),
            )  # fmt: skip
        except BaseException as error:
            with suppress(BadInputError):  # another imports a collection of this name
                discard_import(name=pool.name)
            if isinstance(error, FaultyRowsError):
                told = "; ".join([*listed(error.faults)[:4], str(error)])
                raise BadInputError(told) from error
            raise
    return imported.collection
