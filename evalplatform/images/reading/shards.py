"""Parquet files: images as bytes, as a hub's struct of bytes and path, or as paths."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.parquet_files import (
    IMAGE_BYTES,
    TEXT_BYTES,
    batches,
    holds_bytes,
    is_binary,
    open_parquet,
    rows_of,
)
from evalplatform.images.faults import RowError
from evalplatform.images.reading.rows import (
    GivenImage,
    RowReader,
    file_of,
    given_image,
    image_in_file,
    our_columns,
)

_ROWS_AT_A_TIME = 1024
_IMAGES_AT_A_TIME = 16


class ParquetRows(RowReader):
    """One or more files of the same columns, read a few rows at a time."""

    def __init__(
        self, paths: Sequence[Path], columns: Mapping[str, str], *, needs_prompt: bool
    ) -> None:
        self._paths = paths
        self._schemas = [self._schema(path) for path in paths]
        names = self._schemas[0].names
        for path, schema in zip(paths, self._schemas, strict=True):
            if schema.names != names:
                raise BadInputError(
                    f"{path.name} has other columns than {paths[0].name}; import them apart."
                )
        self._found = our_columns(names, columns, paths[0].name, needs_prompt=needs_prompt)
        self._kinds = [self._kind(schema.field(self._found["image"])) for schema in self._schemas]

    def _located(self) -> Iterator[tuple[str, tuple[dict[str, Any], Path, str]]]:
        for path, schema, kind in zip(self._paths, self._schemas, self._kinds, strict=True):
            names = [field.name for field in schema if not holds_bytes(field.type)]
            columns = [name for name in names if name != self._found["image"] or kind == "path"]
            shard = f"{path.name}, " if len(self._paths) > 1 else ""
            batches = self._batches(path, columns, _ROWS_AT_A_TIME)
            for number, values in enumerate(chain.from_iterable(batches)):
                yield f"{shard}row {number}", (dict(values), path, kind)

    def embedded(self) -> Iterator[bytes | Path | None]:
        image = self._found["image"]
        for path in self._paths:
            for batch in self._batches(path, [image], _IMAGES_AT_A_TIME, IMAGE_BYTES):
                for row in batch:
                    yield _content(row[image], path.parent)

    def _row(self, where: str, values: tuple[dict[str, Any], Path, str]) -> GivenImage:
        rest, path, kind = values
        ours = {name: rest.pop(column, None) for name, column in self._found.items()}
        if kind != "path":
            return given_image(where, ours, rest, None)
        return image_in_file(where, ours, rest, ours["image"], path.parent)

    def _kind(self, field: Any) -> str:
        """Return what the image column holds: `bytes`, a `struct` of them, or a `path`."""
        from pyarrow import types

        if is_binary(field.type):
            return "bytes"
        if types.is_struct(field.type) and {"bytes", "path"} & {each.name for each in field.type}:
            return "struct"
        if types.is_string(field.type) or types.is_large_string(field.type):
            return "path"
        raise BadInputError(
            f"{self._paths[0].name}: column {field.name} holds {field.type}; an image is bytes of "
            "a file, a struct of bytes and path, or a path."
        )

    @staticmethod
    def _schema(path: Path) -> Any:
        with open_parquet(path, str(path)) as file:
            return file.schema_arrow

    @staticmethod
    def _batches(
        path: Path, columns: list[str], rows: int, most: int = TEXT_BYTES
    ) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield rows as dictionaries; where no column is wanted, as many empty ones."""
        if not columns:
            with open_parquet(path, str(path)) as file:
                count = file.metadata.num_rows
            for at in range(0, count, rows):
                yield [{}] * min(rows, count - at)
            return
        for batch in batches(path, str(path), columns, rows=rows, most=most):
            yield rows_of(batch, str(path))


def _content(value: Any, folder: Path) -> bytes | Path | None:
    """Return what one row of the image column holds."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str):
        try:
            return file_of(value, folder)
        except RowError:
            return None
    return value if isinstance(value, bytes) else None
