"""Rows of a file as judgements: one reader for each way of writing votes down."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from evalplatform.imports.faults import BadRowError
from evalplatform.imports.judgements import (
    PAIR,
    RATING,
    Judgement,
    answer_of_ranks,
    refuse_itself,
)
from evalplatform.imports.reading import values
from evalplatform.imports.reading.columns import VoteLayout
from evalplatform.imports.reading.tables import Row, Table

Read = Iterator[tuple[int, Judgement | BadRowError]]
_WINNERS = {
    "left": {"a", "left", "model_a", "left_model", "model_left", "first"},
    "right": {"b", "right", "model_b", "right_model", "model_right", "second"},
    "tie": {"tie", "draw", "equal", "same"},
    "both": {"both", "both good", "bothgood", "tie (bothgood)"},
    "neither": {"neither", "both bad", "bothbad", "tie (bothbad)"},
}
_ANSWERS = {word: answer for answer, words in _WINNERS.items() for word in words}


@dataclass
class Reader:
    """Reads a table of one layout.

    Attributes:
        is_anonymous: each row is by a person of its own, since the file does not say who voted.
        unlabelled: rows so far that hold no vote at all.
        rows: read so far.
    """

    table: Table
    layout: VoteLayout
    is_anonymous: bool = False
    unlabelled: int = 0
    rows: int = 0

    @property
    def knows_sides(self) -> bool:
        """Whether images stood as they are listed: rankings are often listed best first."""
        return self.layout.kind in ("pairs", "pick-a-pic", "preferred lists")

    def read(self) -> Read:
        """Yield every judgement with where it stands, or what is wrong with it."""
        if self.layout.kind == "ranked rows":
            return self._ranked_rows()
        return self._single_rows(_READERS[self.layout.kind])

    def _single_rows(self, make: "_Make") -> Read:
        for where, row in self.table.rows():
            self.rows += 1
            if isinstance(row, BadRowError):
                yield where, row
                continue
            try:
                for judgement in make(self, where, self._named(row), row):
                    yield where, judgement
            except BadRowError as fault:
                yield where, fault

    def _ranked_rows(self) -> Read:
        """Put rows of one vote together: those of one vote id, else of one person and prompt."""
        votes: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
        for where, row in self.table.rows():
            self.rows += 1
            if isinstance(row, BadRowError):
                yield where, row
                continue
            try:
                named = self._named(row)
                vote = values.text("vote", named.get("vote"))
                said = self._common(where, named)
                key = (vote, said["annotator"], said["criterion"], *self._prompt(named))
            except BadRowError as fault:
                yield where, fault
            else:
                votes.setdefault(tuple(str(each) for each in key), []).append((where, named))
        for rows in votes.values():
            where = rows[-1][0]
            try:
                yield where, self._ranked(where, [row for _, row in rows])
            except BadRowError as fault:
                yield where, fault

    def _ranked(self, where: int, rows: list[Row]) -> Judgement:
        models = tuple(values.needed("model", row["model"]) for row in rows)
        if len(models) < 2:
            raise BadRowError(
                "gaps", f"ranks {models[0]!r} alone; a ranking has two or more models"
            )
        twice = next((each for each in models if models.count(each) > 1), None)
        if twice is not None:
            raise BadRowError("itself", f"{twice!r} is ranked twice by one annotator on one prompt")
        kind, answer = answer_of_ranks([values.whole("rank", row["rank"]) for row in rows])
        images = tuple(values.text("image", row.get("image")) for row in rows)
        return self._judgement(where, rows[0], models, images, kind, answer)

    def _named(self, row: Row) -> Row:
        return {field: row.get(column) for field, column in self.layout.columns.items()}

    def _prompt(self, row: Row) -> tuple[str, str]:
        prompt = values.text("prompt", row.get("prompt"))
        if not prompt and row.get("conversation") is not None:
            prompt = values.first_turn(row["conversation"])
        key = values.text("key", row.get("key"))
        if not prompt and not key:
            raise values.unreadable("has no prompt")
        return prompt, key

    def _common(self, where: int, row: Row) -> dict[str, Any]:
        annotator = (
            str(where) if self.is_anonymous else values.text("annotator", row.get("annotator"))
        )
        if not annotator:
            raise BadRowError("no annotator", "does not say who voted")
        return {
            "annotator": annotator,
            "criterion": values.text("criterion", row.get("criterion")),
            "judged_at": values.moment(row.get("time")),
            "is_simulated": values.flag("is_simulated", row.get("simulated")),
        }

    def _judgement(
        self,
        where: int,
        row: Row,
        models: tuple[str, ...],
        images: tuple[str, ...],
        kind: str,
        answer: str,
        **changed: Any,
    ) -> Judgement:
        refuse_itself(models)
        prompt, key = self._prompt(row)
        return Judgement(
            prompt=prompt or None,
            key=key or None,
            models=models,
            images=images if any(images) else (),
            kind=kind,
            answer=answer,
            **self._common(where, row | changed),
        )

    def _pair(self, where: int, row: Row, answer: str) -> Iterator[Judgement]:
        yield self._judgement(where, row, _two(row, "model", values.needed),
                              _two(row, "image", values.text), PAIR, answer)  # fmt: skip

    def pairs(self, where: int, row: Row, _: Row) -> Iterator[Judgement]:
        """Two models and who won."""
        winner = values.needed("winner", row["winner"])
        models = _two(row, "model", values.needed)
        columns = [self.layout.columns[each].lower() for each in ("model_a", "model_b")]
        said = winner.lower()
        if winner in models:
            answer = ("left", "right")[models.index(winner)]
        elif said in columns:
            answer = ("left", "right")[columns.index(said)]
        elif said in _ANSWERS:
            answer = _ANSWERS[said]
        else:
            raise BadRowError(
                "winner",
                f"the winner {winner[:60]!r} is neither {models[0]!r} nor {models[1]!r}; accepted "
                "are a, b, tie, both, neither, or a model's name",
            )
        return self._pair(where, row, answer)

    def pick_a_pic(self, where: int, row: Row, _: Row) -> Iterator[Judgement]:
        """Two labels that share one vote: 1 and 0, or a half each."""
        has_label = row.get("has_label")
        if has_label is not None and not values.flag("has_label", has_label):
            self.unlabelled += 1
            return iter(())
        labels = []
        for field in ("label_a", "label_b"):
            try:
                labels.append(float(values.needed(field, row[field])))
            except ValueError:
                raise values.unreadable(f"its {field} is no number") from None
        answer = {(1, 0): "left", (0, 1): "right", (0.5, 0.5): "tie"}.get((labels[0], labels[1]))
        if answer is None:
            raise BadRowError("winner", f"its labels {labels[0]:g}, {labels[1]:g} are no vote")
        return self._pair(where, row, answer)

    def ratings(self, where: int, row: Row, _: Row) -> Iterator[Judgement]:
        """A model's image and its rating."""
        yield self._rating(where, row, row["rating"])

    def wide_ratings(self, where: int, row: Row, whole: Row) -> Iterator[Judgement]:
        """A column of ratings for each rater; who left a cell empty did not rate."""
        for rater, column in self.layout.raters.items():
            if values.text("rating", whole.get(column)):
                yield self._rating(where, row, whole[column], annotator=rater)

    def _rating(self, where: int, row: Row, given: Any, **changed: Any) -> Judgement:
        model = values.needed("model", row["model"])
        image = values.text("image", row.get("image"))
        rated = values.rating(given)
        return self._judgement(where, row, (model,), (image,), RATING, rated, **changed)

    def ranked_lists(self, where: int, row: Row, _: Row) -> Iterator[Judgement]:
        """Ranks of listed images, of one person or of each (HPDv2); or models from the best on."""
        people = row.get("each")
        if people is None:
            yield self._ranking(where, row, row.get("rank"))
            return
        for number, one in enumerate(values.listed("raw_annotations", people), start=1):
            if not isinstance(one, dict) or "rank" not in one:
                raise values.unreadable(f"annotation {number} of it has no rank")
            who = one.get("user_hash") or one.get("annotator")
            yield self._ranking(where, row, one["rank"], annotator=who)

    def _ranking(self, where: int, row: Row, given: Any, **changed: Any) -> Judgement:
        ranked = _tiers(given) if isinstance(given, str) else values.listed("rank", given)
        if ranked and all(isinstance(each, str) and not _is_number(each) for each in ranked):
            ranked = [[each] for each in ranked]
        if ranked and all(isinstance(each, list) for each in ranked):
            models = tuple(values.needed("model", each) for tier in ranked for each in tier)
            ranks = [at for at, tier in enumerate(ranked) for _ in tier]
            _refuse_others(models, row)
            images: tuple[str, ...] = ()
        else:
            models, images = _listed_models(row)
            ranks = [values.whole("rank", each) for each in ranked]
        if len(ranks) != len(models) or len(models) < 2:
            raise values.unreadable(f"has {len(ranks)} ranks of {len(models)} models")
        refuse_itself(models)
        kind, answer = answer_of_ranks(ranks)
        return self._judgement(where, row, models, images, kind, answer, **changed)

    def preferred_lists(self, where: int, row: Row, _: Row) -> Iterator[Judgement]:
        """HPDv2: 1 for the preferred one of two images, 0 for the other."""
        models, images = _listed_models(row)
        given = values.listed("human_preference", row["preference"])
        said = [values.whole("human_preference", each) for each in given]
        if len(models) != 2 or len(said) != 2 or not {*said} <= {0, 1}:
            raise values.unreadable("has no preference between two images")
        answer = {(1, 0): "left", (0, 1): "right"}.get((said[0], said[1]), "tie")
        yield self._judgement(where, row, models, images, PAIR, answer)


_Make = Callable[[Reader, int, Row, Row], Iterator[Judgement]]
_READERS: dict[str, _Make] = {
    "pairs": Reader.pairs,
    "pick-a-pic": Reader.pick_a_pic,
    "ratings": Reader.ratings,
    "wide ratings": Reader.wide_ratings,
    "ranked lists": Reader.ranked_lists,
    "preferred lists": Reader.preferred_lists,
}


def _two(row: Row, field: str, read: Callable[[str, Any], str]) -> tuple[str, str]:
    return read(field, row.get(f"{field}_a")), read(field, row.get(f"{field}_b"))


def _is_number(given: str) -> bool:
    return given.strip().replace(".", "", 1).isdigit()


def _tiers(given: str) -> list[Any]:
    """Read a ranking that stands in a cell: a JSON list, or "first > second = third"."""
    if given.lstrip().startswith("["):
        return values.listed("rank", given)
    return [[each.strip() for each in tier.split("=")] for tier in given.split(">")]


def _listed_models(row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return models and images of a row's lists; models by their images' folders if need be."""
    images: tuple[str, ...] = ()
    if row.get("images") is not None:
        given = values.listed("images", row["images"])
        images = tuple(values.needed("image", each) for each in given)
    if row.get("models") is not None:
        models = tuple(
            values.needed("model", each) for each in values.listed("models", row["models"])
        )
    else:
        models = tuple(_folder(image) for image in images)
    if images and len(images) != len(models):
        raise values.unreadable(f"has {len(images)} images of {len(models)} models")
    return models, images


def _refuse_others(models: tuple[str, ...], row: Row) -> None:
    """Raise `BadRowError` where a ranking names others than the models beside it, as places."""
    if row.get("models") is None:
        return
    listed, _ = _listed_models(row)
    for each in models:
        if each not in listed:
            raise values.unreadable(
                f"ranks {each[:60]!r}, which is none of its models; name models from the best on, "
                "or give the rank of each as a JSON list"
            )


def _folder(image: str) -> str:
    folder, _, _ = image.replace("\\", "/").rpartition("/")
    if not folder:
        raise BadRowError(
            "no model",
            f"does not say which model made {image[:60]!r}; give a column models, or images as "
            "MODEL/FILE",
        )
    return values.needed("model", folder.rpartition("/")[2])
