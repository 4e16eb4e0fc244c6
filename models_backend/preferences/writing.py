"""Writes a preference set: everything else first, `preferences.json` last."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models_backend.errors import InputError
from models_backend.files import (
    sha256_of_bytes,
    sha256_of_file,
    temporary_sibling,
    write_bytes_atomically,
    write_json_atomically,
)
from models_backend.preferences.columns import SCHEMA
from models_backend.preferences.pictures import FOLDER, ImageStore
from models_backend.preferences.prompts import SPLITS, prompt_sha256, split_of
from models_backend.preferences.records import PreferencePair, PreferenceRanking, cycles

FORMAT = "t2i-preferences/1"
MARK, PAIRS, RANKINGS = "preferences.json", "pairs.parquet", "rankings.jsonl"
_ROWS = 500  # a group: with its images some tens of megabytes


@dataclass(frozen=True)
class Provenance:
    """Where a set comes from."""

    campaign: str = ""
    protocol_sha256: str = ""
    licence: str = "not stated"
    origin: str = ""
    """What it was made of, such as the format and the name of a file."""


def begin_set(folder: Path) -> ImageStore:
    """Return where the images of a new set go.

    Raises:
        InputError: the folder holds something else, or a finished set.
    """
    others = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    if MARK in others:
        raise InputError(f"{folder} holds a finished preference set; choose another folder")
    strange = sorted({*others} - {FOLDER, PAIRS, RANKINGS})
    if strange:
        raise InputError(f"{folder} holds {strange[0]}; give an empty folder")
    return ImageStore(folder)


def write_set(
    folder: Path,
    *,
    pairs: Sequence[PreferencePair],
    rankings: Sequence[PreferenceRanking],
    provenance: Provenance,
    allow_simulated: bool = False,
    embed: bool = True,
) -> dict[str, Any]:
    """Write pairs and rankings whose images :func:`begin_set` has taken; return the mark.

    `pairs` are all pairs, also those of the rankings. With `embed` each row carries its two images,
    as Pick-a-Pic's readers want them.

    Raises:
        InputError: no pairs, an image that is missing, or simulated and human votes together
            without `allow_simulated`.
    """
    if not pairs:
        raise InputError("there are no pairs: nothing was compared")
    sources = Counter(each.source for each in pairs)
    if sources["simulated"] and len(sources) > 1 and not allow_simulated:
        raise InputError(
            f"{sources['simulated']} pairs are simulated and {len(pairs) - sources['simulated']} "
            "are not: keep them apart",
            by_command="`--allow-simulated` mixes them.",
        )
    _write_pairs(folder, pairs, provenance, embed)
    lines = [_line(each) for each in rankings]
    write_bytes_atomically(folder / RANKINGS, "".join(lines).encode())
    mark = _mark(folder, pairs, rankings, provenance, sources)
    write_json_atomically(folder / MARK, mark)
    return mark


def _mark(
    folder: Path,
    pairs: Sequence[PreferencePair],
    rankings: Sequence[PreferenceRanking],
    provenance: Provenance,
    sources: Counter[str],
) -> dict[str, Any]:
    images = sorted({uid for each in pairs for uid in each.images})
    of_split = {split: [p for p in pairs if p.split == split] for split in SPLITS}
    return {
        "format": FORMAT,
        "pairs": len(pairs),
        "rankings": len(rankings),
        "images": len(images),
        "images_sha256": sha256_of_bytes("\n".join(images).encode()),
        "prompts": len({each.sha256 for each in pairs}),
        "aspects": sorted({each.aspect for each in pairs}),
        "annotators": len({each.user_id for each in pairs} - {0}),
        "ties": sum(each.label == 0.5 for each in pairs),
        "cycles": cycles(pairs),
        "sources": dict(sorted(sources.items())),
        "simulated": bool(sources["simulated"]),
        "splits": {
            split: {"pairs": len(found), "prompts": len({each.sha256 for each in found})}
            for split, found in of_split.items()
        },
        "files": {name: sha256_of_file(folder / name) for name in (PAIRS, RANKINGS)},
        **asdict(provenance),
    }


def _line(ranking: PreferenceRanking) -> str:
    values = asdict(ranking) | {"split": split_of(prompt_sha256(ranking.prompt))}
    values["created_at"] = ranking.created_at.isoformat() if ranking.created_at else None
    return json.dumps(values, ensure_ascii=False, sort_keys=True) + "\n"


def _write_pairs(
    folder: Path, pairs: Sequence[PreferencePair], provenance: Provenance, embed: bool
) -> None:
    path = folder / PAIRS
    partial = temporary_sibling(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            for table in tables(pairs, provenance, ImageStore(folder), embed):
                writer.write_table(table)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def tables(
    pairs: Sequence[PreferencePair], provenance: Provenance, images: ImageStore, embed: bool
) -> Iterator[pa.Table]:
    """Yield the rows of pairs, some hundreds at a time.

    The weights of a prompt under an aspect add up to at most 1, so that nine images of one prompt
    do not drown nine prompts of one pair (as PickScore weighs its pairs).
    """
    of_prompt = Counter(each.sha256 for each in pairs)
    of_aspect = Counter((each.sha256, each.aspect) for each in pairs)
    for start in range(0, len(pairs), _ROWS):
        rows = []
        for each in pairs[start : start + _ROWS]:
            row = _row(each, provenance, images, embed)
            row["num_example_per_prompt"] = of_prompt[each.sha256]
            row["weight"] = each.weight / of_aspect[each.sha256, each.aspect]
            rows.append(row)
        yield pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    pair: PreferencePair, provenance: Provenance, images: ImageStore, embed: bool
) -> dict[str, Any]:
    first, second = pair.images
    best = {1.0: first, 0.0: second, 0.5: "tie"}[pair.label]
    stored = [images.bytes_of(uid) for uid in pair.images]  # also finds those that are missing
    return {
        "are_different": first != second,
        "best_image_uid": best,
        "caption": pair.prompt,
        "created_at": pair.created_at,
        "has_label": True,
        "image_0_uid": first,
        "image_0_url": "",
        "image_1_uid": second,
        "image_1_url": "",
        "jpg_0": stored[0] if embed else None,
        "jpg_1": stored[1] if embed else None,
        "label_0": pair.label,
        "label_1": 1 - pair.label,
        "model_0": pair.models[0],
        "model_1": pair.models[1],
        "ranking_id": pair.ranking_id,
        "user_id": pair.user_id,
        "prompt_sha256": pair.sha256,
        "split": pair.split,
        "aspect": pair.aspect,
        "votes_0": pair.votes[0],
        "votes_1": pair.votes[1],
        "ties": pair.ties,
        "source": pair.source,
        "campaign": provenance.campaign,
        "protocol_sha256": provenance.protocol_sha256,
    }
