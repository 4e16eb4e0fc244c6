"""How good a reward is, beside what one person reaches on the same pairs.

An accuracy alone says nothing: where people agree in six of ten cases, nobody is right more often.
So each table has the **one-person ceiling**: of every pair with two votes or more, one vote is held
against the majority of the others, and the reward against the same majorities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_backend.errors import InputError
from models_backend.measures.bootstrap import Interval
from models_backend.measures.two_way import Influence, two_way_interval
from models_backend.nn.pixels import to_unit_range
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair, consensus
from models_backend.rewards.data import ShownImages
from models_backend.rewards.features import measures
from models_backend.rewards.model import RewardModel

MARGINS = ((0.0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.0))
_BINS = 10
_SIDE = 64

Score = Callable[[PreferencePair], float]
"""How much higher the first image of a pair is rated than the second."""


@dataclass(frozen=True)
class _Values:
    """Right and wrong, observation by observation."""

    values: list[float]
    prompts: list[str]
    people: list[int]
    influence: Influence | None = None

    def interval(self) -> Interval | None:
        if not self.values:
            return None
        return two_way_interval(np.array(self.values), self.prompts, self.people, self.influence)


def evaluate(reward: RewardModel, found: PreferenceSet, *, split: str = "test") -> dict[str, Any]:
    """Measure a reward on a split, aspect by aspect.

    Pairs that a reward itself put in are left out: they say what it thinks, not what people do.

    Raises:
        InputError: it shares no aspect with the set, or the split holds no decided pair.
    """
    common = [aspect for aspect in found.mark["aspects"] if aspect in reward.aspects]
    if not common:
        raise InputError(
            f"the reward knows {', '.join(reward.aspects)}, the set has "
            f"{', '.join(found.mark['aspects'])}: none in common"
        )
    of_aspect = {
        aspect: [pair for pair, _ in found.of(split, aspect) if pair.source != "inserted"]
        for aspect in common
    }
    pairs = [pair for each in of_aspect.values() for pair in each]
    if not any(pair.label != 0.5 for pair in pairs):
        raise InputError(f"{found.folder}: split {split} holds no pair that is decided")
    trunk = reward.network.trunk
    side = int(getattr(trunk, "size", 0) or trunk.told["size"])  # type: ignore[index]
    shown = ShownImages.of(found, pairs, side)
    raw = reward.scores(shown.pictures, shown.prompts, shown.names)
    rest = _baselines(found, pairs)
    report: dict[str, Any] = {
        "reward": reward.metadata.get("name", ""),
        "weights_sha256": reward.sha256,
        "preferences_sha256": found.sha256,
        "split": split,
        "simulated": found.mark["simulated"],
        "aspects": {},
    }
    for aspect, own in of_aspect.items():
        head = reward.aspects.index(aspect)
        score = _by_rows(shown, raw[:, head])
        report["aspects"][aspect] = _aspect(own, score, rest, reward.calibration.temperature[head])
    return report


def _aspect(
    pairs: list[PreferencePair], score: Score, rest: dict[str, Score], temperature: float
) -> dict[str, Any]:
    ceiling, matched = one_person(pairs, score)
    counted = consensus(pairs)
    appeal = rest["colourfulness"]
    alike = sorted((p for p in counted if p.label != 0.5), key=lambda pair: abs(appeal(pair)))
    half = alike[: max(1, len(alike) // 2)]
    same_way = [
        float(np.sign(score(pair)) == np.sign(appeal(pair))) for pair in alike if appeal(pair)
    ]
    return {
        "pairs": len(pairs),
        "accuracy": _told(_right(pairs, score)),
        "one_person": _told(ceiling),
        "reward_on_the_same": _told(matched),
        "by_margin": {
            f"{low:.2f}-{high:.2f}": _told(_right(_of_margin(counted, low, high), score))
            for low, high in MARGINS
        },
        "calibration_error": calibration_error(pairs, score, temperature),
        "leak": {
            "measure": "colourfulness",
            "agrees_with_it": float(np.mean(same_way)) if same_way else None,
            "accuracy_where_it_is_alike": _told(_right(half, score)),
        },
        "baselines": {name: _told(_right(pairs, each)) for name, each in rest.items()},
    }


def _told(found: _Values) -> dict[str, Any] | None:
    interval = found.interval()
    if interval is None:
        return None
    # Shares: with few prompts the interval of a mean reaches past what a share can be.
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return {"mean": interval.mean, "low": low, "high": high, "n": len(found.values)}


def _right(pairs: Sequence[PreferencePair], score: Score) -> _Values:
    """Return of each row the share of decided votes that a score agrees with."""
    kept = [pair for pair in pairs if sum(pair.votes)]
    values = []
    for pair in kept:
        first = _half_step(score(pair))
        ones, twos = pair.votes
        values.append((ones * first + twos * (1 - first)) / (ones + twos))
    return _Values(values, [p.sha256 for p in kept], [p.user_id for p in kept])


def _half_step(x: float) -> float:
    return 0.5 if x == 0 else float(x > 0)


def one_person(pairs: Sequence[PreferencePair], score: Score) -> tuple[_Values, _Values]:
    """Return how often one vote, and a score, agree with the majority of the other votes.

    Votes whose others are divided evenly have nothing to agree with; a vote for a tie is half
    right. A person counts twice, by their votes and among the others that votes are held against,
    and the intervals know it (`Influence`).
    """
    totals: dict[tuple[str, ...], NDArray[np.int64]] = defaultdict(lambda: np.zeros(3, np.int64))
    rows = []
    for pair in pairs:
        turned = pair.images[0] > pair.images[1]
        votes = pair.votes[::-1] if turned else pair.votes
        key = (pair.sha256, pair.aspect, *sorted(pair.images))
        said = np.array([votes[1], pair.ties, votes[0]])  # of -1, 0 and 1
        totals[key] += said
        rows.append((key, said, pair, np.sign(-score(pair) if turned else score(pair))))
    person, rated = _Rows(), _Rows()
    for key, said, pair, higher in rows:
        for place in (2, 0, 1):
            others = totals[key] - (np.arange(3) == place)
            for target, judge in ((person, None), (rated, int(higher))):
                for _ in range(said[place]):
                    target.add(others, place - 1, judge, pair)
    return person.values(), rated.values()


class _Rows:
    """Votes held against the majorities of the others, one after the other."""

    def __init__(self) -> None:
        self._right: list[float] = []
        self._of: list[PreferencePair] = []
        self._all: list[PreferencePair] = []
        self._lost: list[tuple[float, float]] = []

    def add(
        self, others: NDArray[np.int64], sign: int, judge: int | None, pair: PreferencePair
    ) -> None:
        """Add a vote -1, 0 or 1, or what a judge says in its place; `others` (3,) say -1, 0, 1."""
        balance = int(others[2] - others[0])
        lean = int(np.sign(balance))
        own = sign if judge is None else judge
        if lean:
            self._right.append((1 + own * lean) / 2)
            self._of.append(pair)
        # Without this vote the others are held against other majorities.
        credit, compared = float(own * lean), float(abs(lean))
        for said in (-1, 0, 1):
            before, after = np.sign(balance + sign - said), np.sign(balance - said)
            count = int(others[said + 1])
            credit += count * (said if judge is None else judge) * int(before - after)
            compared += count * int(abs(before) - abs(after))
        self._all.append(pair)
        self._lost.append((credit, compared))

    def values(self) -> _Values:
        """Return what is right, with what each vote does to the sum of it."""
        lost = np.array(self._lost).reshape(-1, 2)
        net = 2 * float(np.mean(self._right)) - 1 if self._right else 0.0
        influence = Influence(
            (lost[:, 0] - net * lost[:, 1]) / 2,
            [pair.sha256 for pair in self._all],
            [pair.user_id for pair in self._all],
        )
        prompts, people = [p.sha256 for p in self._of], [p.user_id for p in self._of]
        return _Values(self._right, prompts, people, influence)


def _of_margin(pairs: Sequence[PreferencePair], low: float, high: float) -> list[PreferencePair]:
    """Return consensus pairs, each as one vote of its majority, whose margin is in (low, high]."""
    found = []
    for pair in pairs:
        margin = abs(pair.votes[0] - pair.votes[1]) / pair.total
        if low < margin <= high:
            first = pair.votes[0] > pair.votes[1]
            found.append(
                PreferencePair(
                    prompt=pair.prompt, aspect=pair.aspect, images=pair.images,
                    votes=(int(first), int(not first)), source=pair.source,
                )
            )  # fmt: skip
    return found


def calibration_error(
    pairs: Sequence[PreferencePair], score: Score, temperature: float
) -> float | None:
    """Return the mean gap between the confidence in the higher image and the votes it got.

    In ten bins of confidence, 0.5 to 1, weighted by their pairs (expected calibration error).
    """
    if not pairs:
        return None
    higher = np.array([score(pair) for pair in pairs])
    share = np.array([pair.share for pair in pairs])
    confidence = 1 / (1 + np.exp(-np.abs(higher) / temperature))
    got = np.where(higher >= 0, share, 1 - share)
    bins = np.minimum(((confidence - 0.5) * 2 * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(float(confidence[bins == b].mean() - got[bins == b].mean())) * float((bins == b).mean())
        for b in range(_BINS)
        if (bins == b).any()
    ]
    return float(sum(gaps))


def _by_rows(shown: ShownImages, values: Tensor) -> Score:
    place = {key: row for row, key in enumerate(shown.keys)}
    numbers: NDArray[np.float64] = values.double().numpy()

    def score(pair: PreferencePair) -> float:
        first, second = (numbers[place[pair.prompt, uid]] for uid in pair.images)
        return float(first - second)

    return score


def _baselines(found: PreferenceSet, pairs: list[PreferencePair]) -> dict[str, Score]:
    """Return what needs no learning: simple measures, and how many bytes an image takes."""
    shown = ShownImages.of(found, pairs, _SIDE)
    with torch.no_grad():
        parts = [measures(to_unit_range(part)) for part in shown.pictures.split(256)]
    named = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    sizes = [found.images.path_of(uid).stat().st_size for uid in shown.names]
    named["file size"] = torch.tensor(sizes)
    return {name: _by_rows(shown, values) for name, values in named.items()}


def table(report: dict[str, Any]) -> str:
    """Return a report as lines of text, one table an aspect."""
    lines = [f"reward {report['reward']}, split {report['split']}"
             + (", SIMULATED votes" if report["simulated"] else "")]  # fmt: skip
    for aspect, found in report["aspects"].items():
        lines.append(f"\n{aspect}: {found['pairs']} pairs")
        rows = [
            ("reward", found["accuracy"]),
            ("one person (against the others)", found["one_person"]),
            ("reward on the same", found["reward_on_the_same"]),
            *((f"reward, margin {name}", each) for name, each in found["by_margin"].items()),
            *((f"baseline: {name}", each) for name, each in found["baselines"].items()),
            ("reward where colourfulness is alike",
             found["leak"]["accuracy_where_it_is_alike"]),
        ]  # fmt: skip
        for name, each in rows:
            said = "no such pairs"
            if each is not None:
                said = f"{each['mean']:.3f} [{each['low']:.3f}, {each['high']:.3f}] n={each['n']}"
            lines.append(f"  {name:36} {said}")
        error, agrees = found["calibration_error"], found["leak"]["agrees_with_it"]
        lines.append(f"  {'calibration error':36} {error:.3f}")
        if agrees is not None:
            lines.append(f"  {'sides with the more colourful':36} {agrees:.3f}")
    return "\n".join(lines)
