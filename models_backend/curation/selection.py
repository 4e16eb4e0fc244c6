"""Rules applied to scores: which images stay, why each other goes, how many are left when.

Pure: numpy in, numpy out. An image's fate depends on the scores and the rules alone; where an order
leaves two images equal, the hash decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models_backend.curation.near_duplicates import Fingerprints, worse_copies
from models_backend.curation.rules import RANK, Keep, Order, SelectionRules, Stage, Take, Unique
from models_backend.errors import InputError

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
UNREADABLE = ("reading", "unreadable")


@dataclass(frozen=True)
class ConceptGroups:
    """A text for each image, as numbers: which of `names` it is; the last is for none."""

    codes: npt.NDArray[np.int32]
    names: list[str]


@dataclass(frozen=True)
class ScoreTable:
    """What the rules are applied to, (N,) each; NaN where a scorer could not tell."""

    keys: npt.NDArray[np.uint64]
    readable: npt.NDArray[np.bool_]
    numbers: Mapping[str, Numbers]
    texts: Mapping[str, ConceptGroups]
    prints: Fingerprints | None = None
    """Of the whole images, where a stage looks for near-duplicates."""
    told: npt.NDArray[np.bool_] | None = None
    """Where there is a fingerprint."""
    windows: tuple[Fingerprints, ...] = ()
    """Of parts of the images, where a stage asks for `crops`."""


@dataclass
class SelectionDecision:
    """What became of N images."""

    kept: Rows
    """Rows that stay, the first by the last order first."""
    reason: npt.NDArray[np.int16]
    """(N,), -1 where it stays, else a number into `reasons`."""
    reasons: list[tuple[str, str]] = field(default_factory=list)
    """Stage and rule."""
    arrived: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    """(N,) by stage: what was left before it."""
    warnings: list[str] = field(default_factory=list)


def decide(scores: ScoreTable, rules: SelectionRules) -> SelectionDecision:
    """Apply the stages in order."""
    count = len(scores.keys)
    decision = SelectionDecision(np.empty(0, np.int64), np.full(count, -1, np.int16), [UNREADABLE])
    alive = scores.readable.copy()
    decision.reason[~alive] = 0
    numbers = dict(scores.numbers)
    if any(RANK in stage.numbers() for stage in rules.stages):
        value, groups = numbers["popularity/value"], scores.texts["concepts/name"]
        numbers[RANK] = ranks_within(value, groups.codes)
    order: Order | None = None
    for stage in rules.stages:
        decision.arrived[stage.name] = alive.copy()
        before = int(alive.sum())
        _apply(stage, scores, numbers, alive, decision)
        if not isinstance(stage, Keep):
            order = stage.order
        _warn(stage, numbers, before, int(alive.sum()), decision)
    kept = np.flatnonzero(alive)
    decision.kept = kept[_best_first(numbers[order.name][kept], scores.keys[kept], order)] \
        if order else kept  # fmt: skip
    return decision


def _apply(
    stage: Stage, scores: ScoreTable, numbers: Mapping[str, Numbers], alive: npt.NDArray[np.bool_],
    decision: SelectionDecision,
) -> None:  # fmt: skip
    def drop(gone: npt.NDArray[np.bool_] | Rows, why: str) -> None:
        decision.reason[gone] = len(decision.reasons)
        decision.reasons.append((stage.name, why))
        alive[gone] = False

    if isinstance(stage, Keep):
        for text, rule in stage.rules:
            true, _ = rule.truth(numbers)
            drop(alive & ~true, text)
        return
    rows = np.flatnonzero(alive)
    rows = rows[_best_first(numbers[stage.order.name][rows], scores.keys[rows], stage.order)]
    if isinstance(stage, Take):
        groups = scores.texts[stage.by].codes[rows] if stage.by else np.zeros(len(rows), np.int32)
        drop(rows[~taken(groups, stage.take)], f"take {stage.take}")
    else:
        drop(_copies(stage, scores, rows), f"hamming {stage.nearness.hamming}")


def _copies(stage: Unique, scores: ScoreTable, rows: Rows) -> Rows:
    assert scores.prints is not None
    assert scores.told is not None
    rows = rows[scores.told[rows]]
    windows = [each.of(rows) for each in scores.windows] if stage.crops else ()
    worse = worse_copies(scores.prints.of(rows), stage.nearness, windows=windows)
    return rows[worse]


def _best_first(values: Numbers, keys: npt.NDArray[np.uint64], order: Order) -> Rows:
    """Return rows by an order; what has no value is last."""
    lowest_first = np.where(np.isnan(values), np.inf, -values if order.descending else values)
    # Rows stand by rising key: a stable sort leaves equal values so.
    if not (keys[1:] >= keys[:-1]).all():
        return np.lexsort((keys, lowest_first))
    return np.argsort(lowest_first, kind="stable")


def quotas(counts: Rows, take: int) -> Rows:
    """Return how many each group gives so that `take` are given, as equally as can be.

    Water-filling: small groups give all they have, the others the same number; what does not divide
    goes to the first of them.
    """
    if counts.sum() <= take:
        return counts.copy()
    rising = np.sort(counts)
    before = np.concatenate([[0], rising.cumsum()[:-1]])
    left = len(counts) - np.arange(len(counts))
    levels = (take - before) // left  # if all smaller groups give everything
    full = int(np.argmax(levels < rising))  # the first that cannot
    level = int(levels[full])
    given = np.minimum(counts, level)
    more = np.flatnonzero(counts > level)[: take - int(given.sum())]
    given[more] += 1
    return given


def taken(groups: npt.NDArray[np.int32], take: int) -> npt.NDArray[np.bool_]:
    """Return which of rows that stand best first are taken, equally of each group."""
    counts = np.bincount(groups) if len(groups) else np.zeros(1, np.int64)
    quota = quotas(counts, take)
    order = _by_group(groups)
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    place = np.empty(len(groups), dtype=np.int64)
    place[order] = np.arange(len(groups)) - starts[groups[order]]
    return np.asarray(place < quota[groups])


def _by_group(groups: npt.NDArray[np.int32]) -> Rows:
    """Return rows by group, in each as they stood. Sorting short numbers is many times faster."""
    few = not len(groups) or int(groups.max()) < 2**15
    return np.argsort(groups.astype(np.int16) if few else groups, kind="stable")


def ranks_within(values: Numbers, groups: npt.NDArray[np.int32]) -> Numbers:
    """Return each value's rank in its group, 0 (lowest) to 1; equal values share the middle.

    NaN where there is no value; one half where a group has one.
    """
    ranks = np.full(len(values), np.nan)
    rows = np.flatnonzero(~np.isnan(values))
    if not len(rows):
        return ranks
    rows = rows[np.argsort(values[rows])]
    order = rows[_by_group(groups[rows])]
    group, value = groups[order], values[order]
    new_group = np.append(True, group[1:] != group[:-1])
    new_value = new_group | np.append(True, value[1:] != value[:-1])
    starts = np.flatnonzero(new_value)
    ends = np.append(starts[1:], len(order)) - 1
    middle = ((starts + ends) / 2)[new_value.cumsum() - 1]
    group_starts = np.flatnonzero(new_group)
    sizes = np.diff(np.append(group_starts, len(order)))
    which = new_group.cumsum() - 1
    span = np.maximum(sizes[which] - 1, 1)
    ranks[order] = np.where(sizes[which] == 1, 0.5, (middle - group_starts[which]) / span)
    return ranks


def _warn(
    stage: Stage,
    numbers: Mapping[str, Numbers],
    before: int,
    after: int,
    decision: SelectionDecision,
) -> None:
    if before and after in (0, before):
        told = "; ".join(f"{name} {_spread(numbers[name], decision.arrived[stage.name])}"
                         for name in sorted(stage.numbers()))  # fmt: skip
        what = "nothing" if after == 0 else f"all {before} images"
        decision.warnings.append(f"stage {stage.name} keeps {what}: {told}")


def _spread(values: Numbers, rows: npt.NDArray[np.bool_]) -> str:
    known = values[rows & ~np.isnan(values)]
    if not len(known):
        return "has no value"
    points = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
    return "lies at " + ", ".join(f"{p:.4g}" for p in points) + " (least, quarters, most)"


def funnel(
    scores: ScoreTable, rules: SelectionRules, decision: SelectionDecision
) -> dict[str, Any]:
    """Return how many images each stage left, by concept, and how many each rule dropped."""
    groups = scores.texts.get("concepts/name")
    left = np.ones(len(scores.keys), dtype=bool)
    dropped = np.bincount(decision.reason[decision.reason >= 0], minlength=len(decision.reasons))
    stages = []
    for name in (UNREADABLE[0], *(stage.name for stage in rules.stages)):
        numbers = [n for n, (stage, _) in enumerate(decision.reasons) if stage == name]
        left &= ~np.isin(decision.reason, numbers)
        entry: dict[str, Any] = {
            "stage": name, "kept": int(left.sum()),
            "dropped": {decision.reasons[n][1]: int(dropped[n]) for n in numbers},
        }  # fmt: skip
        if groups is not None:
            counts = np.bincount(groups.codes[left], minlength=len(groups.names)).tolist()
            entry["by_concept"] = dict(zip(groups.names, counts, strict=True))
        stages.append(entry)
    return {"images": len(scores.keys), "stages": stages, "warnings": decision.warnings}


def refuse_unknown(rules: SelectionRules, known: Sequence[str]) -> None:
    """Refuse rules that name a measure that the scores do not have.

    Raises:
        InputError: names it, and the measures there are.
    """
    wanted = rules.numbers() | rules.texts()
    missing = sorted(wanted - set(known))
    if missing:
        raise InputError(
            f"the rules name {missing[0]}, which the scores do not hold; they hold "
            f"{', '.join(sorted(known)) or 'nothing'}: score with that scorer, or correct the name"
        )
