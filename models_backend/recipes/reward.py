"""Trains a reward model: a linear head to its optimum, or a network that validation stops.

What is learned is the share of votes in each raw pair, ties half; each prompt weighs as much as
another. The validation split chooses (penalty, or step); calibration is measured on the training
images, the temperature on validation.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models_backend.configuration.reward import RewardConfig
from models_backend.errors import InputError
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.text import TextEncoder
from models_backend.preferences.reading import PreferenceSet
from models_backend.rewards.backbones import Backbone
from models_backend.rewards.data import ShownImages
from models_backend.rewards.features import FixedFeatures
from models_backend.rewards.fitting import accuracy, bradley_terry, fit_linear, fit_temperature
from models_backend.rewards.model import Calibration, RewardModel
from models_backend.rewards.network import RewardNetwork
from models_backend.training.learned import learned_state, load_learned
from models_backend.training.randomness import StepDraw
from models_backend.training.run_folder import code_version
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator

_AT_ONCE = 64
_BEST, _HISTORY = "best.safetensors", "validation.json"


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The pairs of a split as numbers."""

    rows: Tensor
    """(P, 2), of `ShownImages`."""
    aspect: Tensor
    """(P,), which head."""
    share: Tensor
    weight: Tensor

    @classmethod
    def of(
        cls, found: PreferenceSet, shown: ShownImages, split: str, aspects: tuple[str, ...]
    ) -> _Pairs:
        both = [(pair, w) for pair, w in found.of(split) if pair.aspect in aspects]
        pairs = [pair for pair, _ in both]
        return cls(
            shown.rows(pairs),
            torch.tensor([aspects.index(pair.aspect) for pair in pairs], dtype=torch.long),
            torch.tensor([pair.share for pair in pairs]),
            torch.tensor([w for _, w in both]),
        )

    def where(self, kept: Tensor) -> _Pairs:
        return _Pairs(self.rows[kept], self.aspect[kept], self.share[kept], self.weight[kept])

    def differences(self, raw: Tensor) -> Tensor:
        """Return (P,): how much more the first image has, for raw rewards (N, A) of all images."""
        first, second = raw[self.rows[:, 0]], raw[self.rows[:, 1]]
        return (first - second).gather(1, self.aspect[:, None])[:, 0]

    def loss(self, raw: Tensor) -> float:
        """Return the weighted mean cross-entropy; of no pairs 0."""
        if not len(self.rows):
            return 0.0
        difference = self.differences(raw)
        cross = bradley_terry(difference, torch.zeros_like(difference), self.share)
        return float((self.weight * cross).sum() / self.weight.sum())


def train_reward(config: RewardConfig, *, data: Path, run: Path) -> RewardModel:
    """Train a reward on the preference set `data`; a network resumes from `run`.

    Raises:
        InputError: too few pairs, an unknown aspect, or features that are the same of every image.
    """
    found = PreferenceSet.open(data)
    aspects = config.aspects or tuple(found.mark["aspects"])
    found.refuse_too_few(aspects)
    network = network_of(config, len(aspects))
    device = default_accelerator().device
    network.to(device)
    known = [p for split in ("train", "validation") for p, _ in found.of(split)]
    shown = ShownImages.of(found, [p for p in known if p.aspect in aspects], _side(network))
    train, validation = (_Pairs.of(found, shown, s, aspects) for s in ("train", "validation"))
    if not len(validation.rows):
        print("no validation pairs: nothing is chosen by them", file=sys.stderr)
    if config.is_linear or isinstance(network.trunk, FixedFeatures):
        features = _features(network, shown)
        network.standardise(features[train.rows.unique()])
        if not bool(torch.isfinite(network.scale).any()):
            raise InputError("every image has the same features: there is nothing to learn from")
    else:
        features = None
    if config.is_linear:
        assert features is not None
        _fit_heads(network, features, train, validation, config.l2)
    else:
        _fit_network(config, network, shown, features, train, validation, run)
    raw = _raw(network, shown, features)
    reward = RewardModel(network.cpu(), aspects, _calibration(raw, train, validation, aspects))
    reward.metadata = _metadata(config, found, raw, validation, aspects)
    return reward


def network_of(config: RewardConfig, aspects: int) -> RewardNetwork:
    """Return a fresh network; what is drawn depends on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        trunk: FixedFeatures | Backbone
        text = None
        if config.is_fixed:
            trunk = FixedFeatures(config.image_size)
            text = TextEncoder(config.text) if config.reads_prompt else None
        else:
            trunk = Backbone.from_directory(Path(config.features))
            trunk.freeze(config.frozen_share)
        return RewardNetwork(
            trunk, aspects, hidden=config.hidden, dropout=config.dropout, text=text
        )


def _side(network: RewardNetwork) -> int:
    trunk = network.trunk
    return trunk.size if isinstance(trunk, FixedFeatures) else int(trunk.told["size"])


@torch.no_grad()
def _features(network: RewardNetwork, shown: ShownImages) -> Tensor:
    """Return what the head sees of every image, (N, F)."""
    device = network.shift.device
    parts = []
    for at in range(0, len(shown.keys), _AT_ONCE):
        x = to_unit_range(shown.pictures[at : at + _AT_ONCE].to(device))
        parts.append(network.features(x, shown.prompts[at : at + _AT_ONCE]))
    return torch.cat(parts)


@torch.no_grad()
def _raw(network: RewardNetwork, shown: ShownImages, features: Tensor | None) -> Tensor:
    """Return raw rewards (N, A) of every image, on the CPU."""
    network.eval()
    seen = _features(network, shown) if features is None else features
    return network.of_features(seen).cpu()


def _fit_heads(
    network: RewardNetwork,
    features: Tensor,
    train: _Pairs,
    validation: _Pairs,
    penalties: tuple[float, ...],
) -> None:
    """Put the optimum of each aspect into the head; validation chooses the penalty."""
    seen = ((features - network.shift) / network.scale).cpu()
    head: Any = network.head
    for aspect in range(head.weight.shape[0]):
        own, held = (each.where(each.aspect == aspect) for each in (train, validation))
        difference = seen[own.rows[:, 0]] - seen[own.rows[:, 1]]
        fitted = []
        for l2 in penalties:
            w = fit_linear(difference, own.share, own.weight, l2=l2)
            alone = dataclasses.replace(held, aspect=torch.zeros_like(held.aspect))
            fitted.append((alone.loss((seen @ w)[:, None]), l2, w))
        with torch.no_grad():
            head.weight[aspect] = min(fitted, key=lambda each: each[0])[2]


def _fit_network(
    config: RewardConfig,
    network: RewardNetwork,
    shown: ShownImages,
    features: Tensor | None,
    train: _Pairs,
    validation: _Pairs,
    run: Path,
) -> None:
    """Train until validation gets no better, and take the best state."""
    trainer = Trainer(
        module=network if features is None else network.head,
        config=config.training, seed=config.seed, stage="reward", run=run,
    )  # fmt: skip
    device = trainer.accelerator.device
    network.to(device)
    stop = _Stop(config, network, shown, features, validation if len(validation.rows) else train,
                 trainer, run)  # fmt: skip
    trainer.on_save = stop.at

    def step(draw: StepDraw) -> StepLoss:
        chosen = torch.multinomial(
            train.weight, config.training.batch_size, replacement=True, generator=draw
        )[draw.rows]
        batch = train.where(chosen)
        both = batch.rows.T.flatten()
        if features is None:
            pixels = to_unit_range(shown.pictures[both].to(device))
            raw = network(pixels, [shown.prompts[row] for row in both.tolist()])
        else:
            raw = network.of_features(features[both.to(device)])
        first, second = raw.gather(1, batch.aspect.repeat(2)[:, None].to(device))[:, 0].chunk(2)
        return StepLoss(bradley_terry(first, second, batch.share), both[: len(chosen)], {})

    trainer.fit(step)
    stop.load_best()


class _Stop:
    """Measures validation at each saved state, keeps the best, ends a run that gains nothing."""

    def __init__(
        self,
        config: RewardConfig,
        network: RewardNetwork,
        shown: ShownImages,
        features: Tensor | None,
        measured: _Pairs,
        trainer: Trainer,
        run: Path,
    ) -> None:
        self._config, self._network, self._shown = config, network, shown
        self._features, self._measured = features, measured
        self._trainer, self._run = trainer, run

    def at(self, step: int) -> None:
        """Measure a state once."""
        if self._trainer.accelerator.is_main_process and step:
            history = self._history()
            if step not in {entry["step"] for entry in history}:
                raw = _raw(self._network, self._shown, self._features)
                self._network.train()
                loss = self._measured.loss(raw)
                if not history or loss < min(entry["loss"] for entry in history):
                    kept = {n: v.cpu() for n, v in learned_state(self._trainer.module).items()}
                    save_file(kept, self._run / _BEST)
                history.append({"step": step, "loss": loss})
                write_json_atomically(self._run / _HISTORY, {"states": history})
            best = min(range(len(history)), key=lambda at: history[at]["loss"])
            if len(history) - 1 - best >= self._config.patience:
                self._trainer.stop()
        self._trainer.agree_to_stop()

    def _history(self) -> list[dict[str, Any]]:
        path = self._run / _HISTORY
        return list(read_json(path)["states"]) if path.exists() else []

    def load_best(self) -> None:
        load_learned(self._trainer.module, load_file(self._run / _BEST))


def _calibration(
    raw: Tensor, train: _Pairs, validation: _Pairs, aspects: tuple[str, ...]
) -> Calibration:
    mean, sd, temperature = [], [], []
    for number, aspect in enumerate(aspects):
        own = train.where(train.aspect == number)
        seen = raw[own.rows.unique(), number]
        spread = float(seen.std())
        if not spread > 0:
            raise InputError(f"aspect {aspect!r}: every image has the same reward; nothing learned")
        held = validation.where(validation.aspect == number)
        mean.append(float(seen.mean()))
        sd.append(spread)
        temperature.append(fit_temperature(held.differences(raw), held.share, held.weight))
    return Calibration(tuple(mean), tuple(sd), tuple(temperature), len(train.rows.unique()))


def _metadata(
    config: RewardConfig,
    found: PreferenceSet,
    raw: Tensor,
    validation: _Pairs,
    aspects: tuple[str, ...],
) -> dict[str, Any]:
    measured = {}
    for number, aspect in enumerate(aspects):
        own = validation.where(validation.aspect == number)
        right = accuracy(own.differences(raw), own.share) if len(own.rows) else None
        measured[aspect] = {"pairs": len(own.rows), "accuracy": right}
    mark = found.mark
    return {
        "name": config.name,
        "config": dataclasses.asdict(config),
        "code_version": code_version(),
        "validation": measured,
        "data": {
            "preferences_sha256": found.sha256,
            **{name: mark[name] for name in (
                "campaign", "protocol_sha256", "licence", "sources", "simulated", "pairs",
            )},
        },
    }  # fmt: skip
