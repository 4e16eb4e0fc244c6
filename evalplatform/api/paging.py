"""Lists a page at a time, by a cursor: what comes or goes meanwhile shifts nothing."""

import base64
import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from ninja import Field, Schema

from evalplatform.core.errors import BadInputError

MOST = 200
Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


class Paging(Schema):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=MOST, description="How many at most.")
    cursor: str | None = Field(None, max_length=500, description="`next` of the page before.")


class Page(Schema, Generic[Item]):
    """A part of a list; `next` is the cursor of the part after it, null at the end."""

    items: list[Item]
    next: str | None


def page_of(
    rows: QuerySet[Row],
    paging: Paging,
    show: Callable[[Row], Item],
    *,
    by: str = "pk",
    latest_first: bool = False,
) -> dict[str, Any]:
    """Return a page of rows as `Page` takes it, in the order of a unique column."""
    if paging.cursor:
        after = _read(paging.cursor, by)
        try:
            rows = rows.filter(**{f"{by}__{'lt' if latest_first else 'gt'}": after})
        except ValidationError:  # no UUID, where the column is one
            raise _wrong(paging.cursor) from None
    found = list(rows.order_by(f"-{by}" if latest_first else by)[: paging.limit + 1])
    here = found[: paging.limit]
    more = len(found) > len(here)
    return {
        "items": [show(each) for each in here],
        "next": _write(by, getattr(here[-1], by)) if more else None,
    }


def page_of_list(
    found: list[Any], paging: Paging, show: Callable[[Any], Item], *, key: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return a page of what was read whole; `key` gives each a unique, ordered value."""
    rows = sorted(found, key=key)
    if paging.cursor:
        after = _read(paging.cursor, "key")
        if not all(isinstance(key(each), type(after)) for each in rows[:1]):
            raise _wrong(paging.cursor)
        rows = [each for each in rows if key(each) > after]
    here = rows[: paging.limit]
    more = len(rows) > len(here)
    return {
        "items": [show(each) for each in here],
        "next": _write("key", key(here[-1])) if more else None,
    }


def _write(by: str, value: object) -> str:
    told = json.dumps([by, value if isinstance(value, int) else str(value)])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _read(cursor: str, by: str) -> int | str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        name, value = found
    except (ValueError, TypeError, RecursionError):
        raise _wrong(cursor) from None
    if name != by or isinstance(value, bool) or not isinstance(value, int | str):
        raise _wrong(cursor)
    if isinstance(value, int) != (by == "pk") and by != "key":
        raise _wrong(cursor)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise _wrong(cursor)
    return value


def _wrong(cursor: str) -> BadInputError:
    return BadInputError(
        f"cursor {cursor[:40]!r} is none of this list's; send `next` of the page before, or none "
        "to begin."
    )
