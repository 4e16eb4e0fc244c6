"""How often people place a new image as the reward did, on the prompts where they were asked."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from models_backend.errors import InputError
from models_backend.preferences.reading import PreferenceSet
from models_backend.rewards.expanding import PlacedImage


@dataclass(frozen=True)
class PeoplesAgreement:
    """Pairs of the newcomer and a model that people decided, and those placed as they do."""

    agreed: int
    compared: int
    by_aspect: dict[str, tuple[int, int]]
    """(agreed, compared) of each aspect."""


def read_placements(path: Path) -> list[PlacedImage]:
    """Read `placements.jsonl`.

    Raises:
        InputError: no such file, or a line that is no placement.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(
            f"{path} cannot be read ({said}); give OUT-placements.jsonl, as inserting wrote it "
            "beside OUT"
        ) from None
    for number, line in enumerate(lines, start=1):
        try:
            told = json.loads(line)
            found.append(
                PlacedImage(
                    told["prompt"], told["aspect"], told["model"], told["image"],
                    tuple(told["better_than"]), tuple(told["worse_than"]),
                )
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}, line {number}: not a placement; expand again") from None
    return found


def peoples_agreement(placements: list[PlacedImage], people: PreferenceSet) -> PeoplesAgreement:
    """Hold placements against what people say of the very images that were placed.

    A pair counts where more people prefer one image than the other; inserted pairs are not
    people's, and other images of the newcomer's model say nothing of where this one belongs.

    Raises:
        InputError: people decided no pair that was placed.
    """
    net = _net_wins(people)
    agreed: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    for each in placements:
        for others, sign in ((each.better_than, 1), (each.worse_than, -1)):
            for other in others:
                votes = net.get((each.prompt, each.aspect, each.image, other), 0)
                compared[each.aspect] += votes != 0
                agreed[each.aspect] += votes * sign > 0
    if not compared.total():
        raise InputError(
            f"{people.folder}: people decided no pair of the images that were placed; let them "
            "rank those, on more prompts"
        )
    return PeoplesAgreement(
        agreed.total(), compared.total(), {a: (agreed[a], n) for a, n in compared.items()}
    )


def _net_wins(people: PreferenceSet) -> dict[tuple[str, str, str, str], int]:
    """By prompt, aspect, image and the other's model: how many more prefer the image."""
    net: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for pair in people.pairs:
        if pair.source == "inserted":
            continue
        difference = pair.votes[0] - pair.votes[1]
        for image, other, sign in zip(pair.images, pair.models[::-1], (1, -1), strict=True):
            net[pair.prompt, pair.aspect, image, other] += sign * difference
    return net
