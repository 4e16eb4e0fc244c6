"""A mean whose observations share prompts and people: intervals that account for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from models_backend.measures.bootstrap import LEVEL, Interval


@dataclass(frozen=True, eq=False)
class Influence:
    """What the sum of values falls by without each of some votes (M,), whoever cast it.

    For a mean in which people are held against each other: without a person their own values go,
    and what they did to those of others (a jackknife of people).
    """

    lost: NDArray[np.float64]
    prompts: Sequence[object]
    people: Sequence[object]


def two_way_interval(
    values: NDArray[np.floating],
    prompts: Sequence[object],
    people: Sequence[object],
    influence: Influence | None = None,
) -> Interval:
    """Return the mean of values (N,) with an interval clustered by prompt and by person.

    The variance is that of prompts plus that of people minus that of their meetings (Cameron,
    Gelbach and Miller 2011), at least the larger of the first two; degrees of freedom are those of
    the fewer clusters. Whoever is not known (0 or empty) counts as a person of their own. With
    `influence` it says what a person, and a person at a prompt, does to the sum.

    Raises:
        ValueError: no values, or other numbers of prompts or people.
    """
    values = np.asarray(values, np.float64)
    if not len(values) or len(values) != len(prompts) or len(values) != len(people):
        raise ValueError(f"{len(values)} values, {len(prompts)} prompts, {len(people)} people")
    mean = float(values.mean())
    error = (values - mean) / len(values)
    of_prompts, count = _variance(error, prompts)
    if influence is not None:
        error = (influence.lost - influence.lost.mean()) / len(values)
        prompts, people = influence.prompts, influence.people
    by_person = [each or f"nobody {n}" for n, each in enumerate(people)]
    of_people, persons = _variance(error, by_person)
    both, _ = _variance(error, list(zip(prompts, by_person, strict=True)))
    variance = max(of_prompts + of_people - both, of_prompts, of_people)
    fewest = min(each for each in (count, persons) if each > 1) if max(count, persons) > 1 else 1
    if fewest < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf((1 + LEVEL) / 2, fewest - 1)) * variance**0.5
    return Interval(mean, mean - half, mean + half)


def _variance(error: NDArray[np.float64], clusters: Sequence[object]) -> tuple[float, int]:
    places: dict[object, int] = {}
    index = np.array([places.setdefault(each, len(places)) for each in clusters])
    sums = np.bincount(index, error)
    n = len(sums)
    return float((sums**2).sum() * n / max(1, n - 1)), n
