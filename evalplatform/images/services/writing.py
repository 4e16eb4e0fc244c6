"""Writing a collection and its images in one transaction, as fast as PostgreSQL takes them."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import IntegrityError, connection, transaction

from evalplatform.core.errors import BadInputError
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.staging import Staging

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
    collection.sha256, collection.image_count = _fingerprint(staged.finished())
    try:
        with transaction.atomic():
            collection.save(force_insert=True)
            _copy(collection, staged.finished())
    except IntegrityError as error:
        if not ImageCollection.objects.filter(name=collection.name).exists():
            raise
        raise BadInputError(
            f"a collection named {collection.name!r} was imported meanwhile; choose another --name."
        ) from error


def _copy(collection: ImageCollection, rows: Iterable[tuple[Any, ...]]) -> None:
    table = CollectedImage._meta.db_table
    columns = [_column(name) for name in ("collection", *_FIELDS)]
    quoted = ", ".join(f'"{column}"' for column in columns)
    statement = f'COPY "{table}" ({quoted}) FROM STDIN'
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row((collection.pk, *row[:-1]))


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
