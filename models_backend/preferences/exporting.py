"""Writes a preference set in the forms that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically
from models_backend.preferences.columns import PICKAPIC
from models_backend.preferences.pictures import FOLDER
from models_backend.preferences.prompts import SPLITS, prompt_sha256, split_of
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair, consensus
from models_backend.preferences.writing import Provenance, tables

TOLD_BESIDE = "export.toml"  # not JSON, as some forms are: whoever takes `*.json` finds rows
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_HF = pa.schema([("prompt", pa.string()), ("chosen", _IMAGE), ("rejected", _IMAGE)])


def export_set(
    found: PreferenceSet,
    folder: Path,
    *,
    form: str,
    aspect: str | None = None,
    blind: bool = False,
    count_together: bool = False,
) -> dict[str, int]:
    """Write one aspect of a set into an empty folder; return the rows by file.

    `blind` leaves out what models are called; `count_together` makes one row of all votes on the
    same two images. `export.toml` beside the files says whether votes were simulated, which
    `import_set` reads.

    Raises:
        InputError: an unknown form or aspect, several aspects and none named, or a folder in use.
    """
    if form not in FORMS:
        raise InputError(f"{form!r} is no form; accepted are {', '.join(FORMS)}")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; give another folder")
    aspects = found.mark["aspects"]
    if aspect is None and len(aspects) > 1:
        raise InputError(
            f"the set has the aspects {', '.join(aspects)}, and {form} knows none: choose one",
            by_command="`--aspect` names it.",
        )
    if aspect not in (None, *aspects):
        raise InputError(f"the set has no aspect {aspect!r}; it has {', '.join(aspects)}")
    # Of what these forms cannot say, what must not be lost: first, so that no file is without it.
    told = {
        "form": form,
        "aspect": aspect or aspects[0],
        "campaign": found.mark["campaign"],
        "simulated": found.mark["simulated"],
        "origin": found.sha256,
    }
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in told.items())
    write_bytes_atomically(folder / TOLD_BESIDE, "".join(lines).encode())
    written: dict[str, int] = {}
    for split in SPLITS:
        pairs = [pair for pair, _ in found.of(split, aspect)]
        pairs = consensus(pairs) if count_together else pairs
        if pairs:
            written |= FORMS[form](found, folder, split, pairs, blind)
    return written


def _pickapic(
    found: PreferenceSet, folder: Path, split: str, pairs: list[PreferencePair], blind: bool
) -> dict[str, int]:
    unique = list({pair.sha256: pair for pair in pairs}.values())
    written = {}
    for name, rows in ((split, pairs), (f"{split}_unique", unique)):
        path = folder / "data" / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, PICKAPIC, compression="zstd") as writer:
            for table in tables(rows, Provenance(), found.images, True):
                kept = table.select(PICKAPIC.names)
                for at in (0, 1) if blind else ():
                    place = PICKAPIC.names.index(f"model_{at}")
                    nobody = pa.array([""] * kept.num_rows)
                    kept = kept.set_column(place, PICKAPIC.field(place), nobody)
                writer.write_table(kept)
        written[path.name] = len(rows)
    return written


def _hf(
    found: PreferenceSet, folder: Path, split: str, pairs: list[PreferencePair], blind: bool
) -> dict[str, int]:
    rows = []
    for pair in pairs:
        if pair.label == 0.5:  # these readers would train on a tie as if it were won
            continue
        chosen, rejected = pair.images if pair.label == 1 else pair.images[::-1]
        rows.append(
            {
                "prompt": pair.prompt,
                "chosen": {"bytes": found.images.bytes_of(chosen), "path": None},
                "rejected": {"bytes": found.images.bytes_of(rejected), "path": None},
            }
        )
    if not rows:
        return {}
    image = {"_type": "Image"}
    features = {"prompt": {"dtype": "string", "_type": "Value"}, "chosen": image, "rejected": image}
    told = json.dumps({"info": {"features": features}})
    path = folder / "data" / f"{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, _HF.with_metadata({"huggingface": told})), path)
    return {path.name: len(rows)}


def _orders(found: PreferenceSet, split: str, aspect: str) -> Iterator[tuple[Any, list[Any]]]:
    """Yield (prompt, images, models) with the ranks that each person gave them."""
    grouped: dict[tuple[Any, ...], list[tuple[int, tuple[int, ...]]]] = {}
    for each in found.rankings:
        if each.aspect == aspect and split_of(prompt_sha256(each.prompt)) == split:
            key = (each.prompt, each.images, each.models)
            grouped.setdefault(key, []).append((each.user_id, each.ranks))
    yield from grouped.items()


def _write_json(path: Path, entries: Sequence[dict[str, Any]]) -> dict[str, int]:
    text = json.dumps(entries, ensure_ascii=False, indent=1)
    write_bytes_atomically(path, text.encode())
    return {path.name: len(entries)}


def _copy(found: PreferenceSet, folder: Path, images: Sequence[str]) -> list[str]:
    names = []
    for uid in images:
        name = f"{FOLDER}/{uid}.png"
        if not (folder / name).exists():
            write_bytes_atomically(folder / name, found.images.bytes_of(uid))
        names.append(name)
    return names


def _mean_ranks(orders: Sequence[tuple[int, tuple[int, ...]]]) -> list[int]:
    """Return ranks by the sum of the ranks that people gave; equal sums are ties."""
    sums = [sum(ranks[at] for _, ranks in orders) for at in range(len(orders[0][1]))]
    return [1 + sum(other < each for other in sums) for each in sums]


def _hpdv2(
    found: PreferenceSet, folder: Path, split: str, pairs: list[PreferencePair], blind: bool
) -> dict[str, int]:
    entries = [
        {
            "prompt": prompt,
            "image_path": _copy(found, folder, images),
            "rank": _mean_ranks(orders),
            "raw_annotations": [
                {"rank": list(ranks), "user_hash": str(person)} for person, ranks in orders
            ],
        }
        for (prompt, images, _), orders in _orders(found, split, pairs[0].aspect)
    ]
    return _write_json(folder / f"{split}.json", entries)


def _imagereward(
    found: PreferenceSet, folder: Path, split: str, pairs: list[PreferencePair], blind: bool
) -> dict[str, int]:
    entries = [
        {
            "id": f"{split}-{number:06d}",
            "prompt": prompt,
            "generations": _copy(found, folder, images),
            "ranking": _mean_ranks(orders),
        }
        for number, ((prompt, images, _), orders) in enumerate(
            _orders(found, split, pairs[0].aspect), start=1
        )
    ]
    return _write_json(folder / f"{split}.json", entries)


def _itercomp(
    found: PreferenceSet, folder: Path, split: str, pairs: list[PreferencePair], blind: bool
) -> dict[str, int]:
    """Write `rank` as a list of models; where sums of ranks tie, the first image goes first."""
    entries: list[dict[str, Any]] = []
    for (prompt, images, models), orders in _orders(found, split, pairs[0].aspect):
        known = not blind and all(models) and len(set(models)) == len(images)
        names = list(models) if known else [str(at) for at in range(1, len(images) + 1)]
        ranks = _mean_ranks(orders)
        entry = {"index": len(entries), "prompt": prompt}
        for name, path in zip(names, _copy(found, folder, images), strict=True):
            entry[f"image_{name}"] = path
        entry["rank"] = [names[at] for at in sorted(range(len(names)), key=ranks.__getitem__)]
        entries.append(entry)
    return _write_json(folder / f"{split}.json", entries)


Form = Callable[[PreferenceSet, Path, str, list[PreferencePair], bool], dict[str, int]]
FORMS: dict[str, Form] = {
    "pickapic": _pickapic,
    "hf": _hf,
    "hpdv2": _hpdv2,
    "imagereward": _imagereward,
    "itercomp": _itercomp,
}
