"""Single values of a row, checked. Each function raises `BadRowError` for what cannot be used."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from evalplatform.imports.faults import BadRowError

_SHOWN = 60
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LONGEST = {"model": 200, "criterion": 80}
_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138
TRUE, FALSE = {"1", "true", "yes"}, {"", "0", "false", "no"}


def unreadable(why: str) -> BadRowError:
    return BadRowError("not readable", why)


def text(field: str, value: Any) -> str:
    """Return a text or number as text without space around it; "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise unreadable(f"its {field} is {type(value).__name__}, not text")
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
    """Return a time: ISO 8601 (UTC where it names no zone), or seconds since 1970."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    said = text("time", value)
    if not said:
        return None
    try:
        number = float(said)
        seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise unreadable(
            f"its time {said[:_SHOWN]!r} is neither ISO 8601 nor seconds since 1970"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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
