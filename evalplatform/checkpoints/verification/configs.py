"""Reading a checkpoint's JSON: bounded, and naming no code but what is on a list.

A configuration can name classes for a loader to import. Only these are let through; what a list
lacks is refused with its name, so that adding it is a decision.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalplatform.checkpoints.verification.classes import (
    check_pipeline,
    foreign,
    is_class_known,
    is_component_known,
)
from evalplatform.checkpoints.verification.lfs import refuse_pointer
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError

# Where a pipeline says which classes it is made of: a pipeline's own, a single file's.
INDEXES = {"model_index.json", "config/model_index.json"}
# Read here into Python objects, which take thirty times the room; real ones have kilobytes.
_MAX_JSON_BYTES = 4 * 2**20
# A tokenizer's words, which no other part of the program reads; the largest has 34 MB.
_MAX_WORDS_BYTES = 64 * 2**20
_WORDS = {"tokenizer.json", "vocab.json"}

# Components a pipeline is loaded without: they judge images, and are not the model.
NEVER_LOADED = {"safety_checker", "feature_extractor"}
# Keys by which transformers and diffusers can be told to import code that came with the weights.
# At any depth, but with such values alone: a vocabulary may hold the same words.
_CODE_KEYS = {"auto_map", "custom_pipelines", "custom_pipeline", "trust_remote_code"}
_CODE_NAMES = (str, list, dict)


def read_json(path: Path, name: str) -> dict[str, Any]:
    """Return one JSON object. Raises `BadInputError` naming `name`."""
    refuse_pointer(path, name)
    size = path.stat().st_size
    if size > _MAX_JSON_BYTES:
        raise BadInputError(f"{name} has {size:,} bytes; at most {_MAX_JSON_BYTES:,} are read.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"{name} is not JSON ({shown(error)}); copy the checkpoint again."
        ) from error
    if not isinstance(content, dict):
        raise BadInputError(f"{name} must hold one JSON object.")
    return content


def is_words(name: str) -> bool:
    """Whether a file is a tokenizer's vocabulary: large, and with no say in what is loaded."""
    return name.rpartition("/")[2] in _WORDS


def check_words(path: Path, name: str) -> None:
    """Refuse a vocabulary that is too large to be one. Raises `BadInputError`."""
    size = path.stat().st_size
    if size > _MAX_WORDS_BYTES:
        raise BadInputError(f"{name} has {size:,} bytes; at most {_MAX_WORDS_BYTES:,} are read.")


def check_config(content: dict[str, Any], name: str) -> None:
    """Refuse a configuration that asks for code which is not installed here."""
    asked = sorted({key for key, value in _pairs(content) if _asks_for_code(key, value)})
    if asked:
        raise BadInputError(
            f"{name} asks for code that came with the weights ({', '.join(asked)}); such code is "
            "never run. Remove the key if the installed libraries can do without."
        )
    named = content.get("_class_name")
    if named is not None and name not in INDEXES and not is_class_known(named):
        raise foreign(name, named)


def _pairs(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every key and value of an object, and of all that it holds."""
    waiting: list[Any] = [content]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from each.items()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _asks_for_code(key: str, value: Any) -> bool:
    return key in _CODE_KEYS and (value is True or (isinstance(value, _CODE_NAMES) and bool(value)))


def check_model_index(content: dict[str, Any]) -> None:
    """Refuse a pipeline, or a component of one, that is not on the list."""
    pipeline = check_pipeline(content.get("_class_name"))
    for component, source in content.items():
        if component.startswith("_") or _is_setting(source):
            continue
        where = f"model_index.json, component {shown(component)!r}"
        if not (component.isidentifier() and component.isascii() and _is_pair(source)):
            raise BadInputError(
                f"{where} is given as {shown(source)}; a component is a list of a library and a "
                "class. Copy the pipeline's folder again, whole."
            )
        if not is_component_known(pipeline, *source):
            raise foreign(where, f"{source[0]}.{source[1]}")


def named_components(index: dict[str, Any]) -> set[str]:
    """Return the components that a pipeline of this checked model_index.json has."""
    return {
        name
        for name, source in index.items()
        if not name.startswith("_") and isinstance(source, list) and isinstance(source[0], str)
    }


def _is_setting(value: Any) -> bool:
    """Whether it is a number, a switch, or a list of such, as some pipelines keep here."""
    if isinstance(value, list) and value and value != [None, None]:
        return all(isinstance(each, bool | int | float) for each in value)
    return value is None or isinstance(value, bool | int | float)


def _is_pair(source: Any) -> bool:
    """Whether a component is told as a library and a class, both left out where it has none."""
    return (
        isinstance(source, list)
        and len(source) == 2
        and (source == [None, None] or all(isinstance(each, str) for each in source))
    )
