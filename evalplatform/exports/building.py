"""Making one export in a folder: rows, what they mean, where they are from, and checksums."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone

from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.snapshots import snapshot
from evalplatform.exports.documents.data import write_documents
from evalplatform.exports.kinds import Images
from evalplatform.exports.marks import Marks, marks_of
from evalplatform.exports.options import Options
from evalplatform.exports.paper.pack import write_paper
from evalplatform.exports.partitions import parted
from evalplatform.exports.parts import PartFiles, sha256_of
from evalplatform.exports.pictures import StoredPictures
from evalplatform.exports.reading import Row, RowStream
from evalplatform.exports.replaying.writing import write_replay
from evalplatform.exports.shapes import Batch, Shape, shape_of
from evalplatform.exports.state import DONE, STATE, ExportState, begin
from evalplatform.exports.statements import columns_of, statement_of, values_of
from evalplatform.exports.told import Told
from evalplatform.reports.beside import files_beside
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.fingerprint import fingerprint
from evalplatform.reports.results import campaign_results

SUMS = "SHA256SUMS"
_ROWS = {Images.EMBED: 32, Images.PATH: 2_000, Images.NONE: 10_000}  # held in memory at a time
_PART = {Images.EMBED: 2_048, Images.PATH: 100_000, Images.NONE: 250_000}  # rows of a part
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Built:
    """An export that is whole: what is in its folder."""

    folder: Path
    rows: int
    files: dict[str, str]  # SHA-256 by name
    marks: Marks
    lost: list[str]  # images that the store does not have


def _no_progress(rows: int) -> None:
    """Nobody watches."""


def build(
    campaign: Campaign, options: Options, folder: Path, *, progress: Progress = _no_progress
) -> Built:
    """Make an export in a folder, or go on with one that was cut short.

    `progress` is called after each part with the rows written so far, and may raise to stop. Raises
    `BadInputError` for a campaign that has not opened and for a folder in use.
    """
    if not campaign.is_frozen:
        raise BadInputError(
            f"{campaign.slug!r} has not opened yet, so there is nothing to export; its protocol "
            "may still change."
        )
    with snapshot():
        told, rows = _start(campaign, options, folder)
    shape = None
    if rows is not None:
        shape = shape_of(options)
        try:
            write_rows(told, shape, rows, progress)
        finally:
            rows.close()
        _write_empty(told, shape)
        write_documents(told, shape)
    return _finish(told)


def _start(campaign: Campaign, options: Options, folder: Path) -> tuple[Told, RowStream | None]:
    """Read, as of one moment, all that an export tells; rows come from there on."""
    wanted = ExportState(
        campaign=campaign.slug,
        options=options.as_json(),
        fingerprint=fingerprint(campaign),
        made_at=timezone.now().isoformat(),
    )
    told = Told(campaign, options, folder, begin(folder, wanted), marks_of(campaign))
    if options.kind == "html":
        name = f"{told.marks.in_file_names}dashboard.html"
        write_whole(folder / name, offline_dashboard(campaign_results(campaign)))
        return told, None
    if options.kind == "paper":
        write_paper(told)
        return told, None
    if options.is_whole:
        write_replay(told)
        for name, text in files_beside(campaign).items():
            write_whole(folder / name, text)
    stream = RowStream(statement_of(options), values_of(campaign, options), skip=told.state.read)
    return told, stream


def write_rows(told: Told, shape: Shape, stream: RowStream, progress: Progress) -> None:
    """Write the rows of the stream, part by part; `progress` as for `build`."""
    options, state = told.options, told.state
    pictures = StoredPictures(
        told.folder, options.image_format, options.missing == "mark", set(state.lost)
    )
    at_a_time, of_a_part = _ROWS[options.images], _PART[options.images]
    part = _new_part(told, shape)
    read = 0
    try:
        for block in stream.blocks(at_a_time):
            _write_block(told, shape, part, Batch(_columns(told, block), pictures, told.people))
            read += len(block)
            if read >= of_a_part:
                _complete(told, part, read, pictures)
                progress(told.rows)
                part, read = _new_part(told, shape), 0
        if read:
            _complete(told, part, read, pictures)
            progress(told.rows)
    except BaseException:
        part.abandon()
        raise


def _columns(told: Told, block: list[Row]) -> dict[str, list[Any]]:
    names = columns_of(told.options.grain)
    columns = {name: list(values) for name, values in zip(names, zip(*block, strict=True),
                                                          strict=True)}  # fmt: skip
    if told.options.kind != "trl-unpaired":
        return columns
    return {name: _twice(name, columns) for name in names}


def _twice(name: str, columns: dict[str, list[Any]]) -> list[Any]:
    """Each comparison as two rows: one for each image, as if it had come first."""
    stem, _, at = name.rpartition("_")
    other = columns[f"{stem}_{1 - int(at)}"] if stem and at in ("0", "1") else columns[name]
    return [each for pair in zip(columns[name], other, strict=True) for each in pair]


def _write_block(told: Told, shape: Shape, part: PartFiles, batch: Batch) -> None:
    table = shape.table(batch)
    for partition, rows in parted(told.options, told.has_configs, batch, table):
        part.write(told.file_of(partition, told.state.parts), rows)


def _new_part(told: Told, shape: Shape) -> PartFiles:
    assert told.options.of.container
    return PartFiles(
        told.folder, told.options.of.container, shape.schema, for_excel=told.options.for_excel
    )


def _complete(told: Told, part: PartFiles, read: int, pictures: StoredPictures) -> None:
    state = told.state
    rows = part.finish()
    state.rows |= rows
    state.sha256 |= {name: sha256_of(told.folder / name) for name in rows}
    state.read += read
    state.parts += 1
    state.lost = sorted(pictures.lost)
    state.save(told.folder)


def _write_empty(told: Told, shape: Shape) -> None:
    """Give an export without a row a file that says so.

    A split without one has no file: readers refuse an empty one, and all others with it.
    """
    if told.state.rows:
        return
    part = _new_part(told, shape)
    part.write(told.file_of(told.partitions[0], 0), shape.schema.empty_table())
    told.state.rows |= part.finish()


def _finish(told: Told) -> Built:
    """Write what the export is, and the checksum of everything; then it is no longer a draft."""
    facts = told.as_json()
    write_whole(told.folder / DONE, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    sums = {}
    for path in sorted(told.folder.rglob("*")):
        name = path.relative_to(told.folder).as_posix()
        if path.is_file() and name not in (SUMS, STATE):
            sums[name] = told.state.sha256.get(name) or sha256_of(path)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    write_whole(told.folder / SUMS, lines)
    (told.folder / STATE).unlink()
    sums[SUMS] = sha256_of(told.folder / SUMS)
    return Built(told.folder, told.rows, sums, told.marks, told.state.lost)
