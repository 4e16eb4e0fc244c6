"""What tuning by preferences takes of a preference set: pairs to learn from, prompts held out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models_backend.configuration.feedback import GuardedConfig
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.nn.pixels import to_unit_range
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair, consensus
from models_backend.recipes.parts import in_parts
from models_backend.rewards.data import ShownImages


@dataclass(frozen=True, eq=False)
class DecidedPairs:
    """Pairs of a split that most votes decide, and their images."""

    shown: ShownImages
    winners: Tensor
    """(P,): rows of `shown`."""
    losers: Tensor
    weights: Tensor
    """(P,): how often each is drawn; a prompt's add up to 1."""

    @classmethod
    def of(
        cls, found: PreferenceSet, split: str, aspects: tuple[str, ...], size: int
    ) -> DecidedPairs:
        """Count the votes on the same images together and keep what is no tie.

        Raises:
            InputError: no pair is left.
        """
        kept = [pair for pair, _ in found.of(split) if pair.aspect in aspects]
        pairs = [pair for pair in consensus(kept) if pair.label != 0.5]
        if not pairs:
            raise InputError(f"{found.folder}: split {split} holds no pair that is decided")
        shown = ShownImages.of(found, pairs, size)
        rows = shown.rows(pairs)
        first = torch.tensor([pair.label == 1 for pair in pairs])
        return cls(
            shown,
            torch.where(first, rows[:, 0], rows[:, 1]),
            torch.where(first, rows[:, 1], rows[:, 0]),
            _weights(pairs),
        )

    @torch.no_grad()
    def prepared(self, family: Family, part: str) -> Tensor:
        """Return what a part learns from, (N, ...), of every image."""
        device = family.device
        each = in_parts(self.shown.pictures)
        return torch.cat([family.prepare(to_unit_range(p.to(device)), part).cpu() for p in each])


def _weights(pairs: list[PreferencePair]) -> Tensor:
    counts: dict[tuple[str, str], int] = {}
    for pair in pairs:
        key = pair.sha256, pair.aspect
        counts[key] = counts.get(key, 0) + 1
    return torch.tensor([pair.weight / counts[pair.sha256, pair.aspect] for pair in pairs])


def aspects_of(config: GuardedConfig, found: PreferenceSet) -> tuple[str, ...]:
    """Return the aspects that are learned.

    Raises:
        InputError: an unknown one, or too few pairs.
    """
    aspects = config.aspects or tuple(found.mark["aspects"])
    found.refuse_too_few(aspects)
    return aspects


def held_out_prompts(
    found: PreferenceSet, count: int, others: PreferenceSet | None = None
) -> list[str]:
    """Return up to `count` prompts that nothing is learned from, by the order of their hashes.

    First those of the validation split, then those of `others`.

    Raises:
        InputError: fewer than two, or `others` has a prompt of the training split.
    """
    held = {pair.sha256: pair.prompt for pair, _ in found.of("validation")}
    chosen = [held[key] for key in sorted(held)]
    if others is not None:
        rest = {pair.sha256: pair.prompt for pair in others.pairs if pair.sha256 not in held}
        learned = {pair.sha256 for pair, _ in found.of("train")} & rest.keys()
        if learned:
            raise InputError(
                f"guard.held_out {others.folder}: {len(learned)} of its prompts are learned from, "
                f"such as {rest[min(learned)][:60]!r}; divide the set by prompts",
                by_command="`python -m models_backend.preferences divide` does it.",
            )
        chosen += [rest[key] for key in sorted(rest)]
    if len(chosen) < 2:
        raise InputError(
            f"{found.folder}: {len(chosen)} prompts in the validation split; the guard needs two "
            "or more: collect more prompts, give guard.held_out, or set guard.candidates = 0"
        )
    return chosen[:count]
