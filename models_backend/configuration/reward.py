"""The reward recipe: what of an image is looked at, and how a head is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from models_backend.configuration.checking import check_range, check_run
from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError
from models_backend.nn.architecture import TextConfig

FIXED = "fixed"


def _reward_loop() -> LoopConfig:
    return LoopConfig(
        steps=600, batch_size=32, learning_rate=3e-4, warmup_steps=20, weight_decay=0.01,
        ema_decay=0.0, save_every=50,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """A reward model on a preference set: one trunk, a head for each aspect."""

    name: str
    recipe: str = "reward"
    role: str = "reward"
    seed: int = 0
    aspects: tuple[str, ...] = ()
    """Those of the set that it learns; all where none is named."""
    features: str = FIXED
    """`fixed`: colours, edges and texture, nothing trained; else the directory of a CLIP, SigLIP,
    BLIP or DINOv2 as transformers saves it."""
    image_size: int = 64
    """Side at which fixed features look at an image; a directory brings its own."""
    frozen_share: float = 0.7
    """Of a directory's blocks the share, from the first, that stays as it is (IterComp: 0.7)."""
    hidden: int = 0
    """Width of the head's hidden layer; 0 is a linear head, fitted to its one optimum."""
    dropout: float = 0.1
    """Of the hidden layer."""
    reads_prompt: bool = False
    """Whether the head sees the prompt too; with fixed features it then needs `hidden`."""
    text: TextConfig = field(default_factory=TextConfig)
    """What reads prompts beside fixed features; a directory reads them itself, if it can."""
    l2: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)
    """Penalties of a linear head that validation chooses among."""
    training: LoopConfig = field(default_factory=_reward_loop)
    """Of a head with a hidden layer, or of a directory's last blocks."""
    patience: int = 4
    """States without a better validation before training stops."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_run(self.name, "baseline", self.seed)
        check_range("image_size", self.image_size, 16, 1024)
        check_range("frozen_share", self.frozen_share, 0.0, 1.0)
        check_range("hidden", self.hidden, 0, 65_536)
        check_range("dropout", self.dropout, 0.0, 0.95)
        check_range("patience", self.patience, 1, 10_000)
        if not self.l2:
            raise InputError("l2: give at least one penalty")
        for each in self.l2:
            check_range("l2", each, 1e-9, 1e9)
        if self.is_fixed and self.reads_prompt and not self.hidden:
            raise InputError(
                "reads_prompt with a linear head on fixed features: the prompt is the same for "
                "both images and would cancel; set hidden, e.g. 64"
            )

    @property
    def is_fixed(self) -> bool:
        return self.features == FIXED

    @property
    def is_linear(self) -> bool:
        """Whether the head has one optimum that is found, not approached."""
        return self.is_fixed and not self.hidden
