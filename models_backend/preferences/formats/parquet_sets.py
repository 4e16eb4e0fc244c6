"""Sets that come as Parquet: Pick-a-Pic, open-image-preferences, Rapidata."""

from __future__ import annotations

from models_backend.errors import InputError
from models_backend.preferences.formats.base import Found, Importing, parquet_rows, source_of
from models_backend.preferences.records import PreferencePair

_VOTES = {1.0: ((1, 0), 0), 0.0: ((0, 1), 0), 0.5: ((0, 0), 1)}
_SAME = "both images are the same"


def pickapic(job: Importing) -> Found:
    """Read Pick-a-Pic v1 or v2, or this program's export of that form with rows of pairs."""
    needed = ("caption", "jpg_0", "jpg_1", "label_0", "has_label", "ranking_id", "user_id")
    for row in parquet_rows(job.source, needed):
        where = f"ranking_id {row['ranking_id']}"
        if "is_simulated" in row and "votes" in row:
            raise InputError(
                f"{job.source}: rows of a consensus do not say how many preferred which; export "
                "rows of pairs",
                by_command="`export --rows pair` does it.",
            )
        if not row["has_label"]:
            job.skip("no label")
            continue
        if row["label_0"] not in _VOTES:
            raise InputError(f"{where}: label_0 {row['label_0']}; accepted are 0, 0.5 and 1")
        votes, ties = _VOTES[row["label_0"]]
        one, two = (job.embedded(row[f"jpg_{at}"], f"{where}, image {at}") for at in (0, 1))
        if one == two:
            job.skip(_SAME)
            continue
        yield PreferencePair(
            prompt=row["caption"],
            aspect=row.get("criterion") or job.aspect,
            images=(one, two),
            models=(row.get("model_0") or "", row.get("model_1") or ""),
            votes=votes,
            ties=ties,
            user_id=row["user_id"],
            ranking_id=row["ranking_id"],
            source=source_of(row),
            created_at=row.get("created_at"),
        )


def open_image_preferences(job: Importing) -> Found:
    """Read the binarised open-image-preferences, or any set of `prompt, chosen, rejected`."""
    for number, row in enumerate(
        parquet_rows(job.source, ("prompt", "chosen", "rejected")), start=1
    ):
        chosen, rejected = (
            job.embedded(row[name], f"row {number}, {name}") for name in ("chosen", "rejected")
        )
        if chosen == rejected:
            job.skip(_SAME)
            continue
        is_tie = bool(row.get("tie"))
        pair = PreferencePair(
            prompt=row["prompt"],
            aspect=row.get("criterion") or job.aspect,
            images=(chosen, rejected),
            models=(row.get("chosen_model") or "", row.get("rejected_model") or ""),
            votes=(int(not is_tie), 0),
            ties=int(is_tie),
            ranking_id=number,
            source=source_of(row),
        )
        yield by_hash(pair)


def rapidata(job: Importing) -> Found:
    """Read Rapidata's sets that count votes of each image."""
    counts = ("votes_image1", "votes_image2")
    for number, row in enumerate(
        parquet_rows(job.source, ("prompt", "image1", "image2", *counts)), start=1
    ):
        one, two = (job.embedded(row[f"image{at}"], f"row {number}, image {at}") for at in (1, 2))
        votes = tuple(int(row[name]) for name in counts)
        ties = int(row.get("ties") or 0)
        if one == two or sum(votes) + ties == 0:
            job.skip(_SAME if one == two else "no votes")
            continue
        yield PreferencePair(
            prompt=row["prompt"],
            aspect=row.get("criterion") or job.aspect,
            images=(one, two),
            models=(row.get("model1") or "", row.get("model2") or ""),
            votes=(votes[0], votes[1]),
            ties=ties,
            ranking_id=number,
            source=source_of(row),
        )


def by_hash(pair: PreferencePair) -> PreferencePair:
    """Turn a pair by its images' hashes, lest its order tells which is preferred."""
    if pair.images[0] < pair.images[1]:
        return pair
    return PreferencePair(
        prompt=pair.prompt,
        aspect=pair.aspect,
        images=pair.images[::-1],
        models=pair.models[::-1],
        votes=pair.votes[::-1],
        ties=pair.ties,
        user_id=pair.user_id,
        ranking_id=pair.ranking_id,
        source=pair.source,
        weight=pair.weight,
        created_at=pair.created_at,
    )
