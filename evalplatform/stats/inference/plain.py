"""Results as plain dictionaries, lists, strings and numbers, ready for `json.dumps`."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

_PROPERTIES = ("p_value",)  # worked out from the fields, and worth keeping with them


def plain(result: Any) -> Any:
    """A frozen result with all it holds: dataclasses become dictionaries, tuples lists.

    Ids stay as they are where JSON knows their type, and become their text where it does not.

    >>> from .estimates import State
    >>> plain({"state": State.DEFINED, "low": np.float64(0.5), "ids": ("a", 7)})
    {'state': 'defined', 'low': 0.5, 'ids': ['a', 7]}
    """
    if isinstance(result, np.generic):
        return result.item()
    if isinstance(result, Enum):
        return result.value
    if result is None or isinstance(result, str | bool | int | float):
        return result
    if isinstance(result, np.ndarray):
        return result.tolist()
    if isinstance(result, dict):
        return {str(key): plain(one) for key, one in result.items()}
    if isinstance(result, list | tuple):
        return [plain(one) for one in result]
    if is_dataclass(result) and not isinstance(result, type):
        found = {field.name: plain(getattr(result, field.name)) for field in fields(result)}
        extra = (name for name in _PROPERTIES if name not in found and hasattr(result, name))
        return found | {name: plain(getattr(result, name)) for name in extra}
    return str(result)
