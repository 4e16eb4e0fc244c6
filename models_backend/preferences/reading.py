"""Reads a preference set, and refuses one that is not what it says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models_backend.errors import InputError
from models_backend.files import read_json, sha256_of_file
from models_backend.preferences.columns import READ, SCHEMA
from models_backend.preferences.pictures import ImageStore
from models_backend.preferences.prompts import SPLITS, prompt_sha256
from models_backend.preferences.records import PreferencePair, PreferenceRanking
from models_backend.preferences.writing import FORMAT, MARK, PAIRS, RANKINGS

ENOUGH_PAIRS = 30
"""Fewer pairs that are no ties teach nothing."""


@dataclass(frozen=True)
class PreferenceSet:
    """A finished set; `pairs` are as stored, their weights those of the file."""

    folder: Path
    mark: dict[str, Any]
    pairs: list[PreferencePair]
    weights: list[float]
    """Of each pair: its own weight over the number of pairs of its prompt and aspect."""

    @classmethod
    def open(cls, folder: Path) -> PreferenceSet:
        """Read a set.

        Raises:
            InputError: unfinished or changed, a column is missing, a label is none, or a prompt is
                in two splits.
        """
        mark = read_mark(folder)
        for name, digest in mark.get("files", {}).items():
            if not (folder / name).is_file() or sha256_of_file(folder / name) != digest:
                raise InputError(f"{folder / name} differs from the hash in {MARK}; copy it again")
        table = read_table(folder / PAIRS)
        refuse_split_prompts(table)
        return cls(folder, mark, pairs_of(table), table["weight"].to_pylist())

    @property
    def images(self) -> ImageStore:
        return ImageStore(self.folder)

    @property
    def sha256(self) -> str:
        """Hash of the mark, which holds those of the files and of the images."""
        return sha256_of_file(self.folder / MARK)

    @cached_property
    def rankings(self) -> list[PreferenceRanking]:
        """The rankings, in the file's order."""
        found = []
        for line in (self.folder / RANKINGS).read_text(encoding="utf-8").splitlines():
            values: dict[str, Any] = json.loads(line)
            values.pop("split")
            when = values.pop("created_at")
            lists: dict[str, Any] = {
                name: tuple(values.pop(name)) for name in ("images", "ranks", "models")
            }
            found.append(
                PreferenceRanking(
                    **values, **lists, created_at=datetime.fromisoformat(when) if when else None
                )
            )
        return found

    def of(self, split: str, aspect: str | None = None) -> list[tuple[PreferencePair, float]]:
        """Return the pairs of a split, and of one aspect where it is named, with their weights."""
        return [
            (pair, weight)
            for pair, weight in zip(self.pairs, self.weights, strict=True)
            if pair.split == split and aspect in (None, pair.aspect)
        ]

    def refuse_too_few(self, aspects: tuple[str, ...] = ()) -> None:
        """Raise `InputError` where a reward or a model cannot be trained on it."""
        for aspect in aspects or tuple(self.mark["aspects"]):
            if aspect not in self.mark["aspects"]:
                raise InputError(
                    f"aspect {aspect!r}: {self.folder} has {', '.join(self.mark['aspects'])}"
                )
            decided = sum(p.label != 0.5 for p, _ in self.of("train", aspect))
            if decided < ENOUGH_PAIRS:
                raise InputError(
                    f"{self.folder}: {decided} pairs of aspect {aspect!r} in the train split are "
                    f"no ties; at least {ENOUGH_PAIRS} are needed. A ranking that is closed takes "
                    "no more votes: have more prompts ranked, or each by more people, in another "
                    "one and make a set of that"
                )


def read_mark(folder: Path) -> dict[str, Any]:
    """Return `preferences.json` of a finished set.

    Raises:
        InputError: it is missing or of another format.
    """
    if not (folder / MARK).is_file():
        raise InputError(
            f"{folder} is not a finished preference set ({MARK} is missing)",
            by_command="`python -m models_backend.preferences import SOURCE --from FORMAT --out "
            "DIR` makes one.",
        )
    mark = read_json(folder / MARK)
    if mark.get("format") != FORMAT:
        raise InputError(f"{folder / MARK} is not of the format {FORMAT}")
    return mark


def read_table(path: Path) -> pa.Table:
    """Return the rows of `pairs.parquet` without images.

    Raises:
        InputError: not Parquet, a column missing or of another type, or a label outside 0, ½, 1.
    """
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} is not Parquet ({error})") from None
    for field in SCHEMA:
        if field.name not in schema.names:
            raise InputError(f"{path} lacks the column {field.name}")
        if schema.field(field.name).type != field.type:
            raise InputError(
                f"{path}: column {field.name} is {schema.field(field.name).type}; accepted is "
                f"{field.type}"
            )
    table = pq.read_table(path, columns=READ)
    if not table.num_rows:
        raise InputError(f"{path} holds no pairs")
    good = pc.is_in(table["label_0"], value_set=pa.array([0.0, 0.5, 1.0]))
    whole = pc.equal(pc.add(table["label_0"], table["label_1"]), 1.0)
    if not pc.all(pc.and_(good, whole)).as_py():
        raise InputError(f"{path}: a label is outside 0, 0.5, 1, or a row's two do not add up to 1")
    return table


def refuse_split_prompts(table: pa.Table) -> None:
    """Raise `InputError` where a prompt is in two splits, or its hash or split is not its own."""
    of_prompt: dict[str, str] = {}
    rows = zip(
        table["caption"].to_pylist(),
        table["prompt_sha256"].to_pylist(),
        table["split"].to_pylist(),
        strict=True,
    )
    for prompt, sha256, split in set(rows):
        if prompt_sha256(prompt) != sha256:
            raise InputError(f"prompt {prompt[:60]!r}: its prompt_sha256 is another one's")
        if split not in SPLITS:
            raise InputError(f"split {split!r}: accepted are {', '.join(SPLITS)}")
        if of_prompt.setdefault(sha256, split) != split:
            raise InputError(
                f"prompt {prompt[:60]!r} is in the splits {of_prompt[sha256]} and {split}: a model "
                "would be tested on what it learned"
            )


def pairs_of(table: pa.Table) -> list[PreferencePair]:
    """Return rows as pairs.

    Raises:
        InputError: votes that a label contradicts, or values that no pair has.
    """
    shared = Counter(zip(table["prompt_sha256"].to_pylist(), table["aspect"].to_pylist(),
                         strict=True))  # fmt: skip
    pairs = []
    for row in table.to_pylist():
        pair = PreferencePair(
            prompt=row["caption"],
            aspect=row["aspect"],
            images=(row["image_0_uid"], row["image_1_uid"]),
            models=(row["model_0"] or "", row["model_1"] or ""),
            votes=(row["votes_0"], row["votes_1"]),
            ties=row["ties"],
            user_id=row["user_id"],
            ranking_id=row["ranking_id"],
            source=row["source"],
            weight=min(1.0, row["weight"] * shared[row["prompt_sha256"], row["aspect"]]),
            created_at=row["created_at"],
        )
        if pair.label != row["label_0"]:
            raise InputError(
                f"pair {pair.ranking_id}: label_0 is {row['label_0']:g}, its votes are "
                f"{pair.votes[0]} to {pair.votes[1]}"
            )
        pairs.append(pair)
    return pairs
