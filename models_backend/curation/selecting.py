"""`select`: rules on scores, and the pool they leave, with its funnel and its audit sheet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from tqdm import tqdm

from models_backend.curation.audit import Sheet, near_duplicates, thresholds, write_audit
from models_backend.curation.columns import numbers, places, texts
from models_backend.curation.fingerprints import COLUMNS
from models_backend.curation.loading import Loaded, join, load
from models_backend.curation.pool import PoolEntry, begin_pool, finish_pool, image_file, store_image
from models_backend.curation.rules import SelectionRules
from models_backend.curation.selection import Rows, SelectionDecision, decide, funnel
from models_backend.curation.sources import SourceImage, original_file, read_bytes, root_of
from models_backend.curation.store import Store
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes, write_bytes_atomically, write_json_atomically

_PLACES = ("file", "first", "second", "ending", "caption", "concept", "licence")


@dataclass(frozen=True)
class Selection:
    """Rules applied to scores."""

    store: Store
    rules: SelectionRules
    loaded: Loaded
    decision: SelectionDecision
    funnel: dict[str, Any]


def apply(scores: Path, rules: SelectionRules) -> Selection:
    """Apply rules to a folder of scores; nothing is written, no image is opened."""
    store = Store(scores)
    loaded = load(store, rules)
    decision = decide(loaded.scores, rules)
    told = funnel(loaded.scores, rules, decision)
    if loaded.captions_apart:
        decision.warnings.append(
            f"{loaded.captions_apart} places hold an image that was found before; where captions "
            "differ, the latest counts"
        )
    return Selection(store, rules, loaded, decision, told)


def write_reasons(selection: Selection, folder: Path) -> None:
    """Write `funnel.json` and `dropped.parquet`, a row for each image that goes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomically(folder / "funnel.json", selection.funnel)
    decision = selection.decision
    gone = np.flatnonzero(decision.reason >= 0)
    which = places(decision.reason[gone]).cast("int16")
    columns = {"image_sha256": _hashes(selection.loaded, gone)}
    for place, name in enumerate(("stage", "rule")):
        words = texts([reason[place] for reason in decision.reasons])
        columns[name] = pyarrow.DictionaryArray.from_arrays(which, words)
    parquet.write_table(
        pyarrow.table(columns), folder / "dropped.parquet", compression="none",
        use_dictionary=["stage", "rule"],
    )  # fmt: skip


def _hashes(loaded: Loaded, rows: Rows) -> pyarrow.ChunkedArray:
    hashes = loaded.hashes.combine_chunks()
    return hashes.take(places(loaded.image_rows[rows]))


def write_pool(selection: Selection, data: Path, out: Path, *, audit: bool = True) -> Path:
    """Write the pool of a selection, from the bytes of its source.

    Raises:
        InputError: no image is left, `out` is not empty, or an image is gone or was changed.
    """
    decision, rules = selection.decision, selection.rules
    if not len(decision.kept):
        raise InputError(
            "the rules leave no image: "
            + ("; ".join(decision.warnings) or "the scores hold none that can be read")
        )
    begin_pool(out)
    write_reasons(selection, out)
    write_bytes_atomically(out / "rules.toml", rules.text.encode())
    if audit:
        scores = selection.loaded.scores
        sheets: list[Sheet] = [
            *thresholds(scores, rules, decision), *near_duplicates(scores, rules, decision)
        ]  # fmt: skip
        write_audit(sheets, _Reader(selection, data, _shown(sheets)), selection.funnel, out)
    # The mark comes last.
    finish_pool(
        out,
        _entries(selection, data, out),
        rules_sha256=rules.sha256,
        scores_sha256=selection.loaded.sha256,
        source=str(data),
        scorers={name: i.to_dict() for name, i in sorted(selection.loaded.identities.items())},
    )
    return out


def _shown(sheets: list[Sheet]) -> Rows:
    rows = [row for sheet in sheets for _, shown, _, _ in sheet.lines() for row in shown]
    return np.unique(np.array(rows, dtype=np.int64))


class _Reader:
    """The images of some rows, from where they were found."""

    def __init__(self, selection: Selection, data: Path, rows: Rows) -> None:
        self._root = root_of(data)
        table = selection.store.images(list(_PLACES))
        found = table.take(places(selection.loaded.image_rows[rows])).to_pylist()
        hashes = _hashes(selection.loaded, rows).to_pylist()
        self.told = dict(zip(rows.tolist(), found, strict=True))
        self.sha256 = dict(zip(rows.tolist(), (h.hex() for h in hashes), strict=True))

    def item(self, row: int) -> SourceImage:
        told = self.told[row]
        return SourceImage(told["file"], told["first"], told["second"])

    def original(self, row: int) -> Path | None:
        return original_file(self._root, self.item(row))

    def __call__(self, row: int) -> bytes:
        data = read_bytes(self._root, self.item(row))
        if sha256_of_bytes(data) != self.sha256[row]:
            raise InputError(
                f"{self.item(row).place} in {self._root} is not what was scored; run score again"
            )
        return data


def _entries(selection: Selection, data: Path, out: Path) -> Iterator[PoolEntry]:
    rows = selection.decision.kept
    read = _Reader(selection, data, rows)
    measures = _every_measure(selection, rows)
    bar = tqdm(rows.tolist(), desc="pool", unit="image", file=sys.stderr, mininterval=1.0)
    for number, row in enumerate(bar):
        told, sha256 = read.told[row], read.sha256[row]
        file = image_file(sha256, told["ending"])
        store_image(out, file, read(row), read.original(row))
        scores = {name: column[number] for name, column in measures.items()}
        popularity = scores.get("popularity/value")
        yield PoolEntry(
            sha256, file, int(scores["size/width"]), int(scores["size/height"]), told["caption"],
            str(scores.get("concepts/name") or told["concept"] or ""), told["licence"],
            {name: value for name, value in scores.items() if name not in _NO_MEASURES},
            popularity,
        )  # fmt: skip


_NO_MEASURES = (
    *(f"duplicates/{name}" for name in COLUMNS), "concepts/name", "popularity/value",
)  # fmt: skip


def _every_measure(selection: Selection, rows: Rows) -> dict[str, list[Any]]:
    """Return all measures of some rows, also those that the rules do not name."""
    loaded = selection.loaded
    table = selection.store.images(["text_key"])
    said = numbers(table.column("text_key"))[loaded.image_rows[rows]]
    names = {
        column for name, parts in loaded.parts.items() for part in parts for column in part.columns
        if column.startswith(f"{name}/")
    }  # fmt: skip
    found: dict[str, Any] = {}
    for scorer in loaded.parts:
        wanted = [name for name in names if name.startswith(f"{scorer}/")]
        try:
            found |= join(loaded.parts, loaded.scores.keys[rows], said,
                          np.ones(len(rows), dtype=bool), wanted)  # fmt: skip
        except InputError:  # scored only in part, and no rule asks for it
            if scorer == "size":
                raise
    return {name: column.to_pylist() for name, column in sorted(found.items())}
