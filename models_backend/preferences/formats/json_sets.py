"""Sets that come as JSON with paths of images: HPDv2, HPDv3, ImageReward, IterComp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models_backend.errors import InputError
from models_backend.preferences.formats.base import Found, Importing, json_entries, source_of
from models_backend.preferences.formats.parquet_sets import by_hash
from models_backend.preferences.records import (
    PreferencePair,
    PreferenceRanking,
    ranks_of_grades,
)


def hpdv2(job: Importing) -> Found:
    """Read HPDv2: training pairs (`human_preference`), test rankings, and each person's own.

    Where an entry has `raw_annotations`, those are taken and not what was made of them.
    """
    for number, entry in json_entries(job.source, ("prompt",)):
        if "image_left_id" in entry:
            yield _of_sides(job, number, entry)
            continue
        names = entry.get("image_path") or entry.get("file_path")
        if not isinstance(names, list):
            raise InputError(f"{job.source}, entry {number}: image_path is missing")
        images = tuple(job.path(name) for name in names)
        for person, ranks in _orders_of(job, number, entry):
            yield _ranking(job, number, entry["prompt"], images, ranks, user_id=person)


def _of_sides(job: Importing, number: int, entry: dict[str, Any]) -> PreferencePair:
    """Return one of our own export's rows: what stood left, what right."""
    said = entry.get("pref")
    if said not in ("left", "right", "tie"):
        raise InputError(f"{job.source}, entry {number}: pref {said!r}; left, right or tie")
    return PreferencePair(
        prompt=entry["prompt"],
        aspect=entry.get("criterion") or job.aspect,
        images=(job.path(entry["image_left_id"]), job.path(entry["image_right_id"])),
        models=(entry.get("model_left") or "", entry.get("model_right") or ""),
        votes=(int(said == "left"), int(said == "right")),
        ties=int(said == "tie"),
        user_id=int(entry.get("user_id", 0)),
        ranking_id=int(entry.get("ranking_id", number)),
        source=source_of(entry),
    )


def _orders_of(
    job: Importing, number: int, entry: dict[str, Any]
) -> list[tuple[int, tuple[int, ...]]]:
    raw = entry.get("raw_annotations")
    if raw:
        found = []
        for each in raw:
            ranks = each.get("rank", each.get("annotation"))
            found.append((job.person(each.get("user_hash")), _as_ranks(job, number, ranks)))
        return found
    person = job.person(entry.get("user_hash"))
    if "human_preference" in entry:
        return [(person, ranks_of_grades(entry["human_preference"]))]
    return [(person, _as_ranks(job, number, entry.get("rank")))]


def _as_ranks(job: Importing, number: int, ranks: Any) -> tuple[int, ...]:
    """Return ranks from 1; public files count from 0 or from 1."""
    if not isinstance(ranks, list) or not all(isinstance(each, int) for each in ranks):
        raise InputError(
            f"{job.source}, entry {number}: rank {ranks!r}; accepted is a list of whole numbers"
        )
    least = min(ranks, default=1)
    return tuple(each - least + 1 for each in ranks)


def hpdv3(job: Importing) -> Found:
    """Read HPDv3: `path1` is preferred to `path2`, with the votes of each where they are told."""
    for number, entry in json_entries(job.source, ("prompt", "path1", "path2")):
        votes = entry.get("choice_dist") or [1, 0]
        is_tie = bool(entry.get("tie"))
        yield by_hash(
            PreferencePair(
                prompt=entry["prompt"],
                aspect=entry.get("criterion") or job.aspect,
                images=(job.path(entry["path1"]), job.path(entry["path2"])),
                models=(entry.get("model1") or "", entry.get("model2") or ""),
                votes=(0, 0) if is_tie and "choice_dist" not in entry else (votes[0], votes[1]),
                ties=int(entry.get("ties") or is_tie),
                ranking_id=number,
                source=source_of(entry),
            )
        )


def imagereward(job: Importing) -> Found:
    """Read ImageReward: `generations` with a `ranking`, which may hold ties."""
    for number, entry in json_entries(job.source, ("prompt", "generations", "ranking")):
        images = tuple(job.path(name) for name in entry["generations"])
        ranks = _as_ranks(job, number, entry["ranking"])
        yield _ranking(job, number, entry["prompt"], images, ranks)


def itercomp(job: Importing) -> Found:
    """Read IterComp: an `image_<model>` a model, and `rank`: the model at each place.

    As published `rank` is a string that is read character by character, which cannot name a tenth
    model; there a list is asked for.
    """
    for number, entry in json_entries(job.source, ("prompt", "rank")):
        models = [name.removeprefix("image_") for name in entry if name.startswith("image_")]
        order = _itercomp_order(job, number, entry["rank"], models)
        images = tuple(job.path(entry[f"image_{name}"]) for name in models)
        ranks = tuple(order.index(name) + 1 for name in models)
        yield _ranking(job, number, entry["prompt"], images, ranks, models=models)


def _itercomp_order(job: Importing, number: int, rank: Any, models: list[str]) -> list[str]:
    where = f"{job.source}, entry {number}"
    if isinstance(rank, str) and len(models) > 9:
        raise InputError(
            f"{where}: rank {rank!r} is a string and there are {len(models)} models: which digits "
            "belong together cannot be told; give a list"
        )
    named = [str(each) for each in rank]
    if sorted(named) == sorted(models):
        return named
    numbers = {str(place): name for place, name in enumerate(models, start=1)}
    if sorted(named) != sorted(numbers):
        raise InputError(
            f"{where}: rank {rank!r}; accepted is each of {', '.join(models)} once, or their "
            f"numbers 1 to {len(models)}"
        )
    return [numbers[each] for each in named]


def _ranking(
    job: Importing,
    number: int,
    prompt: str,
    images: tuple[str, ...],
    ranks: tuple[int, ...],
    *,
    user_id: int = 0,
    models: Sequence[str] = (),
) -> PreferenceRanking:
    return PreferenceRanking(
        ranking_id=number,
        prompt=prompt,
        aspect=job.aspect,
        images=images,
        ranks=ranks,
        models=tuple(models),
        user_id=user_id,
    )
