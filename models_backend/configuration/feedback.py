"""Tuning a model by what people prefer: on pairs (Diffusion-DPO), or by rewards (ReFL)."""

from __future__ import annotations

from dataclasses import dataclass, field

from models_backend.configuration.checking import check_range
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import EarlyStoppingConfig, TuneConfig
from models_backend.errors import InputError

LOSSES = ("sigmoid", "ipo", "winners")


@dataclass(frozen=True)
class GuardConfig:
    """What is measured on held-out prompts while a model is tuned, and when that stops."""

    judge: str = ""
    """Folder of a reward that is never optimised: of other prompts and people. Empty has none, and
    then only the bounds below hold."""
    held_out: str = ""
    """Folder of another preference set, such as the judge's, whose prompts are sampled as well as
    those of the validation split; none of them may be learned from here."""
    candidates: int = 10
    """Steps kept and measured, evenly spaced; 0 takes the last step unmeasured."""
    prompts: int = 24
    """Held-out prompts that are sampled at each candidate."""
    seeds: int = 2
    """Images of each prompt."""
    sampler_steps: int = 20
    guidance_scale: float = 3.0
    tolerance: float = 1.0
    """Standard errors: by so many the judge must rise, and faithfulness may fall."""
    diversity: float = 0.9
    """Least mean distance between images of one prompt, as a share of the parent's."""
    winner_error_rise: float = 0.03
    """How far the error on preferred held-out images may rise above the parent's, as a share."""
    patience: int = 3
    """Candidates without a rise of the judge after which training ends."""
    stop: bool = True
    """False measures to the last step, and picks by the same rule."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("candidates", self.candidates, 0, 1000)
        check_range("prompts", self.prompts, 2, 10_000)
        check_range("seeds", self.seeds, 2, 64)
        check_range("sampler_steps", self.sampler_steps, 1, 1000)
        check_range("guidance_scale", self.guidance_scale, 0.0, 100.0)
        check_range("tolerance", self.tolerance, 0.0, 100.0)
        check_range("diversity", self.diversity, 0.0, 1.0)
        check_range("winner_error_rise", self.winner_error_rise, 0.0, 100.0)
        check_range("patience", self.patience, 1, 1000)


def _loop() -> LoopConfig:
    return LoopConfig(
        steps=100, batch_size=16, learning_rate=1e-5, warmup_steps=5, ema_decay=0.0, save_every=10
    )


def _unused() -> EarlyStoppingConfig:
    return EarlyStoppingConfig(candidates=0)


@dataclass(frozen=True, kw_only=True)
class GuardedConfig(TuneConfig):
    """What the two recipes share."""

    training: LoopConfig = field(default_factory=_loop)
    guard: GuardConfig = field(default_factory=GuardConfig)
    early_stopping: EarlyStoppingConfig = field(default_factory=_unused)
    role: str = "preference_tuned"
    caption_dropout: float = 0.0
    aspects: tuple[str, ...] = ()
    """Of the preference set; all where none is named."""

    def __post_init__(self) -> None:
        """Refuse what belongs to other recipes."""
        super().__post_init__()
        if self.early_stopping.candidates:
            raise InputError(f"{self.recipe} is stopped by [guard]; leave [early_stopping] out")
        if self.tuning_list or self.tuning_images:
            raise InputError(f"{self.recipe} takes a preference set; leave tuning_list out")


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig(GuardedConfig):
    """Diffusion-DPO (Wallace et al. 2023, 2311.12908) on the pairs of a preference set."""

    recipe: str = "preference"
    loss: str = "sigmoid"
    """`sigmoid`; `ipo` (Azar et al. 2023); or `winners`: preferred images alone, the baseline."""
    beta: float = 2000.0
    """How strongly it is held to the parent; the paper's, of mean squared errors with a factor of
    one half. What suits depends on what is predicted."""
    anchor: float = 0.0
    """Weight of the preferred image's own loss beside."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if self.loss not in LOSSES:
            raise InputError(f"loss {self.loss!r}: accepted are {', '.join(LOSSES)}")
        if not self.beta > 0:
            raise InputError(f"beta {self.beta:g}: accepted are numbers above 0, e.g. 2000")
        check_range("beta", self.beta, 1e-6, 1e7)
        check_range("anchor", self.anchor, 0.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class RewardTuningConfig(GuardedConfig):
    """ReFL (Xu et al. 2023, 2304.05977, algorithm 1) with any number of rewards."""

    recipe: str = "feedback"
    rewards: tuple[str, ...]
    """Folders of the rewards that are optimised."""
    reward_weights: tuple[float, ...] = ()
    """Of each; equal where none is given. A reward's aspects share its weight."""
    margin: float = 2.0
    """Up to so many calibrated standard deviations more reward is asked for, and none above."""
    reward_scale: float = 0.02
    rollout_steps: int = 40
    """Sampling steps."""
    graded: tuple[int, ...] = (1, 10)
    """First and last of the steps, counted from the end, at which the image is judged: [1, 10] of
    40 are those of the paper."""
    guidance_scale: float = 3.0
    pretrain_weight: float = 1.0
    """Of the denoising loss on the set's preferred images. IterComp publishes none; ImageReward's
    authors say it is needed."""
    reference_weight: float = 0.0
    """Of the mean squared distance between the model's images and the parent's from one noise."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if not self.rewards:
            raise InputError("rewards: give at least one folder")
        if self.reward_weights and len(self.reward_weights) != len(self.rewards):
            raise InputError(
                f"reward_weights {list(self.reward_weights)}: give one for each of "
                f"{len(self.rewards)} rewards"
            )
        for each in self.reward_weights:
            check_range("reward_weights", each, 0.0, 1e6)
        check_range("margin", self.margin, -1e6, 1e6)
        check_range("reward_scale", self.reward_scale, 0.0, 1e6)
        check_range("rollout_steps", self.rollout_steps, 1, 1000)
        check_range("pretrain_weight", self.pretrain_weight, 0.0, 1e6)
        check_range("reference_weight", self.reference_weight, 0.0, 1e6)
        check_range("guidance_scale", self.guidance_scale, 0.0, 100.0)
        if len(self.graded) != 2 or not 1 <= self.graded[0] <= self.graded[1] <= self.rollout_steps:
            raise InputError(
                f"graded {list(self.graded)}: accepted are two steps counted from the end, the "
                f"first at most the last, of 1 to rollout_steps ({self.rollout_steps})"
            )
        if self.parts:
            raise InputError("feedback tunes what makes the image, the first part; leave parts out")
        if self.guard.judge and self.guard.judge in self.rewards:
            raise InputError(
                f"guard.judge {self.guard.judge} is a reward that is optimised: it cannot tell "
                "when it is fooled; train a judge on other prompts and people"
            )
