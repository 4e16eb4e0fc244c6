"""Going on from a parent: quality-tuning, plain fine-tuning and Style Tailoring."""

from __future__ import annotations

from dataclasses import dataclass, field

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.checking import check_range, check_run
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.pretraining import StageConfig
from models_backend.errors import InputError

# Emu, section on quality-tuning: at most 15,000 iterations, however the loss still falls.
MAX_TUNING_STEPS = 15_000
WEIGHTS = ("float32", "bf16")
DRAWS = ("time_first", "halves")


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """When quality-tuning stops; the paper says it must, not how to tell."""

    candidates: int = 20
    """Steps kept and measured, evenly spaced; 0 takes the last step unmeasured."""
    images: int = 64
    """Samples at each candidate: of captions outside the tuning set, and as many inside."""
    sampler_steps: int = 20
    guidance_scale: float = 3.0
    tolerance: float = 1.0
    """How far faithfulness may lie below its best, in standard errors."""
    copying_rise: float = 0.2
    """How far the share of copied samples may rise above the parent's."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("candidates", self.candidates, 0, 1000)
        check_range("images", self.images, 2, 10_000)
        check_range("sampler_steps", self.sampler_steps, 1, 1000)
        check_range("guidance_scale", self.guidance_scale, 0.0, 100.0)
        check_range("tolerance", self.tolerance, 0.0, 100.0)
        check_range("copying_rise", self.copying_rise, 0.0, 1.0)


def _tuning_loop() -> LoopConfig:
    # Emu: batch 64, at most 15,000 iterations. The learning rate is ours: the paper gives none.
    return LoopConfig(steps=MAX_TUNING_STEPS, batch_size=64, learning_rate=1e-5, save_every=250)


@dataclass(frozen=True)
class LoraConfig:
    """A low-rank adapter (Hu et al. 2021) that is trained instead of the network itself."""

    rank: int = 16
    """At most the width of the narrowest layer that it changes."""
    alpha: float = 0.0
    """The change is scaled by alpha / rank; 0 is the rank, so that the scale is 1."""
    targets: tuple[str, ...] = ()
    """Ends of layers' names; none are the projections of every attention."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("rank", self.rank, 1, 4096)
        check_range("alpha", self.alpha, 0.0, 4096.0)

    @property
    def scale(self) -> float:
        """By what the product of the two matrices is multiplied."""
        return (self.alpha or self.rank) / self.rank


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """What the recipes that go on from a parent have; what encodes pictures stays."""

    name: str
    recipe: str
    role: str
    tuning_list: str = ""
    """File of hand-picked images beside the package's data or by path: STYLE, then concept ids.
    Empty is the whole data set."""
    tuning_set: str = ""
    """Folder of a curated set that is tuned on as a whole, instead of a list; as `--tuning`."""
    training: LoopConfig
    """Of each tuned part, one after the other."""
    parts: tuple[str, ...] = ()
    """Parts of the parent that are tuned; all of them where none is named."""
    lora: LoraConfig | None = None
    """With this table an adapter is trained, for diffusers pipelines; without it the network."""
    weights: str = "float32"
    """`bf16` holds a pipeline's network in half the memory: with [lora] its frozen base, else what
    is tuned, which then takes the optimizer adafactor."""
    image_size: int = 0
    """Side in pixels of the images; 0 is the parent's own. Another one is for pipelines."""
    aspect_ratios: bool = False
    """Pictures keep their shape, in buckets from 1:2 to 2:1 of the area of `image_size` squared;
    without, they are cut to squares."""
    early_stopping: EarlyStoppingConfig
    tuning_images: int = 0
    """Tune on a random subset of so many of the list; nested for one seed. 0 is the whole list."""
    subset_seed: int = 0
    seed: int = 0
    captions: CaptionMix = field(default_factory=CaptionMix)
    caption_dropout: float = 0.1
    noise_offset: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_run(self.name, self.role, self.seed)
        if self.weights not in WEIGHTS:
            raise InputError(f"weights {self.weights!r}: accepted are {' and '.join(WEIGHTS)}")
        if self.image_size:
            check_range("image_size", self.image_size, 16, 4096)
        check_range("caption_dropout", self.caption_dropout, 0.0, 1.0)
        check_range("noise_offset", self.noise_offset, 0.0, 1.0)
        check_range("tuning_images", self.tuning_images, 0, 10**7)
        check_range("subset_seed", self.subset_seed, 0, 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class QualityTuneConfig(TuneConfig):
    """The quality-tuning recipe: a few hand-picked images, stopped early."""

    training: LoopConfig = field(default_factory=_tuning_loop)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    role: str = "quality_tuned"
    recipe: str = "quality_tune"
    noise_offset: float = 0.1
    """Emu: 0.1 for quality-tuning."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if self.training.steps > MAX_TUNING_STEPS:
            raise InputError(
                f"training.steps {self.training.steps}: quality-tuning stops at "
                f"{MAX_TUNING_STEPS} at the latest; longer runs forget concepts"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TuneConfig):
    """Plain fine-tuning: the same loop on all images, to its last step unless told otherwise."""

    training: LoopConfig
    early_stopping: EarlyStoppingConfig = field(
        default_factory=lambda: EarlyStoppingConfig(candidates=0)
    )
    role: str = "baseline"
    recipe: str = "finetune"

    def part_training(self, part: str) -> LoopConfig:
        """Return the loop of a part, which is the same for all."""
        return self.training

    def all_stages(self, part: str) -> tuple[StageConfig, ...]:
        """Return the one stage there is, for images read from shards."""
        loop = self.training
        return (
            StageConfig(
                self.image_size, loop.steps, loop.batch_size, self.noise_offset, self.aspect_ratios
            ),
        )


@dataclass(frozen=True, kw_only=True)
class StyleTailorConfig(TuneConfig):
    """Two small sets at once: one for what is drawn, one for how (Style Tailoring, 2311.10794).

    The paper's split, the sizes of its sets and how a batch is shared between them could not be
    confirmed: what stands here are settings to be compared, `studies.style` does so.
    """

    tuning_list: str = ""
    """The style set: images picked for how they look. Empty where it is a folder, `--tuning`."""
    content_list: str = ""
    """The content set, or `--content`, of the same form: images picked for showing what their
    captions say."""
    content_set: str = ""
    """The content set as a folder; as `--content`."""
    split: float = 0.9
    """Noise level, 0 (the image) to 1, above which the content set is learned from, and below it
    the style set."""
    draw: str = "time_first"
    """`time_first`: a row's level decides its set; `halves`: each set has every second row."""
    training: LoopConfig = field(default_factory=_tuning_loop)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    role: str = "quality_tuned"
    recipe: str = "style_tailor"

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if self.aspect_ratios:
            raise InputError("aspect_ratios: style_tailor trains squares; leave it out")
        check_range("split", self.split, 0.0, 1.0)
        if self.draw not in DRAWS:
            raise InputError(f"draw {self.draw!r}: accepted are {' and '.join(DRAWS)}")
