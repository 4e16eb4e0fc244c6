"""A group of simulated annotators: who is drawn by a seed, and what they can tell at best."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evalplatform import stats
from evalplatform.core.errors import BadInputError
from evalplatform.simulation.behaviour import Judge, draw_behaviour
from evalplatform.simulation.curation import Curation, read_curation, read_drawings
from evalplatform.simulation.known import known_judge
from evalplatform.simulation.likeness import (
    HeldOutDrawings,
    NoReferences,
    References,
    held_out_drawings,
    learn_eye,
    matching,
)
from evalplatform.simulation.tastes import CuratorTaste, Taste, draw_pixel_taste, learn_taste


@dataclass(frozen=True)
class Group:
    """Annotators that judge alike campaigns alike."""

    judges: list[Judge]
    curation: Curation | None  # what their taste was learned from

    def right_on_held_out(self) -> float | None:
        """Return how often they tell picked drawings of things they did not learn from."""
        learned = [each.taste for each in self.judges if isinstance(each.taste, CuratorTaste)]
        return float(np.mean([each.right_on_held_out for each in learned])) if learned else None


def draw_group(
    count: int,
    *,
    seed: int,
    curation: Path | None = None,
    picked: Path | None = None,
    references: Path | None = None,
) -> Group:
    """Return `count` annotators; the first ones of a seed are the same for any count.

    With a `curation` (folder of a captioned data set) and what a list `picked` of it, their tastes
    are learned; with `references` too (folder of held-out drawings), they judge faithfulness.

    Raises:
        BadInputError: a part is missing, unreadable, or too small to learn from.
    """
    if (curation is None) != (picked is None):
        raise BadInputError("a curation is a data set and a list of its picks; give both.")
    if references is not None and curation is None:
        raise BadInputError(
            "likeness to drawings is learned from a curation; give its data set and list too."
        )
    learned = read_curation(curation, picked) if curation and picked else None
    drawings = read_drawings(references) if references else []
    judges = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        behaviour = draw_behaviour(rng)
        taste: Taste = learn_taste(learned, rng) if learned else draw_pixel_taste(rng)
        compared: References = NoReferences()
        if learned and drawings:
            compared = held_out_drawings(drawings, learned, learn_eye(learned, rng))
        judges.append(Judge(behaviour, taste, compared))
    return Group(judges, learned)


def draw_known_group(count: int, *, seed: int) -> Group:
    """Return `count` annotators who all value the same known formula (`simulation.known`)."""
    return Group(
        [known_judge(np.random.default_rng([seed, index])) for index in range(count)], None
    )


@dataclass(frozen=True)
class Ceiling:
    """What the group says of real drawings: no model can be expected to be told apart better.

    `appeal`: a picked drawing (A) against another one of the same thing (B), by annotators who did
    not learn from that thing. `faithfulness`: a drawing of the thing named (A) against one of
    another thing (B); None without drawings to compare with.
    """

    appeal: stats.WinRates
    faithfulness: stats.WinRates | None


def measure_ceiling(group: Group, *, seed: int) -> Ceiling:
    """Let a group judge real drawings, one pair a thing, sides drawn by `seed`.

    Raises:
        BadInputError: the group learned no curation.
    """
    if group.curation is None:
        raise BadInputError("this group's taste was not learned from drawings; it has no ceiling.")
    faithfulness = _faithfulness_pairs(group, np.random.default_rng([seed, 1]))
    return Ceiling(
        appeal=_rates(group, _appeal_pairs(group.curation, np.random.default_rng([seed, 0]))),
        faithfulness=_rates(group, faithfulness) if faithfulness else None,
    )


@dataclass(frozen=True)
class _Pair:
    concept: str
    better: bytes
    worse: bytes
    prompt: str | None
    better_is_left: bool


def _appeal_pairs(curation: Curation, rng: np.random.Generator) -> list[_Pair]:
    pairs = []
    for concept in curation.concepts:
        better, worse = rng.choice(curation.pairs([concept]))
        pairs.append(_pair(curation, concept, better, worse, None, rng))
    return pairs


def _faithfulness_pairs(group: Group, rng: np.random.Generator) -> list[_Pair]:
    references, curation = group.judges[0].references, group.curation
    if not isinstance(references, HeldOutDrawings) or curation is None:
        return []
    captions = [each.caption for each in references.drawings]
    pairs = []
    for concept, places in sorted(curation.by_concept.items()):
        prompt = curation.drawings[places[0]].caption
        if matching(captions, prompt):
            others = [n for n, each in enumerate(curation.drawings) if each.concept != concept]
            pairs.append(
                _pair(curation, concept, rng.choice(places), rng.choice(others), prompt, rng)
            )
    return pairs


def _pair(
    curation: Curation, concept: str, better: int, worse: int, prompt: str | None,
    rng: np.random.Generator,
) -> _Pair:  # fmt: skip
    files = [curation.drawings[place].path.read_bytes() for place in (better, worse)]
    return _Pair(concept, files[0], files[1], prompt, bool(rng.random() < 0.5))


def _rates(group: Group, pairs: Sequence[_Pair]) -> stats.WinRates:
    """Return win, tie and lose of the better one, over things and annotators."""
    outcomes, things, people = [], [], []
    for number, pair in enumerate(pairs):
        for who, judge in enumerate(group.judges):
            if pair.prompt is None and pair.concept in _taught(judge):
                continue
            outcomes.append(_outcome(judge, pair))
            things.append(number)
            people.append(who)
    return stats.win_rates(stats.Votes(np.array(outcomes), np.array(things), np.array(people),
                                       np.array(things)))  # fmt: skip


def _taught(judge: Judge) -> tuple[str, ...]:
    return judge.taste.taught if isinstance(judge.taste, CuratorTaste) else ()


def _outcome(judge: Judge, pair: _Pair) -> int:
    if pair.better_is_left:
        return ("left", "tie", "right").index(judge.choose(pair.better, pair.worse, pair.prompt))
    return ("right", "tie", "left").index(judge.choose(pair.worse, pair.better, pair.prompt))
