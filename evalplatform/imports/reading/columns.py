"""Which columns of a file hold what, and so which way of writing votes down it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalplatform.core.errors import BadInputError

# Our fields, each with other names that files give it. Case does not matter.
_ALIASES: dict[str, tuple[str, ...]] = {
    "prompt": ("caption", "prompt_text"),
    "conversation": ("conversation_a",),
    "key": ("prompt_key", "prompt_id", "question_id"),
    "annotator": ("annotator_id", "user_id", "user", "user_hash", "judge", "rater", "worker_id"),
    "criterion": ("aspect", "dimension"),
    "winner": ("choice", "preference", "outcome"),
    "label_a": ("label_0",),
    "label_b": ("label_1",),
    "image_a": ("image_0_uid", "image_left_id", "left_image"),
    "image_b": ("image_1_uid", "image_right_id", "right_image"),
    "has_label": (),
    "model": (),
    "image": ("image_id",),
    "rating": ("score",),
    "rank": ("ranking",),
    "models": (),
    "images": ("image_path", "file_path", "image_paths"),
    "preference": ("human_preference",),
    "each": ("raw_annotations",),
    "vote": ("vote_id", "ranking_id"),
    "time": ("voted_at", "created_at", "tstamp", "timestamp"),
    "simulated": ("is_simulated",),
}
# Two models side by side, the left one first. Names overlap, so a family is taken as a whole.
_SIDES = (
    ("model_a", "model_b"),
    ("left", "right"),
    ("model_left", "model_right"),
    ("left_model", "right_model"),
    ("model_0", "model_1"),
    ("model_1", "model_2"),
    ("model1", "model2"),
)
FIELDS = ("model_a", "model_b", *_ALIASES)
_WIDE = "rating_"  # rating_1, rating_2: a rater each

ACCEPTED = (
    "pairs: model_a, model_b, winner (a, b, tie, both, neither or a model's name); "
    "Pick-a-Pic: caption, model_0, model_1, label_0, label_1, user_id; "
    "ratings: model, rating (or rating_1, rating_2, … for each rater); "
    "rankings: model, rank in rows, or lists: models, rank; "
    "HPDv2: models or image_path, human_preference or rank; "
    "each with prompt (or key), annotator, and criterion where there are several"
)


@dataclass(frozen=True)
class VoteLayout:
    """How a file writes votes down.

    Attributes:
        kind: `pairs`, `pick-a-pic`, `ratings`, `wide ratings`, `ranked rows`, `ranked lists`,
            `preferred lists`; a reader each in `reading.formats`.
        columns: our fields with the column of each.
        raters: of wide ratings, the column of each rater by the rater's name.
    """

    kind: str
    columns: Mapping[str, str]
    raters: Mapping[str, str]

    def __contains__(self, field: str) -> bool:
        return field in self.columns


def layout_of(given: Sequence[str], chosen: Mapping[str, str], name: str) -> VoteLayout:
    """Return how a file of these columns writes votes; `chosen` says what is called otherwise.

    Raises `BadInputError` that lists what was found and what is accepted.
    """
    unknown = sorted(set(chosen) - set(FIELDS))
    if unknown:
        raise BadInputError(
            f"a column is named for {unknown[0]!r}, and there is no such field; fields are "
            f"{', '.join(FIELDS)}."
        )
    missing = [column for column in chosen.values() if column and column not in given]
    if missing:
        raise BadInputError(
            f"{name} has no column {', '.join(missing)}; its columns are {', '.join(given)}."
        )
    columns = _found(given, chosen)
    raters = {
        each[len(_WIDE) :]: each
        for each in given
        if each.lower().startswith(_WIDE) and each != _WIDE
    }
    kind = _kind({*columns}, bool(raters))
    if kind is None:
        raise BadInputError(
            f"{name} does not say who was compared and what was answered: its columns are "
            f"{', '.join(given) or 'none'}. Accepted are {ACCEPTED}. Where a column is called "
            "otherwise, say which field it holds.",
            by_command="--column says it, e.g. --column model=Model.",
        )
    return VoteLayout(kind, columns, raters if kind == "wide ratings" else {})


def _found(given: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    by_name = {column.lower(): column for column in given if column not in chosen.values()}
    found = {field: column for field, column in chosen.items() if column}
    if not {"model_a", "model_b"} & {*chosen}:
        sides = next((pair for pair in _SIDES if {*pair} <= {*by_name}), None)
        if sides:
            found |= {"model_a": by_name[sides[0]], "model_b": by_name[sides[1]]}
    for field, others in _ALIASES.items():
        column = next((by_name[each] for each in (field, *others) if each in by_name), None)
        if field not in chosen and column:
            found[field] = column
    for field in {"model_a", "model_b"} - {*found}:
        if field not in chosen and field in by_name:
            found[field] = by_name[field]
    return found


def _kind(fields: set[str], has_raters: bool) -> str | None:
    has_list = bool({"models", "images"} & fields)
    wanted: list[tuple[str, bool]] = [
        ("preferred lists", has_list and "preference" in fields),
        ("ranked lists", has_list and bool({"rank", "each"} & fields)),
        ("pick-a-pic", {"model_a", "model_b", "label_a", "label_b"} <= fields),
        ("pairs", {"model_a", "model_b", "winner"} <= fields),
        ("ranked rows", {"model", "rank"} <= fields),
        ("ratings", {"model", "rating"} <= fields),
        ("wide ratings", "model" in fields and has_raters),
        ("ranked lists", "rank" in fields),
    ]
    return next((kind for kind, holds in wanted if holds), None)
