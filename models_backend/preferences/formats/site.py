"""This program's own export: `manage.py export CAMPAIGN --as parquet --images path`.

It holds every vote as it was cast: pairs, rankings of many images, and single images that were
graded. Of the last, those that one annotator graded of one prompt are put in order.
"""

from __future__ import annotations

from typing import Any

from models_backend.errors import InputError
from models_backend.preferences.formats.base import Found, Importing, parquet_rows, source_of
from models_backend.preferences.records import (
    MOST_RANKED,
    PreferenceRanking,
    ranks_of_grades,
)

_COLUMNS = (
    "vote_id", "criterion", "prompt_text", "annotator", "grades", "arm_names", "images", "counts",
)  # fmt: skip


def site(job: Importing) -> Found:
    """Read the votes that count."""
    single: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in parquet_rows(job.source, _COLUMNS):
        if not row["counts"]:
            job.skip("left out of the results")
        elif not row["prompt_text"] or not row["grades"]:
            job.skip("no prompt, or no grades")
        elif len(row["grades"]) == 1:
            key = (row["criterion"], row["prompt_text"], row["annotator"])
            single.setdefault(key, []).append(row)
        else:
            yield _ranking(job, row, row["grades"], row["images"], row["arm_names"])
    for rows in single.values():
        rows = rows[:MOST_RANKED]
        if len(rows) < 2:
            job.skip("a single image of its prompt that its annotator graded")
            continue
        grades, images, names = (
            [row[name][0] for row in rows] for name in ("grades", "images", "arm_names")
        )
        yield _ranking(job, rows[0], grades, images, names)


def _ranking(
    job: Importing, row: dict[str, Any], grades: list[int], images: list[Any], names: list[str]
) -> PreferenceRanking:
    where = f"vote {row['vote_id']}"
    if any(image is None for image in images):
        raise InputError(f"{where}: an image is missing in this export; export it again")
    return PreferenceRanking(
        ranking_id=row["vote_id"],
        prompt=row["prompt_text"],
        aspect=row["criterion"],
        images=tuple(job.embedded(image, where) for image in images),
        ranks=ranks_of_grades(grades),
        models=tuple(name or "" for name in names or [""] * len(images)),
        user_id=job.person(row["annotator"]),
        source=source_of(row),
        created_at=row.get("voted_at"),
    )
