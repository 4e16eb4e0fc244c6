"""JSON and texts of somebody else's making, as far as the database can hold them."""

import json
from typing import Any

from evalplatform.core.errors import BadInputError

_DEEPEST = 100


def storable_text(text: str) -> str:
    """Return a text with "?" for each letter that the database cannot hold: a file's name, say."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def refuse_unstorable(given: Any) -> None:
    """Raise `BadInputError` for letters that the database cannot hold."""
    try:
        text = json.dumps(given, ensure_ascii=False, default=str)
        text.encode()
    except (UnicodeEncodeError, ValueError) as error:
        raise BadInputError("a text holds half a character; write it anew.") from error
    if "\\u0000" in text:
        raise BadInputError("a text holds a NUL character; write it anew.")


def storable_json(text: str) -> Any:
    """Return what JSON says.

    Raises `ValueError` saying what is wrong: no JSON, a number that is none or over 1e300, over
    100 levels deep, or letters that the database cannot hold.
    """
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
        _refuse_deep(found)
        refuse_unstorable(found)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except BadInputError as error:
        raise ValueError(str(error).rstrip(".")) from None
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number; give null")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {digits[:40]} is too large")
    return value


def _whole(digits: str) -> int:
    if len(digits) > 300:  # nearly as many as a float can hold
        raise ValueError(f"the number {digits[:40]}… is too large")
    return int(digits)


def _refuse_deep(found: Any) -> None:
    level = [found]
    for _ in range(_DEEPEST):
        nested = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in nested for inner in _inside(each)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _inside(each: dict[str, Any] | list[Any]) -> Any:
    return each.values() if isinstance(each, dict) else each
