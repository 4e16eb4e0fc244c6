"""Ratings and rankings read as pairs: who graded two models on one prompt compared them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from evalplatform.campaigns.forms.ranking import RANKING as FORM
from evalplatform.imports.faults import BadRowError
from evalplatform.imports.judgements import PAIR, RANKING, RATING, Judgement
from evalplatform.imports.reading.formats import Read

Graded = tuple[str, str, int]  # model, image, grade


def as_pairs(read: Read) -> Read:
    """Yield each ranking as the pairs inside it, then the pairs of models that one person rated.

    Where a person rated several images of a model on a prompt, the first ones of all models are
    compared with each other, then the second ones, as `stats.pairs_from_ratings` does. Pairs stay
    as they are. Whether an image stood left or right has no meaning here: models are listed by
    name.
    """
    rated: dict[tuple[str, ...], list[tuple[int, Judgement]]] = {}
    for where, judgement in read:
        if isinstance(judgement, BadRowError) or judgement.kind == PAIR:
            yield where, judgement
        elif judgement.kind == RATING:
            key = (judgement.criterion, judgement.annotator, judgement.prompt or "",
                   judgement.key or "")  # fmt: skip
            rated.setdefault(key, []).append((where, judgement))
        elif judgement.kind == RANKING:
            n = len(judgement.models)
            grades = FORM.grades_by_position(judgement.answer, n)
            images = judgement.images or ("",) * n
            graded = list(zip(judgement.models, images, grades, strict=True))
            for pair in _pairs(judgement, graded):
                yield where, pair
    for rows in rated.values():
        yield from _rated_pairs(rows)


def _rated_pairs(rows: list[tuple[int, Judgement]]) -> Read:
    rounds: list[dict[str, Graded]] = []
    for _, row in rows:
        model = row.models[0]
        found = next((each for each in rounds if model not in each), None)
        if found is None:
            rounds.append(found := {})
        found[model] = (model, row.images[0] if row.images else "", int(row.answer))
    where, first = rows[-1][0], rows[0][1]
    for each in rounds:
        for pair in _pairs(first, list(each.values())):
            yield where, pair


def _pairs(judgement: Judgement, graded: list[Graded]) -> Iterator[Judgement]:
    for one, two in combinations(sorted(graded), 2):
        images = (one[1], two[1])
        answer = "tie" if one[2] == two[2] else "left" if one[2] > two[2] else "right"
        yield replace(
            judgement,
            models=(one[0], two[0]),
            images=images if any(images) else (),
            kind=PAIR,
            answer=answer,
        )
