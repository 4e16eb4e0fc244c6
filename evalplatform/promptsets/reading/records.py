"""Prompt files of JSON: an object or a text on each line, or one list of them."""

import json
from collections.abc import Iterator
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.columns import Chosen
from evalplatform.promptsets.reading.tables import PromptTable
from evalplatform.promptsets.reading.text import lines_of

_EXAMPLE = '{"prompt": "a red bicycle", "category": "Vehicles"}'


def read_json(text: str, name: str, chosen: Chosen) -> PromptTable:
    """Read JSON lines, or a list, whichever the file is."""
    if text.lstrip().startswith("["):
        return PromptTable("entry", _entries(text, name))
    return PromptTable("line", _lines(text, name))


def _entries(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, value in enumerate(_parsed(text, name, None), start=1):
        yield number, _record(value, f"{name}: entry {number}")


def _lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            yield number, _record(_parsed(line, name, number), f"{name}: line {number}")


def _parsed(text: str, name: str, line: int | None) -> Any:
    """Return the value that a text is; `line` is its line, None where it is the whole file."""
    try:
        return json.loads(text)
    except RecursionError:
        where, why = line, "nested too deeply"
    except json.JSONDecodeError as error:
        where, why = line or error.lineno, error.msg
    except ValueError:  # the one other: Python reads no integer of over 4,300 digits
        where, why = line, "a number of over 4,300 digits"
    at = "it" if where is None else f"line {where}"
    raise BadInputError(
        f"{name}: {at} is not JSON that can be read ({why}); put an object such as {_EXAMPLE} on "
        "each line, or all of them in one list."
    )


def _record(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"prompt": value}
    if isinstance(value, dict):
        return value
    raise BadInputError(f'{where} has no text "prompt"; each is a text, or such as {_EXAMPLE}.')
