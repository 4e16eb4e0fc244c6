"""What is given to import, read as rows: a table, parquet files, or a folder of images."""

from collections.abc import Mapping
from pathlib import Path

from evalplatform.core.errors import BadInputError
from evalplatform.images.matching import PromptMatcher
from evalplatform.images.reading.folders import NamedFiles
from evalplatform.images.reading.rows import RowReader
from evalplatform.images.reading.shards import ParquetRows
from evalplatform.images.reading.tables import CsvRows, JsonRows

_MANIFESTS = ("manifest", "metadata")
TABLES = (".jsonl", ".csv", ".tsv", ".parquet")


def open_rows(
    path: Path, *, columns: Mapping[str, str], matcher: PromptMatcher | None
) -> RowReader:
    """Return the reader of a folder, JSONL, CSV, TSV or parquet file.

    `columns` names the columns of a table that are called otherwise than ours. Raises
    `BadInputError` where nothing of that is there.
    """
    if path.is_dir():
        return _folder(path, columns, matcher)
    if not path.is_file():
        raise BadInputError(
            f"{path}: there is no such file or folder; give a folder of images, or a "
            f"{', '.join(TABLES)} file."
        )
    return _table([path], columns, has_prompts=matcher is not None)


def _folder(path: Path, columns: Mapping[str, str], matcher: PromptMatcher | None) -> RowReader:
    manifests = [
        file
        for file in sorted(path.iterdir())
        if file.stem in _MANIFESTS and file.suffix in TABLES and file.is_file()
    ]
    if len(manifests) > 1:
        names = " and ".join(file.name for file in manifests)
        raise BadInputError(f"{path} holds {names}; give the one that is meant by its path.")
    shards = sorted(path.glob("*.parquet"))
    if manifests or shards:
        return _table(manifests or shards, columns, has_prompts=matcher is not None)
    if columns:
        raise BadInputError(f"{path} holds no manifest, so there are no columns to name.")
    return NamedFiles(path, matcher)


def _table(paths: list[Path], columns: Mapping[str, str], *, has_prompts: bool) -> RowReader:
    suffix = paths[0].suffix.lower()
    if suffix == ".parquet":
        return ParquetRows(paths, columns, needs_prompt=has_prompts)
    if suffix in (".csv", ".tsv"):
        return CsvRows(paths[0], columns, needs_prompt=has_prompts)
    if suffix == ".jsonl":
        return JsonRows(paths[0], columns, needs_prompt=has_prompts)
    raise BadInputError(
        f"{paths[0]}: files ending in {suffix or 'nothing'} are not read; give a folder of images, "
        f"or a {', '.join(TABLES)} file."
    )
