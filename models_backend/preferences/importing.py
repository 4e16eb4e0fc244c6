"""Makes a preference set of a public format, or of several sets."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models_backend.errors import InputError
from models_backend.files import sha256_of_file
from models_backend.preferences.exporting import TOLD_BESIDE
from models_backend.preferences.formats.base import Importing
from models_backend.preferences.formats.registry import importer_named
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair, PreferenceRanking
from models_backend.preferences.writing import Provenance, begin_set, write_set


@dataclass(frozen=True)
class Imported:
    """What an import made."""

    mark: dict[str, Any]
    skipped: dict[str, int]
    """Rows that were left out, by reason."""


def import_set(
    source: Path,
    folder: Path,
    *,
    form: str,
    images: Path | None = None,
    aspect: str = "preference",
    licence: str = "not stated",
    allow_simulated: bool = False,
    embed: bool = True,
) -> Imported:
    """Read `source`, of a format of `formats.registry`, into a new set.

    `aspect` is what was asked, where the format does not say. Interrupted, the same call begins
    again and takes no image in twice.

    Raises:
        InputError: an unknown format, a row that does not fit it, or an image that is missing.
    """
    read = importer_named(form)
    if not source.exists():
        raise InputError(f"{source} does not exist")
    beside = source if source.is_dir() else source.parent
    job = Importing(source, begin_set(folder), images or beside, aspect)
    rows = tqdm(read(job), desc=form, unit="row", mininterval=1.0)
    is_simulated = _was_simulated(beside)
    pairs, rankings = gather(
        replace(each, source="simulated") if is_simulated else each for each in rows
    )
    protocol = beside / "protocol.json"
    provenance = Provenance(
        campaign=_campaign(beside),
        protocol_sha256=sha256_of_file(protocol) if protocol.is_file() else "",
        licence=licence,
        origin=f"{form}: {source.name}",
    )
    mark = write_set(
        folder, pairs=pairs, rankings=rankings, provenance=provenance,
        allow_simulated=allow_simulated, embed=embed,
    )  # fmt: skip
    return Imported(mark, job.skipped)


def gather(
    found: Iterable[PreferencePair | PreferenceRanking],
) -> tuple[list[PreferencePair], list[PreferenceRanking]]:
    """Return all pairs, those of the rankings among them, and the rankings of more than two."""
    pairs: list[PreferencePair] = []
    rankings: list[PreferenceRanking] = []
    for each in found:
        if isinstance(each, PreferencePair):
            pairs.append(each)
            continue
        pairs += each.pairs()
        rankings.append(each)
    return pairs, rankings


def merge_sets(
    folders: Sequence[Path], folder: Path, *, allow_simulated: bool = False, embed: bool = True
) -> dict[str, Any]:
    """Write one set of several; annotators of different sets stay different people.

    Raises:
        InputError: an unusable set, one set twice, or simulated and human votes together.
    """
    sets = [PreferenceSet.open(each) for each in folders]
    first: dict[str, Path] = {}
    for each in sets:
        if first.setdefault(each.sha256, each.folder) is not each.folder:
            raise InputError(
                f"{each.folder} holds the same as {first[each.sha256]}; give it once, or every "
                "vote would count twice"
            )
    store = begin_set(folder)
    pairs: list[PreferencePair] = []
    rankings: list[PreferenceRanking] = []
    first_person = first_ranking = 0
    for each in sets:
        for uid in {uid for pair in each.pairs for uid in pair.images}:
            store.add(each.images.bytes_of(uid), uid)
        pairs += (_renumbered(pair, first_person, first_ranking) for pair in each.pairs)
        rankings += (_renumbered(rank, first_person, first_ranking) for rank in each.rankings)
        first_person += max(pair.user_id for pair in each.pairs)
        first_ranking += max(pair.ranking_id for pair in each.pairs)
    provenance = Provenance(
        campaign=", ".join(dict.fromkeys(s.mark["campaign"] for s in sets if s.mark["campaign"])),
        licence=", ".join(dict.fromkeys(s.mark["licence"] for s in sets)),
        origin="merged: " + ", ".join(s.sha256 for s in sets),
    )
    return write_set(
        folder, pairs=pairs, rankings=rankings, provenance=provenance,
        allow_simulated=allow_simulated, embed=embed,
    )  # fmt: skip


def _renumbered(record: Any, first_person: int, first_ranking: int) -> Any:
    return replace(
        record,
        user_id=record.user_id + first_person if record.user_id else 0,
        ranking_id=record.ranking_id + first_ranking,
    )


def _campaign(folder: Path) -> str:
    """Return the campaign that an export of ours names."""
    try:
        found = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("campaign", "")) if isinstance(found, dict) else ""


def _was_simulated(folder: Path) -> bool:
    """Whether `export_set` says so beside its files, or above their `data/`."""
    whole = folder.absolute()
    told = (whole.parent if whole.name == "data" else whole) / TOLD_BESIDE
    if not told.is_file():
        return False
    try:
        return tomllib.loads(told.read_text(encoding="utf-8")).get("simulated") is True
    except (OSError, ValueError) as error:
        raise InputError(
            f"{told}, which says whether votes were simulated, cannot be read; export again"
        ) from error
