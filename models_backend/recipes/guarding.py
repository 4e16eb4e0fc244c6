"""Makes the guards of a run: what they share is measured once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_backend.configuration.feedback import GuardedConfig
from models_backend.data.dataset import Shapes
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.preferences.reading import PreferenceSet
from models_backend.recipes.candidates import candidates_folder, read_outcome
from models_backend.recipes.guard import Guard, Optimised
from models_backend.recipes.overfitting import RetrievalHead
from models_backend.recipes.preference_data import DecidedPairs, held_out_prompts
from models_backend.rewards.model import RewardModel


@dataclass(frozen=True, eq=False)
class Guarding:
    """Held-out prompts, the judge, and what tells whether an image shows its prompt."""

    config: GuardedConfig
    prompts: list[str]
    judge: RewardModel | None
    faithfulness: RetrievalHead
    optimised: tuple[Optimised, ...] = ()

    @classmethod
    def of(
        cls,
        config: GuardedConfig,
        family: Family,
        found: PreferenceSet,
        train: DecidedPairs,
        optimised: Sequence[Optimised] = (),
    ) -> Guarding:
        """Load the judge and train the retrieval head on the training split's images.

        Raises:
            InputError: too few held-out prompts, one that is learned from, or a judge that is
                optimised, too.
            CheckpointError: the judge cannot be read.
        """
        more = config.guard.held_out
        others = PreferenceSet.open(Path(more)) if more else None
        prompts = held_out_prompts(found, config.guard.prompts, others)
        judge = RewardModel.load(Path(config.guard.judge)) if config.guard.judge else None
        refuse_optimised_judge(judge, optimised)
        head = RetrievalHead(
            family, Shapes.one(train.shown.pictures), train.shown.prompts, seed=config.seed
        )
        return cls(config, prompts, judge, head, tuple(optimised))

    def guard(
        self, family: Family, part: str, run: Path, *,
        winner_error: Callable[[], float] | None = None,
    ) -> Guard:  # fmt: skip
        return Guard(
            family, self.config.guard, self.config.training, part=part, run=run,
            seed=self.config.seed, prompts=self.prompts, faithfulness=self.faithfulness,
            judge=self.judge, optimised=self.optimised, winner_error=winner_error,
        )  # fmt: skip

    def folder(self, family: Family, part: str, run: Path) -> Path:
        return candidates_folder(run, family, part)


def refuse_optimised_judge(judge: RewardModel | None, optimised: Sequence[Optimised]) -> None:
    """Raise `InputError` where the judge is one of the rewards, under whatever path."""
    if judge is not None and judge.sha256 in {each.reward.sha256 for each in optimised}:
        raise InputError(
            "guard.judge has the weights of a reward that is optimised: it cannot tell when it is "
            "fooled; train a judge on other prompts and people"
        )


def choices(guarding: Guarding, family: Family, run: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Return what a checkpoint says of how each part's candidate was picked, and by which judge."""
    told = {}
    for part in parts:
        outcome = read_outcome(candidates_folder(run, family, part))
        picked = int(outcome["picked_step"])
        signals = next(e for e in outcome["entries"] if e["step"] == picked)
        told[part] = {
            "picked_step": picked, "picked_by": "rule", "rule": outcome["rule"],
            "signals": {name: value for name, value in signals.items() if name != "judged"},
            "stopped": outcome["stopped"], "none_fits": outcome["none_fits"],
            "cautions": outcome["cautions"],
        }  # fmt: skip
    judge = guarding.judge.sha256 if guarding.judge else None
    return {"guard": told, "judge_sha256": judge}
