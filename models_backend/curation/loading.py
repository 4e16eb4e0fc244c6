"""Scores on disk as arrays: of each measure what rules ask for, joined by image. No torch here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow

from models_backend.curation.columns import is_number, numbers, places, read_columns, valid
from models_backend.curation.fingerprints import PRINTS, WINDOWS, columns_of
from models_backend.curation.near_duplicates import Fingerprints
from models_backend.curation.rules import SelectionRules
from models_backend.curation.scorers.base import ScorerIdentity
from models_backend.curation.selection import ConceptGroups, Rows, ScoreTable, refuse_unknown
from models_backend.curation.store import Keys, ScorePart, Store, keys_of, latest
from models_backend.errors import InputError


@dataclass(frozen=True)
class Loaded:
    """Scores with where they come from."""

    scores: ScoreTable
    image_rows: Rows
    """(N,) the row of each image in the store's table of places."""
    hashes: pyarrow.ChunkedArray
    """Of the table of places: full hashes, by row."""
    identities: dict[str, ScorerIdentity]
    """Of every scorer that the store holds, by name: the one that counts."""
    parts: dict[str, list[ScorePart]]
    """By scorer's name, oldest first."""
    sha256: str
    """Over what the rules were applied to."""
    captions_apart: int
    """Images that were found with two captions."""


def load(store: Store, rules: SelectionRules) -> Loaded:
    """Read what rules need.

    Raises:
        InputError: a measure that there is not, two versions of a scorer, or images that a scorer
            has not looked at.
    """
    parts, identities = _parts(store, rules)
    columns = {c for each in parts.values() for p in each for c in p.columns if "/" in c}
    refuse_unknown(rules, sorted(columns))
    fingerprints = _fingerprints(rules)
    if not columns.issuperset(fingerprints):
        raise InputError(
            "the rules look for near-duplicates (hamming), and the scores hold none of "
            f"{', '.join(fingerprints)}: score with --scorers duplicates"
        )
    table = store.images(["image_sha256", "text_key", "error"])
    hashes = table.column("image_sha256")
    keys, rows = latest(keys_of(hashes))
    texts = numbers(table.column("text_key"))[rows]
    readable = ~valid(table.column("error"))[rows]
    wanted = rules.numbers() | rules.texts() | set(fingerprints)
    joined = join(parts, keys, texts, readable, wanted)
    scores = _scores(joined, keys, readable, rules)
    return Loaded(
        scores, rows, hashes, identities, parts, _digest(scores, identities, wanted),
        len(table) - len(keys),
    )  # fmt: skip


def _fingerprints(rules: SelectionRules) -> tuple[str, ...]:
    windows = ("", *WINDOWS) if rules.crops else ("",)
    return tuple(
        f"duplicates/{name}"
        for window in windows if rules.fingerprints
        for name, kind in zip(columns_of(window), PRINTS, strict=True)
        if kind != "gradient" or rules.gradients
    )  # fmt: skip


def _prints(joined: Mapping[str, pyarrow.Array], window: str = "") -> Fingerprints:
    hashes, gradients, colours = (f"duplicates/{name}" for name in columns_of(window))
    return Fingerprints(
        _filled(joined[hashes]), _filled(joined[colours]),
        _filled(joined[gradients]) if gradients in joined else None,
    )  # fmt: skip


def _parts(
    store: Store, rules: SelectionRules
) -> tuple[dict[str, list[ScorePart]], dict[str, ScorerIdentity]]:
    parts: dict[str, list[ScorePart]] = {}
    known: dict[str, set[ScorerIdentity]] = {}
    for part in store.parts():
        for identity in part.scorers:
            known.setdefault(identity.name, set()).add(identity)
            parts.setdefault(identity.name, []).append(part)
    used = {name.partition("/")[0] for name in (*rules.numbers(), *rules.texts())}
    used |= {"duplicates"} if rules.fingerprints else set()
    chosen = {}
    for name, each in known.items():
        pinned = rules.versions.get(name)
        fitting = [i for i in each if pinned in (None, i.version, i.weights_sha256)]
        if len(fitting) != 1 and name not in used:
            fitting = [i for i in parts[name][-1].scorers if i.name == name]
        if len(fitting) != 1:
            told = " and ".join(
                sorted(f"{i.version!r} (weights {i.weights_sha256[:12]})" for i in each)
            )
            raise InputError(
                f"the scores hold {name} as {told}, which must not be mixed; say in the rules "
                f'which counts, by version or hash of weights: [versions] {name} = "…"'
            )
        chosen[name] = fitting[0]
        parts[name] = [part for part in parts[name] if fitting[0] in part.scorers]
    return parts, chosen


def join(
    parts: Mapping[str, list[ScorePart]], keys: Keys, texts: Keys, readable: npt.NDArray[np.bool_],
    wanted: Iterable[str],
) -> dict[str, pyarrow.Array]:  # fmt: skip
    """Return columns (N,) in the order of `keys`, null where an image cannot be read.

    Raises:
        InputError: a scorer has not looked at some image.
    """
    by_files: dict[tuple[ScorePart, ...], list[str]] = {}
    for name in sorted(wanted):
        by_files.setdefault(tuple(parts[name.partition("/")[0]]), []).append(name)
    joined: dict[str, pyarrow.Array] = {}
    for files, columns in by_files.items():
        asked = ["image_sha256", "text_key", *columns]
        dictionaries = [c for c in columns if c == "concepts/name"]
        table = pyarrow.concat_tables(
            read_columns(part.path, asked, dictionaries=dictionaries) for part in files
        ).unify_dictionaries()
        found, rows = latest(keys_of(table.column("image_sha256")))
        at = np.searchsorted(found, keys).clip(max=len(found) - 1)
        there = found[at] == keys
        if any(c.startswith(("concepts/", "popularity/")) for c in columns):
            there &= numbers(table.column("text_key"))[rows][at] == texts
        missing = int((readable & ~there).sum())
        if missing:
            raise InputError(
                f"{missing} of {len(keys)} images have no {columns[0]} yet; run score again"
            )
        take = places(rows[at], None if there.all() else there)
        for column in columns:
            joined[column] = table.column(column).combine_chunks().take(take)
    return joined


def _scores(
    joined: Mapping[str, pyarrow.Array],
    keys: Keys,
    readable: npt.NDArray[np.bool_],
    rules: SelectionRules,
) -> ScoreTable:
    prints = told = None
    if rules.fingerprints:
        told, prints = valid(joined["duplicates/phash"]), _prints(joined)
    measured = {}
    for name in rules.numbers():
        if not is_number(joined[name]):
            raise InputError(f"the rules compare {name} with a number; it is a text")
        measured[name] = _or_nan(joined[name])
    texts = {name: _groups(joined[name]) for name in rules.texts()}
    windows = tuple(_prints(joined, name) for name in WINDOWS) if rules.crops else ()
    return ScoreTable(keys, readable, measured, texts, prints, told, windows)


def _filled(column: pyarrow.Array) -> Keys:
    values = numbers(column)
    return np.where(valid(column), values, np.uint64(0)) if column.null_count else values


def _or_nan(column: pyarrow.Array) -> npt.NDArray[np.float64]:
    values = numbers(column).astype(np.float64, copy=False)
    return np.where(valid(column), values, np.nan) if column.null_count else values


def _groups(column: pyarrow.Array) -> ConceptGroups:
    if not pyarrow.types.is_dictionary(column.type):
        if not pyarrow.types.is_string(column.type):
            raise InputError("by must name a text, such as concepts/name")
        column = column.dictionary_encode()
    names = column.dictionary.to_pylist()
    codes = np.where(valid(column.indices), numbers(column.indices), len(names)).astype(np.int32)
    order = np.argsort(np.array([*names, "\U0010ffff"]))  # by name: parts may come in any order
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    return ConceptGroups(place[codes], [([*names, ""])[n] for n in order])


def _digest(
    scores: ScoreTable, identities: Mapping[str, ScorerIdentity], wanted: Iterable[str]
) -> str:
    digest = hashlib.sha256(scores.keys.tobytes() + scores.readable.tobytes())
    for name in sorted(scores.numbers):
        digest.update(name.encode() + scores.numbers[name].tobytes())
    for name in sorted(scores.texts):
        digest.update("\n".join([name, *scores.texts[name].names]).encode())
        digest.update(scores.texts[name].codes.tobytes())
    for each in (*filter(None, [scores.prints]), *scores.windows):
        for bits in (each.hashes, each.colours, each.gradients):
            digest.update(b"" if bits is None else bits.tobytes())
    used = sorted({name.partition("/")[0] for name in wanted})
    digest.update(repr([identities[name] for name in used]).encode())
    return digest.hexdigest()
