"""Collections as rows: written whole in one transaction, retired and restored."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from evalplatform.accounts.models import Project, User
from evalplatform.core.copy_in import copy_in
from evalplatform.core.errors import BadInputError
from evalplatform.core.stored_images import StoredImage
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.staging import Staging
from evalplatform.promptsets.models import Prompt, PromptSet

# As `Staging.finished` yields them; the place of the prompt in its set comes last.
_FIELDS = (
    "position", "prompt", "index", "seed", "caption", "image", "image_sha256", "source_sha256",
    "pixels_sha256", "is_constant", "width", "height", "metadata",
)  # fmt: skip
_INDEX, _PIXELS = _FIELDS.index("index"), _FIELDS.index("pixels_sha256")


def write_collection(collection: ImageCollection, staged: Staging) -> None:
    """Save a collection with all that was staged, or nothing.

    Raises `BadInputError` where its name was taken meanwhile.
    """
    _write(collection, staged.finished)


@dataclass(frozen=True)
class KeptImage:
    """An image that is stored already: which prompt it answers, and of which file it was made."""

    prompt: Prompt
    source_sha256: str
    stored: StoredImage


def collect_stored(
    *,
    project: Project,
    name: str,
    model: str,
    prompt_set: PromptSet,
    images: Sequence[KeptImage],
    created_by: User | None = None,
) -> ImageCollection:
    """Make a collection of images that lie in object storage already, one a prompt; no file moves.

    Raises `BadInputError` where the name is taken.
    """
    in_order = sorted(images, key=lambda each: each.prompt.position)

    def rows() -> Iterator[tuple[Any, ...]]:
        for position, each in enumerate(in_order):
            stored = each.stored
            yield (
                position, each.prompt.pk, 0, None, "", stored.name, stored.sha256,
                each.source_sha256, stored.pixels_sha256, stored.is_constant, stored.width,
                stored.height, json.dumps({}), each.prompt.position,
            )  # fmt: skip

    collection = ImageCollection(
        project=project, name=name, model=model, prompt_set=prompt_set, created_by=created_by
    )
    _write(collection, rows)
    return collection


def _write(collection: ImageCollection, rows: Callable[[], Iterator[tuple[Any, ...]]]) -> None:
    collection.sha256, collection.image_count = _fingerprint(rows())
    try:
        with transaction.atomic():
            collection.save(force_insert=True)
            columns = [_column(name) for name in ("collection", *_FIELDS)]
            copy_in(CollectedImage, columns, ((collection.pk, *row[:-1]) for row in rows()))
    except IntegrityError as error:
        if not ImageCollection.objects.filter(name=collection.name).exists():
            raise
        raise BadInputError(
            f"a collection named {collection.name!r} was imported meanwhile; choose another name."
        ) from error


def retire_collection(*, collection: ImageCollection, user: User | None, now: datetime) -> bool:
    """Let no new campaign take the collection; its images and campaigns stay as they are.

    Returns whether it was in use until now. `user` is None for a command.
    """
    changed = ImageCollection.objects.filter(
        pk=collection.pk, status=ImageCollection.Status.READY
    ).update(status=ImageCollection.Status.RETIRED, retired_at=now, retired_by=user)
    collection.refresh_from_db()
    return bool(changed)


def restore_collection(*, collection: ImageCollection) -> bool:
    """Let new campaigns take a retired collection again; return whether it was retired."""
    changed = ImageCollection.objects.filter(
        pk=collection.pk, status=ImageCollection.Status.RETIRED
    ).update(status=ImageCollection.Status.READY, retired_at=None, retired_by=None)
    collection.refresh_from_db()
    return bool(changed)


def _column(field: str) -> str:
    return str(CollectedImage._meta.get_field(field).column)  # type: ignore[union-attr]


def _fingerprint(rows: Iterator[tuple[Any, ...]]) -> tuple[str, int]:
    """Return the hash of (prompt's place in its set, index, pixels) of every image, and how many.

    Of pixels, not of files: another compression of the same picture is the same collection.
    """
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(f"{row[-1]}\t{row[_INDEX]}\t{row[_PIXELS]}\n".encode())
        count += 1
    return digest.hexdigest(), count
