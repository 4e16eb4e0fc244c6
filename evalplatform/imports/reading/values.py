"""Single values of a row, checked. Each function raises `BadRowError` for what cannot be used."""

import json
import re
from datetime import UTC, date, datetime
from typing import Any

from evalplatform.imports.faults import BadRowError

_SHOWN = 60
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LONGEST = {"model": 200, "criterion": 80}
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # a day less than a calendar has, for time zones
_NUMBER = re.compile(r"[\d.]+")
# Seconds since 1970 of eight digits are before 1974, milliseconds of fourteen after 2286.
_DIGITS_OF_A_TIME = re.compile(r"(\d{8})(\d{6})?", re.ASCII)
_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138
TRUE, FALSE = {"1", "true", "yes"}, {"", "0", "false", "no"}


def unreadable(why: str) -> BadRowError:
    return BadRowError("not readable", why)


def text(field: str, value: Any) -> str:
    """Return a text or number as text without space around it; "" for none.

    12.0 is "12": a data frame writes whole numbers so where one is missing.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise unreadable(f"its {field} is {type(value).__name__}, not text")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    said = str(value).strip()
    if _NO_TEXT.search(said):
        raise unreadable(f"there is a character that is no text in its {field}")
    longest = _LONGEST.get(field)
    if longest and len(said) > longest:
        raise unreadable(f"its {field} has over {longest} characters")
    return said


def needed(field: str, value: Any) -> str:
    """Return a text that must be there."""
    said = text(field, value)
    if not said:
        raise unreadable(f"has no {field}")
    return said


def whole(field: str, value: Any) -> int:
    """Return a whole number; 4.0 is one."""
    try:
        number = float(text(field, value))
    except ValueError:
        number = float("nan")
    if not number.is_integer() or abs(number) > 10**6:
        raise unreadable(f"its {field} {str(value)[:_SHOWN]!r} is no whole number")
    return int(number)


def rating(value: Any) -> str:
    """Return a rating from 1 to 5, as the form writes it."""
    try:
        found = whole("rating", value)
    except BadRowError:
        found = 0
    if not 1 <= found <= 5:
        said = str(value)[:_SHOWN]
        raise BadRowError("rating", f"its rating {said!r} is none of 1, 2, 3, 4, 5")
    return str(found)


def listed(field: str, value: Any) -> list[Any]:
    """Return a list, which a CSV cell holds as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise unreadable(f"its {field} is no JSON list") from None
    if not isinstance(value, list):
        raise unreadable(f"its {field} is no list")
    return value


def moment(value: Any) -> datetime | None:
    """Return a time: ISO 8601 (UTC where it names no zone), or seconds since 1970.

    20240131 and 20240131120000 are a day and a time; milliseconds since 1970 are taken too.
    """
    said = "" if isinstance(value, date) else text("time", value)
    found = value if isinstance(value, datetime) else None
    if isinstance(value, date) and found is None:
        found = datetime(value.year, value.month, value.day)
    if found is None and not said:
        return None
    if found is None:
        found = _iso(said) or _since_1970(said)
    if found is None:
        raise unreadable(f"its time {said[:_SHOWN]!r} is neither ISO 8601 nor seconds since 1970")
    if not found.tzinfo:
        found = found.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise unreadable(f"its time {found} is not of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return found


def _iso(said: str) -> datetime | None:
    if digits := _DIGITS_OF_A_TIME.fullmatch(said):
        said = "T".join(filter(None, digits.groups()))
    elif _NUMBER.fullmatch(said):
        return None
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        return None


def _since_1970(said: str) -> datetime | None:
    try:
        number = float(said)
        seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def flag(field: str, value: Any) -> bool:
    """Return a yes or no."""
    said = str(value if value is not None else "").strip().lower()
    if said not in TRUE | FALSE:
        raise unreadable(f"its {field} {said[:_SHOWN]!r} is neither 1 nor 0")
    return said in TRUE


def first_turn(value: Any) -> str:
    """Return what a person first wrote in a conversation, as arenas keep it: the prompt."""
    for turn in listed("conversation", value):
        if isinstance(turn, dict) and turn.get("role") == "user":
            return text("prompt", turn.get("content"))
    return ""
