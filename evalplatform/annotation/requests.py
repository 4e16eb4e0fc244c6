"""Reading what an annotator's browser sent: every value is checked before anything is done."""

import re
import uuid
from collections.abc import Callable
from typing import TypeVar

from django.http import QueryDict

from evalplatform.annotation.presentation import MAX_WANT
from evalplatform.annotation.services import Answer
from evalplatform.campaigns.packing import FULL
from evalplatform.core.errors import BadInputError

Number = TypeVar("Number", int, float)
_MOST_DIGITS = 9
_QUOTED = 40  # characters of a wrong value that are repeated


def want_of(form: QueryDict, *, least: int) -> int:
    """Return how many sets a request wants to hold, within bounds."""
    given = form.get("want", "1")
    if not given.isascii() or not given.isdigit() or len(given) > _MOST_DIGITS:
        raise BadInputError(f"want={given[:_QUOTED]!r}; send a number from {least} to {MAX_WANT}.")
    return min(max(int(given), least), MAX_WANT)


def width_of(form: QueryDict) -> int:
    """Return the width at which an image is asked for, in pixels; `FULL` where none is named."""
    given = form.get("width", "")
    if not given:
        return FULL
    if not given.isascii() or not given.isdigit() or len(given) > _MOST_DIGITS or not int(given):
        raise BadInputError(
            f"width={given[:_QUOTED]!r}; send one of the `widths` of the page's state, or none."
        )
    return int(given)


def uuid_of(form: QueryDict, name: str) -> uuid.UUID:
    """Return a field that must be a UUID."""
    try:
        return uuid.UUID(form.get(name, ""))
    except ValueError as error:
        raise BadInputError(f"{name} must be a UUID; reload the page.") from error


def key_of(given: str) -> str:
    """Return the key of a personal link, which may be given whole.

    Raises `BadInputError` where none looks like that.
    """
    pasted = re.search(r"[?&]key=([^&\s]+)", given)
    given = pasted[1] if pasted else given.strip(" ")
    if not given.isprintable():
        raise BadInputError(
            "this link was changed on its way: its key holds a character that no key has; open "
            "the link as it was sent to you."
        )
    return given


def _said(form: QueryDict) -> str:
    """Return the answer; of a plain form it is put together from the form's own fields.

    Fields `rank-0`, `rank-1`, ... of a ranking: equal places tie, and places may be left out.
    Field `caption`: a text, whose line ends become spaces.
    """
    said = form.get("answer", "") or " ".join(form.get("caption", "").split())
    if said or "rank-0" not in form:
        return said
    places: dict[int, list[str]] = {}
    for position in range(len([name for name in form if name.startswith("rank-")])):
        given = form.get(f"rank-{position}", "")
        if not re.fullmatch("[1-9]", given):
            raise BadInputError(
                f"image {position + 1} has no place ({given[:_QUOTED]!r}); go back and give each "
                "image a place from 1, the best; equal images may have the same."
            )
        places.setdefault(int(given), []).append(str(position))
    return ">".join("=".join(places[place]) for place in sorted(places))


def answers_of(form: QueryDict) -> list[Answer]:
    """Return the answer that a vote's form holds, or those of a grid that was sent as a plain form.

    Of a grid: fields `assignment-0`, `idempotency_key-0`, `answer-0` and so on. All are read before
    the first is stored.
    """
    if "assignment-0" not in form:
        return [answer_of(form)]
    count = len([name for name in form if name.startswith("assignment-")])
    if count > MAX_WANT:
        raise BadInputError(f"{count} images are no grid; send the answers to {MAX_WANT} at most.")
    return [
        Answer(
            public_id=uuid_of(form, f"assignment-{number}"),
            answer=form.get(f"answer-{number}", ""),
            idempotency_key=uuid_of(form, f"idempotency_key-{number}"),
            language=form.get("language", ""),
        )
        for number in range(count)
    ]


def answer_of(form: QueryDict) -> Answer:
    """Return the answer that a vote's form holds."""
    zoomed = form.get("zoomed", "")
    return Answer(
        public_id=uuid_of(form, "assignment"),
        answer=_said(form),
        idempotency_key=uuid_of(form, "idempotency_key"),
        response_time_ms=_number(form, "response_time_ms", int),
        viewport_width=_number(form, "viewport_width", int),
        viewport_height=_number(form, "viewport_height", int),
        pixel_ratio=_number(form, "pixel_ratio", float),
        zoomed=None if zoomed == "" else zoomed == "1",
        marks=tuple(form.getlist("marks")),
        shown_px=_number(form, "shown_px", int),
        language=form.get("language", ""),
    )


def _number(form: QueryDict, name: str, kind: Callable[[str], Number]) -> Number | None:
    given = form.get(name, "")
    try:
        return kind(given) if given else None
    except ValueError as error:
        raise BadInputError(
            f"{name} must be a number, not {given[:_QUOTED]!r}; reload the page."
        ) from error
