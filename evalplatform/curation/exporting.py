"""A pool's kept images as a data set folder that the trainer reads, with where each came from.

The folder is of the format `t2i-dataset/1` (`models_backend.data.manifest`): images, manifest, and
a mark that is written last. Beside them `curation.jsonl` has every judged image of the pool, also
those that were not kept: decisions, judgements, scores. The mark names protocols and decisions of
the stages, so that what is trained on the folder leads back to every judgement.
"""

import hashlib
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage

from evalplatform.core.errors import BadInputError
from evalplatform.core.snapshots import snapshot
from evalplatform.core.telling import tell_nobody
from evalplatform.core.version import code_version
from evalplatform.curation.captions import approved_captions
from evalplatform.curation.models import Caption, CaptionRound, Pool, PoolImage, Stage
from evalplatform.curation.selectors import kept_so_far, standing_votes

FORMAT = "t2i-dataset/1"
CURATION = "curation.jsonl"
_UNKNOWN = "unknown"
_NAMED = 3
Progress = Callable[[int, int], None]
Judgements = dict[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class ExportedPool:
    """A folder that was written."""

    path: Path
    images: int
    manifest_sha256: str


def export_pool(
    *,
    pool: Pool,
    out: Path,
    allow_unknown_licence: bool = False,
    allow_imported_captions: bool = False,
    progress: Progress = tell_nobody,
) -> ExportedPool:
    """Write what the last stage that decided kept as a data set folder, whole or not at all.

    Where people wrote captions, an image has its approved one; with `allow_imported_captions` one
    without has what it came with.

    Raises `BadInputError` where no stage has decided, nothing was kept, a licence is not known
    (unless allowed), an image has no caption, `out` holds anything, or an image is gone from
    storage or has other bytes than it had.
    """
    with snapshot():  # a stage that closes while images are copied is in none of it
        kept = _checked(pool, out, allow_unknown_licence)
        captions = _captions(pool, kept, allow_imported_captions)
        curated, facts = _curation(pool, captions)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        records = []
        for number, each in enumerate(kept, start=1):
            file = _write_image(each, partial)
            records.append(_record(pool, each, file, captions[each.pk]))
            progress(number, len(kept))
        manifest = "".join(_line(record) for record in records).encode()
        digest = hashlib.sha256(manifest).hexdigest()
        (partial / "manifest.jsonl").write_bytes(manifest)
        (partial / CURATION).write_bytes(curated)
        mark = {
            "format": FORMAT, "manifest_sha256": digest, "images": len(kept), "curation": facts,
        }  # fmt: skip
        (partial / "dataset.json").write_text(
            json.dumps(mark, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        partial.chmod(0o755)
        partial.replace(out)  # over an empty folder too
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return ExportedPool(out, len(kept), digest)


def _checked(pool: Pool, out: Path, allow_unknown: bool) -> Sequence[PoolImage]:
    """Return the images to export, in the collection's order."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} holds something already; give a new or empty folder.")
    if not pool.stages.filter(closed_at__isnull=False).exists():
        raise BadInputError(
            f"no stage of {pool} has decided yet; close one first.",
            by_command=f"`manage.py curation close {pool}` does it.",
        )
    kept = list(kept_so_far(pool).select_related("image__prompt").order_by("image__position"))
    if not kept:
        raise BadInputError(f"people kept no image of {pool}, so there is nothing to export.")
    unknown = [each for each in kept if not each.licence]
    if unknown and not allow_unknown:
        raise BadInputError(
            f"the licence of {len(unknown):,} of {len(kept):,} images is unknown "
            f"({_named(unknown)}); say in the pool which it is, or allow unknown licences.",
            by_command="--allow-unknown-licence allows them.",
        )
    return kept


def _captions(pool: Pool, kept: Sequence[PoolImage], allow_imported: bool) -> dict[int, str]:
    """Return what the trainer reads of each image that is kept, by the image's key."""
    approved = {key: each.text for key, each in approved_captions(kept).items()}
    bare = [each for each in kept if each.pk not in approved]
    if bare and pool.caption_rounds.exists() and not allow_imported:
        raise BadInputError(
            f"{len(bare):,} of {len(kept):,} images have no approved caption ({_named(bare)}); "
            "have them written and approved, or allow those that they came with.",
            by_command=f"`manage.py curation captions {pool}` goes on with them, "
            "--allow-imported-captions allows those.",
        )
    bare = [each for each in bare if not each.image.caption.strip()]
    if bare:
        raise BadInputError(
            f"{len(bare):,} of {len(kept):,} images have no caption ({_named(bare)}); a model is "
            "tuned on images and captions. Give them in the pool, or have them written.",
            by_command=f"`manage.py curation captions {pool}` does it.",
        )
    return {each.pk: approved.get(each.pk, each.image.caption) for each in kept}


def _named(images: Sequence[PoolImage]) -> str:
    names = [each.image.source_sha256[:12] for each in images[:_NAMED]]
    return ", ".join(names) + (", …" if len(images) > _NAMED else "")


def _write_image(each: PoolImage, folder: Path) -> str:
    """Copy an image as it is stored; return its place in the folder."""
    sha256 = each.image.image_sha256
    file = f"images/{sha256[:2]}/{sha256}.png"
    try:
        with default_storage.open(each.image.image) as opened:
            content = opened.read()
    except FileNotFoundError:
        raise BadInputError(
            f"image {each.image.source_sha256[:12]} ({each.image.image}) is gone from storage; "
            "restore it from a backup."
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInputError(
            f"image {each.image.source_sha256[:12]} has other bytes in storage than it had; "
            "restore it from a backup."
        )
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return file


def _record(pool: Pool, each: PoolImage, file: str, caption: str) -> dict[str, Any]:
    """Return the image's line of the manifest."""
    return {
        "concept": each.concept or each.image.source_sha256[:16],
        "caption": caption,
        "keywords": [],
        "category": "",
        "style": pool.name,
        "source": pool.source or pool.name,
        "licence": each.licence or _UNKNOWN,
        "sha256": each.image.image_sha256,
        "file": file,
    }


def _curation(pool: Pool, captions: Mapping[int, str]) -> tuple[bytes, dict[str, Any]]:
    """Return a line for every judged image, and what the mark says of them all."""
    lines, simulated = [], False
    for row in _curated(pool, captions):
        simulated = simulated or any(
            said["is_simulated"] for each in row["decisions"] for said in each["judgements"]
        )
        simulated = simulated or any(each["is_simulated"] for each in row["captions"])
        lines.append(_line(row).encode())
    content = b"".join(lines)
    told = {
        "sha256": hashlib.sha256(content).hexdigest(), "judged_images": len(lines),
        "simulated": simulated,
    }  # fmt: skip
    return content, _facts(pool, told)


def _curated(pool: Pool, captions: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """Yield a line for each judged image; `captions`: of those that are exported."""
    stages = list(pool.stages.filter(closed_at__isnull=False).select_related("campaign"))
    said = {stage.pk: _said(stage) for stage in stages}
    decisions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for stage in stages:
        for row in stage.promotions.select_related("pool_image").iterator(chunk_size=5000):
            decisions[row.pool_image_id].append(
                {
                    "stage": stage.kind, "kept": row.kept, "why": row.why,
                    "judgements": said[stage.pk].get(row.pool_image.image_id, []),
                }
            )  # fmt: skip
    written = _written(pool)
    rows = pool.images.select_related("image").order_by("image__position")
    for each in rows.iterator(chunk_size=2000):
        if each.pk in decisions:
            yield {
                "source_sha256": each.image.source_sha256,
                "sha256": each.image.image_sha256,
                "exported": each.pk in captions,
                "caption": captions.get(each.pk, each.image.caption),
                "imported_caption": each.image.caption,
                "captions": written.get(each.pk, []),
                "concept": each.concept,
                "licence": each.licence or _UNKNOWN,
                "popularity": each.popularity,
                "scores": each.scores,
                "decisions": decisions[each.pk],
            }


def _said(stage: Stage) -> Judgements:
    """Return every judgement that counts, by the key of its collected image."""
    found: Judgements = defaultdict(list)
    rows = standing_votes(stage).order_by("pk").values_list(
        "assignment__item__image_set__images__collected", "annotator__pseudonym", "answer",
        "marks", "is_simulated",
    )  # fmt: skip
    for image, person, answer, marks, is_simulated in rows.iterator():
        found[image].append(
            {"person": person, "answer": answer, "failed": marks, "is_simulated": is_simulated}
        )
    return found


def _written(pool: Pool) -> dict[int, list[dict[str, Any]]]:
    """Return every caption that was written and judged, by its image's key, oldest first."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = Caption.objects.filter(round__pool=pool).order_by("round__number")
    for each in rows.select_related("round", "written__annotator", "judged__annotator").iterator():
        found[each.pool_image_id].append(
            {
                "round": each.round.number, "text": each.text, "approved": each.approved,
                "written_by": each.written.annotator.pseudonym,
                "judged_by": each.judged.annotator.pseudonym,
                "is_simulated": each.written.is_simulated or each.judged.is_simulated,
            }
        )  # fmt: skip
    return found


def _facts(pool: Pool, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the way back from the mark to the judgements."""
    return {
        "pool": pool.name,
        "origin": pool.origin,
        "source": pool.source,
        "collection_sha256": pool.collection.sha256,
        "rules_sha256": pool.rules_sha256,
        "scores_sha256": pool.scores_sha256,
        "scorers": pool.scorers,
        "stages": [_stage_in_mark(stage) for stage in pool.stages.select_related("campaign")
                   if stage.closed_at],
        "caption_rounds": [_round_in_mark(each) for each in
                           pool.caption_rounds.select_related("writing", "approval")
                           if each.closed_at],
        "file": CURATION,
        **told,
        "code_version": code_version(),
    }  # fmt: skip


def _stage_in_mark(stage: Stage) -> dict[str, Any]:
    criterion = stage.campaign.criteria.get()
    return {
        "kind": stage.kind,
        "campaign": stage.campaign.slug,
        "protocol_sha256": stage.campaign.protocol_sha256,
        "decisions_sha256": stage.decisions_sha256,
        "keep": stage.keep,
        "k": criterion.k,
        "heads": criterion.heads,
        "asked": stage.promotions.count(),
        "kept": stage.promotions.filter(kept=True).count(),
    }


def _round_in_mark(each: CaptionRound) -> dict[str, Any]:
    assert each.approval is not None  # caption_round_closed_was_approved
    decided = list(each.captions.values_list("approved", flat=True))
    return {
        "round": each.number,
        "campaigns": [each.writing.slug, each.approval.slug],
        "protocols_sha256": [each.writing.protocol_sha256, each.approval.protocol_sha256],
        "approved": sum(decided),
        "rejected": len(decided) - sum(decided),
    }


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n"
