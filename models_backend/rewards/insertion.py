"""A new image placed among images that people have ranked, by a reward model's likelihood.

IterComp puts its tuned model's images into human rankings by comparing rewards from the last place
upwards. Its published loop has three faults: it never compares with the best, so that nothing new
can be first; the list of models grows inside the loop over prompts; and the ranking is a string
that is read character by character. Here an order is a list of tiers, each call is about one
prompt, and every place is a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models_backend.errors import InputError


@dataclass(frozen=True)
class Placement:
    """Where a new image stands in a human order."""

    image: str
    position: int
    """Tiers before it: 0 is better than all."""
    likelihoods: tuple[float, ...]
    """Of each of the n + 1 positions, adding up to 1."""
    better: tuple[tuple[str, float], ...]
    """Images that it stands before, each with the probability that it is preferred to it."""
    worse: tuple[tuple[str, float], ...]
    """Images that it stands behind, each with the probability that they are preferred to it."""


@dataclass(frozen=True)
class InsertedPair:
    """A pair that people did not see."""

    winner: str
    loser: str
    weight: float
    """The reward's probability of what it says, 0 to 1."""


def place(
    order: Sequence[Sequence[str]],
    rewards: Mapping[str, float],
    image: str,
    *,
    temperature: float,
) -> Placement:
    """Return the most likely place of a new image, the human order being given.

    The likelihood of a place is the product of sigmoid((r of the better - r of the worse) /
    temperature) over the new image's pairs; those among ranked images are the same for every place.
    Of equally likely places the first is taken.

    Args:
        order: tiers from best to worst; images of one tier are tied, and stay so.
        rewards: raw rewards of every image.
        image: the new one.
        temperature: of the reward's calibration.

    Raises:
        InputError: an empty order, an image twice, one without a finite reward, or a temperature
            that is not above 0.
    """
    _check(order, rewards, image, temperature)
    own = rewards[image]
    log_likelihoods = []
    for position in range(len(order) + 1):
        above = (r for tier in order[:position] for r in tier)
        below = (r for tier in order[position:] for r in tier)
        log_likelihoods.append(
            sum(_log_sigmoid((rewards[each] - own) / temperature) for each in above)
            + sum(_log_sigmoid((own - rewards[each]) / temperature) for each in below)
        )
    top = max(log_likelihoods)
    shares = [math.exp(each - top) for each in log_likelihoods]
    position = log_likelihoods.index(top)

    def believed(better: float, worse: float) -> float:
        return math.exp(_log_sigmoid((better - worse) / temperature))

    return Placement(
        image=image,
        position=position,
        likelihoods=tuple(each / sum(shares) for each in shares),
        better=tuple(
            (each, believed(own, rewards[each])) for tier in order[position:] for each in tier
        ),
        worse=tuple(
            (each, believed(rewards[each], own)) for tier in order[:position] for each in tier
        ),
    )


def insert(
    order: Sequence[Sequence[str]],
    rewards: Mapping[str, float],
    images: Sequence[str],
    *,
    temperature: float,
) -> list[InsertedPair]:
    """Return the pairs of new images with the human order, and with one another.

    Each is placed among the human images alone, so that it does not matter which comes first. Two
    new ones are a pair where a human image stands between them; what no person's image separates,
    the reward alone would say, and it is not asked.

    Raises:
        InputError: see :func:`place`; or a new image twice.
    """
    if len(set(images)) < len(images):
        raise InputError("a new image is given twice")
    placed = [place(order, rewards, image, temperature=temperature) for image in images]
    pairs = []
    for each in placed:
        pairs += [InsertedPair(each.image, other, p) for other, p in each.better]
        pairs += [InsertedPair(other, each.image, p) for other, p in each.worse]
    for number, one in enumerate(placed):
        for two in placed[number + 1 :]:
            if one.position != two.position:
                first, second = sorted((one, two), key=lambda each: each.position)
                difference = (rewards[first.image] - rewards[second.image]) / temperature
                pairs.append(
                    InsertedPair(first.image, second.image, math.exp(_log_sigmoid(difference)))
                )
    return pairs


def agreement(pairs: Sequence[InsertedPair], true: Mapping[str, float]) -> float:
    """Return the share of pairs in whose order true utilities agree; equal ones count half.

    Raises:
        InputError: no pairs.
    """
    if not pairs:
        raise InputError("there are no inserted pairs to hold against anything")
    right = 0.0
    for each in pairs:
        gap = true[each.winner] - true[each.loser]
        right += 0.5 if gap == 0 else float(gap > 0)
    return right / len(pairs)


def _check(
    order: Sequence[Sequence[str]], rewards: Mapping[str, float], image: str, temperature: float
) -> None:
    ranked = [each for tier in order for each in tier]
    if not ranked or not all(order):
        raise InputError("the human order is empty, or has an empty tier")
    if len({*ranked, image}) < len(ranked) + 1:
        raise InputError(f"an image stands in the order twice, or {image} is ranked already")
    for each in (*ranked, image):
        if not math.isfinite(rewards.get(each, math.nan)):
            raise InputError(f"image {each}: its reward is missing or not finite")
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: accepted are numbers above 0")


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > -30 else x
