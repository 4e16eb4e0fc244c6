"""New images put into a whole preference set: each among the people's order of its prompt."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models_backend.data.pictures import decode, fit
from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically
from models_backend.preferences.pictures import ImageStore
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair, consensus
from models_backend.preferences.writing import Provenance, begin_set, write_set
from models_backend.rewards.insertion import place
from models_backend.rewards.model import RewardModel

PLACEMENTS = "placements.jsonl"


@dataclass(frozen=True)
class Newcomer:
    """An image that nobody has ranked yet."""

    prompt: str
    model: str
    file: Path


@dataclass(frozen=True)
class PlacedImage:
    """Where a newcomer came in under one aspect, by models; a line of `placements.jsonl`."""

    prompt: str
    aspect: str
    model: str
    image: str
    better_than: tuple[str, ...]
    worse_than: tuple[str, ...]


def read_newcomers(path: Path) -> list[Newcomer]:
    """Read JSON Lines of `prompt`, `model` and `file`, relative to their folder.

    Raises:
        InputError: a line that is none, or a file that is missing or outside the folder.
    """
    found = []
    root = path.parent.resolve()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path}, line {number}"
        try:
            told = json.loads(line)
            prompt, model, name = (str(told[key]) for key in ("prompt", "model", "file"))
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{where}: give an object with prompt, model and file") from None
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise InputError(f"{where}: {name} is missing, or outside {root}")
        found.append(Newcomer(prompt, model, file))
    if not found:
        raise InputError(f"{path} names no image")
    return found


def people_order(pairs: Sequence[PreferencePair]) -> list[list[str]]:
    """Return the order that several people's votes on the images of one prompt come to, in tiers.

    By net wins (Borda's count of the decided votes), best first; equal counts are one tier.
    """
    net: dict[str, int] = defaultdict(int)
    for each in consensus(pairs):
        first, second = each.images
        net[first] += each.votes[0] - each.votes[1]
        net[second] += each.votes[1] - each.votes[0]
    tiers: dict[int, list[str]] = defaultdict(list)
    for image, score in net.items():
        tiers[score].append(image)
    return [sorted(tiers[score]) for score in sorted(tiers, reverse=True)]


def expand_set(
    found: PreferenceSet, rewards: Sequence[RewardModel], newcomers: Sequence[Newcomer], out: Path
) -> dict[str, Any]:
    """Write the set with the newcomers in it, and `placements.jsonl` beside; return its mark.

    An aspect is placed by the first reward that knows it; people's pairs and rankings stay as they
    are, every inserted pair says so and carries the reward's probability as its weight.

    Raises:
        InputError: an aspect that no reward knows, a newcomer of a prompt that nobody ranked, or
            one that is in the set already.
    """
    by_aspect = _heads(found, rewards)
    ranked = _ranked(found)
    known = {prompt for prompt, _ in ranked}
    strange = [each.prompt for each in newcomers if each.prompt not in known]
    if strange:
        raise InputError(
            f"{len(strange)} newcomers are of prompts that nobody ranked ({strange[0][:60]!r}); "
            "give images of the prompts of the set"
        )
    store = begin_set(out)
    for uid in sorted({uid for pair in found.pairs for uid in pair.images}):
        store.add(found.images.bytes_of(uid), uid)
    fresh = {each: store.add_file(each.file) for each in newcomers}
    raw = {id(each): _scores(each, found, fresh, store) for each in rewards}
    pairs, placements = list(found.pairs), []
    for placed, inserted in _placed(found, fresh, ranked, by_aspect, raw):
        placements.append(placed)
        pairs += inserted
    write_bytes_atomically(
        out.with_name(f"{out.name}-{PLACEMENTS}"),
        "".join(
            json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in placements
        ).encode(),
    )
    return write_set(
        out,
        pairs=pairs,
        rankings=found.rankings,
        provenance=Provenance(
            campaign=found.mark["campaign"],
            protocol_sha256=found.mark["protocol_sha256"],
            licence=found.mark["licence"],
            origin=f"expanded: {found.sha256}",
        ),
        # Inserted pairs are marked as such; whether the rest is simulated is the set's own matter.
        allow_simulated=True,
    )


def _heads(
    found: PreferenceSet, rewards: Sequence[RewardModel]
) -> dict[str, tuple[RewardModel, int]]:
    heads: dict[str, tuple[RewardModel, int]] = {}
    for reward in rewards:
        for at, aspect in enumerate(reward.aspects):
            heads.setdefault(aspect, (reward, at))
    missing = [aspect for aspect in found.mark["aspects"] if aspect not in heads]
    if missing:
        raise InputError(
            f"no reward knows {', '.join(missing)}; give one for every aspect of the set"
        )
    return heads


def _ranked(found: PreferenceSet) -> dict[tuple[str, str], list[PreferencePair]]:
    """What people said of each prompt and aspect; what was inserted before is not theirs."""
    ranked: dict[tuple[str, str], list[PreferencePair]] = defaultdict(list)
    for pair in found.pairs:
        if pair.source != "inserted":
            ranked[pair.prompt, pair.aspect].append(pair)
    return ranked


def _scores(
    reward: RewardModel, found: PreferenceSet, fresh: Mapping[Newcomer, str], store: ImageStore
) -> dict[tuple[str, str], list[float]]:
    """Raw rewards of every image under its prompt, by (prompt, hash)."""
    prompts = {each.prompt for each in fresh}
    keys = dict.fromkeys(
        (pair.prompt, uid) for pair in found.pairs if pair.prompt in prompts for uid in pair.images
    ) | dict.fromkeys((each.prompt, uid) for each, uid in fresh.items())
    side = _side(reward)
    pictures = [fit(decode(store.bytes_of(uid), uid), (side, side)) for _, uid in keys]
    raw = reward.scores(
        torch.from_numpy(np.stack(pictures)), [p for p, _ in keys], [uid for _, uid in keys]
    )
    return dict(zip(keys, raw.tolist(), strict=True))


def _side(reward: RewardModel) -> int:
    """Return at which side its trunk looks at images, in pixels."""
    trunk = reward.network.trunk
    return int(getattr(trunk, "size", 0) or trunk.told["size"])  # type: ignore[index]


def _placed(
    found: PreferenceSet,
    fresh: Mapping[Newcomer, str],
    ranked: Mapping[tuple[str, str], list[PreferencePair]],
    heads: Mapping[str, tuple[RewardModel, int]],
    raw: Mapping[int, Mapping[tuple[str, str], Sequence[float]]],
) -> Iterator[tuple[PlacedImage, list[PreferencePair]]]:
    number = max(pair.ranking_id for pair in found.pairs)
    for newcomer, uid in fresh.items():
        for aspect, (reward, at) in heads.items():
            votes = ranked.get((newcomer.prompt, aspect))
            if not votes:
                continue
            models = _models(votes)
            if uid in models:
                raise InputError(
                    f"{newcomer.file.name}: people have ranked this image already; nothing is "
                    "left to place"
                )
            order = people_order(votes)
            of_prompt = {
                image: raw[id(reward)][newcomer.prompt, image][at] for image in (*models, uid)
            }
            placement = place(order, of_prompt, uid, temperature=reward.calibration.temperature[at])
            number += 1
            inserted = [
                _pair(newcomer, aspect, uid, other, models[other], won, weight, number)
                for won, told in ((True, placement.better), (False, placement.worse))
                for other, weight in told
            ]
            yield (
                PlacedImage(
                    newcomer.prompt, aspect, newcomer.model, uid,
                    tuple(models[other] for other, _ in placement.better),
                    tuple(models[other] for other, _ in placement.worse),
                ),
                inserted,
            )  # fmt: skip


def _models(votes: Sequence[PreferencePair]) -> dict[str, str]:
    return {uid: model for v in votes for uid, model in zip(v.images, v.models, strict=True)}


def _pair(
    newcomer: Newcomer, aspect: str, uid: str, other: str, model: str, won: bool, weight: float,
    number: int,
) -> PreferencePair:  # fmt: skip
    return PreferencePair(
        prompt=newcomer.prompt,
        aspect=aspect,
        images=(uid, other),
        models=(newcomer.model, model),
        votes=(1, 0) if won else (0, 1),
        ranking_id=number,
        source="inserted",
        weight=max(weight, 1e-6),
    )
