"""The statement that fills in sample rows, by hand: one for a whole part, not one an image."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

_FILL_IN = """
UPDATE generation_sample AS sample
SET status = 'ready', image = made.image, image_sha256 = made.sha256, width = made.width,
    height = made.height, pixels_sha256 = made.pixels, is_constant = made.is_constant,
    prompt_tokens = made.tokens, tokens_read = made.read, code_version = %s, generated_at = %s
FROM unnest(
    %s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::bool[], %s::int[],
    %s::int[]
) AS made (id, image, sha256, width, height, pixels, is_constant, tokens, read)
WHERE sample.id = made.id AND sample.status = 'planned'
"""


@dataclass(frozen=True)
class MadeSample:
    """What is filled in, in the order of the statement; tokens are None where unknown."""

    id: int
    image: str
    sha256: str
    width: int
    height: int
    pixels_sha256: str
    is_constant: bool
    prompt_tokens: int | None
    tokens_read: int | None


def fill_in(made: Sequence[MadeSample], *, code_version: str, now: datetime) -> int:
    """Mark samples ready; return how many were not yet."""
    columns: list[Any] = [list(column) for column in zip(*map(astuple, made), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_FILL_IN, [code_version, now, *columns])
        return int(cursor.rowcount)
