"""Rows as they are, with every column: the formats for analysis."""

from __future__ import annotations

import pyarrow as pa

from evalplatform.exports.kinds import Grain, Images
from evalplatform.exports.options import Options
from evalplatform.exports.shapes.base import IMAGE, Batch, Column, Shape, Values

_TEXTS = pa.list_(pa.string())
_TIME = pa.timestamp("us", tz="UTC")
_PROMPT = (
    Column("prompt_id", pa.int64(), "number of the prompt on this site", "prompt_id"),
    Column("prompt_set", pa.string(), "name of its prompt set", "prompt_set"),
    Column("prompt_set_version", pa.int32(), "version of that set", "prompt_set_version"),
    Column("prompt_position", pa.int32(), "its place in the set's file, from 0", "prompt_position"),
    Column("prompt_text", pa.string(), "the prompt", "prompt_text"),
    Column("category", pa.string(), "category of the prompt, empty without one", "category"),
    Column("challenge", pa.string(), "challenge of the prompt, empty without one", "challenge"),
    Column("tags", _TEXTS, "tags of the prompt, such as stylized", "tags"),
)
_ASKED = (
    Column("criterion", pa.string(), "what was asked: slug of the criterion", "criterion"),
    Column("form", pa.string(), "form of the question, such as pair or ranking", "form"),
    Column("item", pa.int64(), "a set of images under a criterion; k votes each", "item"),
)
_CAST = (
    Column("response_time_ms", pa.int64(), "milliseconds from all images decoded to the answer",
           "response_time_ms"),
    Column("voted_at", _TIME, "when it was stored, UTC", "voted_at"),
    Column("counts", pa.bool_(), "whether it is in the results", "counts"),
    Column("excluded_by", pa.string(), "rule that excluded its annotator, empty where none did",
           "excluded_by"),
)  # fmt: skip
MARKS = (
    Column("is_simulated", pa.bool_(), "whether a simulated annotator answered, no person",
           "is_simulated"),
    Column("is_imported", pa.bool_(), "whether votes were cast elsewhere and imported",
           "is_imported"),
)  # fmt: skip
_WHO = Column("annotator", pa.string(), "pseudonym of who voted", "annotator")
_VOTES = (
    Column("vote_id", pa.int64(), "number of the vote, in the order stored", "vote_id"),
    *_ASKED,
    Column("image_set", pa.int64(), "the set of images, shared by criteria", "image_set"),
    *_PROMPT,
    Column("slot", pa.int32(), "which of the k slots, from 1", "slot"),
    _WHO,
    Column("answer", pa.string(), "as pressed, by position: left, tie, 2=1>0, 4, keep", "answer"),
    Column("marks", _TEXTS, "heads of the guideline marked beside the answer", "marks"),
    Column("order", pa.list_(pa.int16()), "which place of the set stood at each position", "order"),
    Column("grades", pa.list_(pa.int16()), "by place: higher is better, equal is a tie", "grades"),
    Column("arms", _TEXTS, "letters of the arms by place", "arms"),
    Column("arm_names", _TEXTS, "names of the arms by place", "arm_names"),
    Column("outcome", pa.string(), "of pairs: letter of the preferred arm, or TIE", "outcome"),
    *_CAST,
    *MARKS,
    Column("viewport_width", pa.int32(), "CSS pixels", "viewport_width"),
    Column("viewport_height", pa.int32(), "CSS pixels", "viewport_height"),
    Column("pixel_ratio", pa.float64(), "device pixels to a CSS pixel", "pixel_ratio"),
    Column("zoomed", pa.bool_(), "whether zoom was used", "zoomed"),
    Column("shown_px", pa.int32(), "device pixels of an image's side, before zoom", "shown_px"),
    Column("language", pa.string(), "in which the question was read; empty: as written",
           "language"),
    Column("seeds", pa.list_(pa.int64()), "seeds of the images by place", "seeds"),
    Column("image_sha256", _TEXTS, "SHA-256 of the images' files by place", "image_sha256"),
    Column("prompt_tokens", pa.list_(pa.int32()), "tokens of the prompt by place", "prompt_tokens"),
    Column("tokens_read", pa.list_(pa.int32()), "how many of them the arm read", "tokens_read"),
)  # fmt: skip


def sides(first: str, second: str) -> tuple[Column, ...]:
    """The columns of two images, called so."""
    found = []
    for at, which in enumerate((first, second)):
        found += [
            Column(f"arm_{which}", pa.string(), f"letter of the arm of image {which}", f"arm_{at}"),
            Column(f"model_{which}", pa.string(), "name of that arm", f"model_{at}"),
            Column(f"sha256_{which}", pa.string(), "SHA-256 of the image's file", f"sha256_{at}"),
            Column(f"seed_{which}", pa.int64(), "seed of the image", f"seed_{at}"),
        ]
    return tuple(found)


_PAIRS = (
    Column("vote_id", pa.int64(), "number of the vote", "vote_id"),
    *_ASKED,
    *_PROMPT,
    _WHO,
    *sides("0", "1"),
    Column("grade_0", pa.int16(), "grade of image 0; higher is better", "grade_0"),
    Column("grade_1", pa.int16(), "grade of image 1", "grade_1"),
    Column("tie", pa.bool_(), "whether neither is preferred",
           lambda batch: batch.each(lambda x, y: x == y, "grade_0", "grade_1")),
    *_CAST,
    *MARKS,
)  # fmt: skip
_CONSENSUS = (
    *_ASKED,
    *_PROMPT,
    *sides("0", "1"),
    Column("votes", pa.int32(), "how many votes compare the two", "votes"),
    Column("votes_0", pa.int32(), "how many prefer image 0", "votes_0"),
    Column("ties", pa.int32(), "how many prefer neither", "ties"),
    Column("votes_1", pa.int32(), "how many prefer image 1", "votes_1"),
    Column("majority", pa.string(), "what more than half say: 0, 1, tie; else none",
           lambda batch: batch.each(majority, "votes", "votes_0", "ties", "votes_1")),
    Column("simulated_votes", pa.int32(), "how many of them no person cast", "simulated_votes"),
    *MARKS,
)  # fmt: skip


def majority(votes: int, first: int, ties: int, second: int) -> str:
    """Return what more than half of the votes say."""
    for said, count in (("0", first), ("tie", ties), ("1", second)):
        if 2 * count > votes:
            return said
    return "none"


def raw_shape(options: Options) -> Shape:
    """Return every column of an export for analysis."""
    columns = {Grain.VOTE: _VOTES, Grain.PAIR: _PAIRS, Grain.CONSENSUS: _CONSENSUS}[options.grain]
    return Shape((*columns, *_images(options)))


def _images(options: Options) -> tuple[Column, ...]:
    if options.images is Images.NONE:
        return ()
    as_bytes = options.images is Images.EMBED
    type = IMAGE if as_bytes else pa.string()
    says = "the image" if as_bytes else "the image's file"
    if options.grain is not Grain.VOTE:
        return tuple(
            Column(f"image_{at}", type, f"{says} {at}", _picture(f"file_{at}", f"sha256_{at}",
                                                               as_bytes))
            for at in (0, 1)
        )  # fmt: skip
    return (Column("images", pa.list_(type), f"{says}s by place", _pictures(as_bytes)),)


def _picture(file: str, digest: str, as_bytes: bool):  # type: ignore[no-untyped-def]
    def make(batch: Batch) -> Values:
        if not as_bytes:
            return batch.pictures.paths_of(batch[file], batch[digest])
        return as_images(batch.pictures.bytes_of(batch[file]))

    return make


def as_images(contents: list[bytes | None]) -> Values:
    """Return images as `datasets` stores them."""
    return [None if each is None else {"bytes": each, "path": None} for each in contents]


def _pictures(as_bytes: bool):  # type: ignore[no-untyped-def]
    def make(batch: Batch) -> Values:
        if not as_bytes:
            pairs = zip(batch["image_files"], batch["image_sha256"], strict=True)
            return [batch.pictures.paths_of(files, digests) for files, digests in pairs]
        return [as_images(batch.pictures.bytes_of(each)) for each in batch["image_files"]]

    return make
