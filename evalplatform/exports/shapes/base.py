"""What every format is made of: columns, each with its type, its meaning and how it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa

Values = list[Any]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An image as `datasets` stores it: its bytes, or where its file is."""


class Pictures(Protocol):
    """Where the images of an export come from."""

    def bytes_of(self, files: Sequence[str | None]) -> list[bytes | None]:
        """Return the encoded images, None for those that are not here."""

    def paths_of(
        self, files: Sequence[str | None], digests: Sequence[str | None]
    ) -> list[str | None]:
        """Return where their files lie in the export, and see that they do."""


@dataclass(frozen=True)
class Batch:
    """Some rows as columns: what the statement selected, and where images come from."""

    rows: Mapping[str, Values]
    pictures: Pictures
    people: Mapping[str, int]  # a number for each pseudonym

    def __getitem__(self, name: str) -> Values:
        return self.rows[name]

    def each(self, make: Callable[..., Any], *names: str) -> Values:
        """Return `make` of these columns, row by row."""
        return [make(*values) for values in zip(*(self.rows[each] for each in names), strict=True)]


@dataclass(frozen=True)
class Column:
    """One column: `make` gives its values for a batch; a name takes it as it was selected."""

    name: str
    type: pa.DataType
    says: str
    make: str | Callable[[Batch], Values]

    def values(self, batch: Batch) -> Values:
        return batch[self.make] if isinstance(self.make, str) else self.make(batch)


@dataclass(frozen=True)
class Shape:
    """The columns of one export, in order."""

    columns: tuple[Column, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, which tells `datasets` what its images are."""
        fields = [pa.field(each.name, each.type) for each in self.columns]
        features = {each.name: feature_of(each.type) for each in self.columns}
        told = json.dumps({"info": {"features": features}})
        return pa.schema(fields, metadata={"huggingface": told})

    def table(self, batch: Batch) -> pa.Table:
        """Return the rows of a batch."""
        arrays = [pa.array(each.values(batch), each.type) for each in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.schema)


_TIMES = {"us": "timestamp[us, tz=UTC]", "ns": "timestamp[ns]"}


def feature_of(type: pa.DataType) -> Any:
    """Return the feature of `datasets` that stands for an Arrow type."""
    if type == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(type):
        return {"feature": feature_of(type.value_type), "_type": "List"}
    if pa.types.is_timestamp(type):
        return {"dtype": _TIMES[type.unit], "_type": "Value"}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(type), str(type)), "_type": "Value"}
