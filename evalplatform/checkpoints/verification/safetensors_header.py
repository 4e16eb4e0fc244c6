"""Reading a safetensors file's header: bounded, and held against the file it describes.

Format: 8 bytes of length, JSON of that length, then the tensors' bytes with neither gap nor overlap
(https://github.com/huggingface/safetensors#format).
"""

import json
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from evalplatform.checkpoints.verification.lfs import refuse_pointer
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError

# The format allows 100 MB, which takes ten seconds and half a gigabyte to read; the largest models'
# headers have half a megabyte, and some carry a picture among their notes.
_MAX_HEADER_BYTES = 16 * 2**20
_MAX_TENSORS = 100_000
_MAX_DIMENSIONS = 8
_MAX_SIDE = 2**40
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16,
    "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Tensors:
    """What one file holds: parameters by dtype, as safetensors names them."""

    parameters: Counter[str]
    names: frozenset[str]


def read_header(path: Path, name: str) -> Tensors:
    """Check the header of `path` against the file; `name` is how an error calls it.

    Raises `BadInputError` unless the tensors fill the file exactly, in whatever order.
    """
    refuse_pointer(path, name)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if _MAX_HEADER_BYTES < length <= size - 8:
            raise BadInputError(
                f"{name} has a safetensors header of {length:,} bytes; at most "
                f"{_MAX_HEADER_BYTES:,} are read. Save it without the notes in its metadata."
            )
        if size < 8 or not 2 <= length <= size - 8:
            raise BadInputError(
                f"{name} is not a whole safetensors file (its header says {length} bytes, the "
                f"file has {size}); copy it again."
            )
        text = file.read(length)
    if not text.startswith(b"{"):
        raise BadInputError(f"{name} has a safetensors header that is no JSON object; save again.")
    try:
        header = json.loads(text, object_pairs_hook=_no_duplicates)
        return _tensors(header, size - 8 - length, name)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{name} has a broken safetensors header ({shown(error)}); save it again."
        ) from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _tensors(header: dict[str, Any], data_bytes: int, name: str) -> Tensors:
    spans: list[tuple[int, int]] = []
    parameters: Counter[str] = Counter()
    for key, entry in header.items():
        if key == "__metadata__":
            if not all(isinstance(value, str) for value in entry.values()):
                raise ValueError("its metadata are not strings")
            continue
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = [*shape, start, end]
        if not key.isprintable():
            raise ValueError(f"{shown(key)!r} cannot name a tensor")
        if (
            len(shape) > _MAX_DIMENSIONS
            or any(type(n) is not int or n < 0 for n in whole)
            or max(shape, default=0) > _MAX_SIDE
        ):
            raise ValueError(f"{shown(key)!r} has an impossible shape or place")
        if dtype not in _BITS:
            raise ValueError(f"{shown(key)!r} has the unknown dtype {shown(dtype, 20)!r}")
        if prod(shape) * _BITS[dtype] != (end - start) * 8:
            raise ValueError(f"{shown(key)!r} does not have the size its shape says")
        spans.append((start, end))
        parameters[dtype] += prod(shape)
    if len(spans) > _MAX_TENSORS:
        raise ValueError("too many tensors")
    _check_spans(sorted(spans), data_bytes, name)
    return Tensors(parameters, frozenset(header) - {"__metadata__"})


def _check_spans(spans: list[tuple[int, int]], data_bytes: int, name: str) -> None:
    place = 0
    for start, end in spans:
        if start != place:
            raise ValueError("its tensors overlap or leave a gap")
        place = end
    if place != data_bytes:
        raise BadInputError(
            f"{name} is cut off or padded: its tensors need {place} bytes, it holds "
            f"{data_bytes}; copy it again."
        )
