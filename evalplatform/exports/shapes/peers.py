"""The columns that other projects' readers expect, and ours beside them at the end.

Names, types and order are those of the published data sets and of the readers named in
docs/exports.md. What they cannot say, such as ties or who is simulated, stands in further columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from evalplatform.exports.kinds import Grain, Images
from evalplatform.exports.options import Options
from evalplatform.exports.shapes.base import IMAGE, Batch, Column, Shape, Values
from evalplatform.exports.shapes.raw import MARKS, as_images, majority

Make = Callable[[Batch], Values]


def _of(make: Callable[..., Any], *names: str) -> Make:
    return lambda batch: batch.each(make, *names)


def _constant(value: Any) -> Make:
    return lambda batch: [value] * len(batch["criterion"])


def _labels(options: Options, at: int) -> Make:
    """1 where the image won, 0.5 for a tie, 0 where it lost; of votes, or of their count."""
    mine, other = (at, 1 - at)
    names = _counted(options, mine, other)
    return _of(lambda x, y: 0.5 if x == y else float(x > y), *names)


def _counted(options: Options, *at: int) -> list[str]:
    column = "grade_{}" if options.grain is Grain.PAIR else "votes_{}"
    return [column.format(each) for each in at]


def _embedded(at: int) -> Make:
    return lambda batch: as_images(batch.pictures.bytes_of(batch[f"file_{at}"]))


def _bytes(at: int) -> Make:
    return lambda batch: batch.pictures.bytes_of(batch[f"file_{at}"])


def _path(at: int) -> Make:
    return lambda batch: batch.pictures.paths_of(batch[f"file_{at}"], batch[f"sha256_{at}"])


def _tie(options: Options) -> Column:
    return Column(
        "tie", pa.bool_(), "whether neither is preferred: then the order says nothing",
        _of(lambda x, y: x == y, *_counted(options, 0, 1)),
    )  # fmt: skip


def _common(options: Options) -> tuple[Column, ...]:
    """What is ours: at the end of every row."""
    found = [
        _tie(options),
        Column("criterion", pa.string(), "what was asked", "criterion"),
        *MARKS,
    ]
    if options.grain is Grain.PAIR:
        found += [
            Column("counts", pa.bool_(), "whether it is in the results", "counts"),
            Column("response_time_ms", pa.int64(), "milliseconds to the answer",
                   "response_time_ms"),
        ]  # fmt: skip
    else:
        found += [
            Column("votes", pa.int32(), "how many votes compare the two", "votes"),
            Column("ties", pa.int32(), "how many prefer neither", "ties"),
        ]
    return tuple(found)


def _user(batch: Batch) -> Values:
    return [batch.people[each] for each in batch["annotator"]]


def pickapic(options: Options) -> Shape:
    """Return Pick-a-Pic v2's columns."""
    of_a_vote = options.grain is Grain.PAIR
    best = _of(
        lambda x, y, one, two: "tie" if x == y else one if x > y else two,
        *_counted(options, 0, 1), "sha256_0", "sha256_1",
    )  # fmt: skip
    time = (lambda batch: [each.replace(tzinfo=None) for each in batch["voted_at"]]) if (
        of_a_vote
    ) else _constant(None)  # fmt: skip
    embeds = options.images is Images.EMBED
    columns = [
        Column("are_different", pa.bool_(), "whether the two images differ; empty: not known",
               _of(lambda x, y: x != y if x and y else None, "sha256_0", "sha256_1")),
        Column("best_image_uid", pa.string(), "uid of the preferred image, or tie", best),
        Column("caption", pa.string(), "the prompt", "prompt_text"),
        Column("created_at", pa.timestamp("ns"), "when the vote was stored, UTC", time),
        Column("has_label", pa.bool_(), "always true: each row has votes", _constant(True)),
    ]  # fmt: skip
    for at in (0, 1):
        columns += [
            Column(f"image_{at}_uid", pa.string(), "SHA-256 of the image's file", f"sha256_{at}"),
            Column(f"image_{at}_url", pa.string(), "empty: no address is promised", _constant("")),
        ]
    if embeds:
        columns += [
            Column(f"jpg_{at}", pa.binary(), f"image {at}, encoded", _bytes(at)) for at in (0, 1)
        ]
    columns += [
        Column(f"label_{at}", pa.float64(), "1 preferred, 0.5 tie, 0 not", _labels(options, at))
        for at in (0, 1)
    ]
    columns += [
        Column(f"model_{at}", pa.string(), f"arm of image {at}", f"model_{at}") for at in (0, 1)
    ]
    columns += [
        Column("ranking_id", pa.int64(), "number of the vote, or of the item",
               "vote_id" if of_a_vote else "item"),
        Column("user_id", pa.int64(), "number of the annotator; 0 for many",
               _user if of_a_vote else _constant(0)),
        Column("num_example_per_prompt", pa.int64(), "rows of this prompt in the whole export",
               "rows_of_prompt"),
    ]  # fmt: skip
    return Shape((*columns, *_common(options)))


def hpdv2(options: Options) -> Shape:
    """Return the columns of HPDv2-style rows: what stood left, what right, what was preferred."""
    says = "file of the image that stood" if options.images is Images.PATH else "SHA-256 of the"
    ids = [_path(0), _path(1)] if options.images is Images.PATH else ["sha256_0", "sha256_1"]
    return Shape((
        Column("user_id", pa.int64(), "number of the annotator", _user),
        Column("prompt", pa.string(), "the prompt", "prompt_text"),
        Column("image_left_id", pa.string(), f"{says} left image", ids[0]),
        Column("image_right_id", pa.string(), f"{says} right image", ids[1]),
        Column("pref", pa.string(), "left, right or tie",
               _of(lambda x, y: "tie" if x == y else "left" if x > y else "right",
                   "grade_0", "grade_1")),
        Column("ranking_id", pa.int64(), "number of the vote", "vote_id"),
        Column("model_left", pa.string(), "arm of the left image", "model_0"),
        Column("model_right", pa.string(), "arm of the right image", "model_1"),
        *_common(options),
    ))  # fmt: skip


def _winner(options: Options, name: str) -> Make:
    """Of a pair of columns `name_0` and `name_1` that of the preferred image; of a tie the first.

    Which is the first says nothing: it is the one that stood left, or drawn by a hash.
    """
    return _of(lambda x, y, one, two: two if y > x else one, *_counted(options, 0, 1),
               f"{name}_0", f"{name}_1")  # fmt: skip


def _loser(options: Options, name: str) -> Make:
    return _of(lambda x, y, one, two: one if y > x else two, *_counted(options, 0, 1),
               f"{name}_0", f"{name}_1")  # fmt: skip


def hpdv3(options: Options) -> Shape:
    """Return HPDv3's keys: the preferred image is always path1."""
    columns = [Column("prompt", pa.string(), "the prompt", "prompt_text")]
    for at, pick in ((1, _winner), (2, _loser)):
        if options.images is Images.PATH:
            make = _picked_path(pick(options, "file"), pick(options, "sha256"))
        else:
            make = pick(options, "sha256")
        says = "preferred" if at == 1 else "rejected"
        columns.append(Column(f"path{at}", pa.string(), f"the {says} image", make))
    columns += [
        Column("model1", pa.string(), "arm of the preferred image", _winner(options, "model")),
        Column("model2", pa.string(), "arm of the rejected image", _loser(options, "model")),
        Column("source", pa.string(), "prompt set", "prompt_set"),
    ]
    if options.grain is Grain.CONSENSUS:
        columns += [
            Column("confidence", pa.float64(), "share of votes for the preferred image",
                   _of(lambda n, x, y: max(x, y) / n, "votes", "votes_0", "votes_1")),
            Column("choice_dist", pa.list_(pa.int32()), "votes for path1 and path2",
                   _of(lambda x, y: [max(x, y), min(x, y)], "votes_0", "votes_1")),
        ]  # fmt: skip
    return Shape((*columns, *_common(options)))


def _picked_path(files: Make, digests: Make) -> Make:
    return lambda batch: batch.pictures.paths_of(files(batch), digests(batch))


def _chosen(options: Options) -> list[Column]:
    """The chosen and the rejected image, embedded or by hash."""
    columns = []
    for name, pick in (("chosen", _winner), ("rejected", _loser)):
        if options.images is Images.EMBED:
            files = pick(options, "file")
            columns.append(Column(name, IMAGE, f"the {name} image", _image_of(files)))
        else:
            columns.append(Column(name, pa.string(), f"SHA-256 of the {name} image",
                                  pick(options, "sha256")))  # fmt: skip
    return columns


def _image_of(files: Make) -> Make:
    return lambda batch: as_images(batch.pictures.bytes_of(files(batch)))


def open_image_preferences(options: Options) -> Shape:
    """Return the columns of open-image-preferences' binarised set; ties stay, marked."""
    number = "vote_id" if options.grain is Grain.PAIR else "items"
    return Shape((
        Column("id", pa.string(), "criterion, number of the vote or of the items, and arms",
               _of(lambda criterion, key, one, two: f"{criterion}-{key}-{one}-{two}",
                   "criterion", number, "arm_0", "arm_1")),
        Column("prompt", pa.string(), "the prompt", "prompt_text"),
        *_chosen(options),
        Column("chosen_model", pa.string(), "arm of the chosen image", _winner(options, "model")),
        Column("rejected_model", pa.string(), "arm of the rejected one", _loser(options, "model")),
        Column("evolution", pa.string(), "stylized, or empty",
               _of(lambda tags: "stylized" if "stylized" in tags else "", "tags")),
        Column("category", pa.string(), "category of the prompt", "category"),
        Column("sub_category", pa.string(), "challenge of the prompt", "challenge"),
        *_common(options),
    ))  # fmt: skip


def trl(options: Options) -> Shape:
    """Return TRL's preference columns."""
    return Shape((
        Column("prompt", pa.string(), "the prompt", "prompt_text"),
        *_chosen(options),
        *_common(options),
    ))  # fmt: skip


def trl_unpaired(options: Options) -> Shape:
    """Return TRL's unpaired columns: each comparison is two rows, the wanted one first or second.

    `registry.shape_of` says how a comparison becomes two.
    """
    counted = _counted(options, 0, 1)
    embeds = options.images is Images.EMBED
    completion = _image_of(lambda batch: batch["file_0"]) if embeds else "sha256_0"
    return Shape((
        Column("prompt", pa.string(), "the prompt", "prompt_text"),
        Column("completion", IMAGE if embeds else pa.string(), "the image", completion),
        Column("label", pa.bool_(), "whether it was preferred to the other one",
               _of(lambda x, y: x > y, *counted)),
        Column("model", pa.string(), "its arm", "model_0"),
        *_common(options),
    ))  # fmt: skip


def rapidata(options: Options) -> Shape:
    """Return Rapidata's columns: votes of each image, and each answer in `detailed_results`."""
    columns = [Column("prompt", pa.string(), "the prompt", "prompt_text")]
    embeds = options.images is Images.EMBED
    for at in (0, 1):
        columns.append(
            Column(f"image{at + 1}", IMAGE if embeds else pa.string(), f"image {at + 1}",
                   _embedded(at) if embeds else f"sha256_{at}")
        )  # fmt: skip
    columns += [
        Column(f"votes_image{at + 1}", pa.int64(), "votes for it", f"votes_{at}") for at in (0, 1)
    ]
    columns += [Column(f"model{at + 1}", pa.string(), "its arm", f"model_{at}") for at in (0, 1)]
    columns += [
        Column("detailed_results", pa.string(), "JSON: votes for image1, ties, votes for image2",
               _of(_detailed, "votes_0", "ties", "votes_1")),
        *(Column(f"image{at + 1}_path", pa.string(), "SHA-256 of the file", f"sha256_{at}")
          for at in (0, 1)),
        *(Column(f"weighted_results_image{at + 1}", pa.float64(),
                 "share of the votes, ties half to each",
                 _of(lambda n, mine, ties: (mine + ties / 2) / n, "votes", f"votes_{at}", "ties"))
          for at in (0, 1)),
    ]  # fmt: skip
    return Shape((*columns, *_common(options)))


def _detailed(first: int, ties: int, second: int) -> str:
    return json.dumps({"image1": first, "tie": ties, "image2": second})


def arena(options: Options) -> Shape:
    """Return what arena-rank and Elo scripts read; a tie is a tie."""
    verdict = _of(
        lambda x, y: "tie" if x == y else "model_a" if x > y else "model_b",
        *_counted(options, 0, 1),
    )
    columns = [
        Column("model_a", pa.string(), "arm of the image that stood left", "model_0"),
        Column("model_b", pa.string(), "arm of the other", "model_1"),
        Column("winner", pa.string(), "model_a, model_b or tie", verdict),
        Column("prompt", pa.string(), "the prompt", "prompt_text"),
        Column("category", pa.string(), "category of the prompt", "category"),
    ]
    if options.grain is Grain.PAIR:
        columns.append(Column("judge", pa.string(), "pseudonym of who voted", "annotator"))
    else:
        columns.append(Column("majority", pa.string(), "what more than half say",
                              _of(majority, "votes", "votes_0", "ties", "votes_1")))  # fmt: skip
    return Shape((*columns, *_common(options)))
