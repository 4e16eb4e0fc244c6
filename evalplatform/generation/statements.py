"""The statement that fills in sample rows, by hand: one for a whole part, not one an image."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

_FILL_IN = """
UPDATE generation_sample AS sample
SET status = 'ready', image = made.image, image_sha256 = made.sha256, width = made.width,
    height = made.height, code_version = %s, generated_at = %s
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[])
    AS made (id, image, sha256, width, height)
WHERE sample.id = made.id AND sample.status = 'planned'
"""


def fill_in(
    made: Sequence[tuple[int, str, str, int, int]], *, code_version: str, now: datetime
) -> int:
    """Mark samples ready: (id, image, sha256, width, height) each; return how many were not yet."""
    columns: list[Any] = [list(column) for column in zip(*made, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_FILL_IN, [code_version, now, *columns])
        return int(cursor.rowcount)
