"""Pre-training: what every family's run has; a family adds its networks and their loops."""

from __future__ import annotations

from dataclasses import dataclass, field

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.checking import check_range, check_run
from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError
from models_backend.nn.architecture import TextConfig


@dataclass(frozen=True)
class StageConfig:
    """One stage of pre-training at one resolution, its pictures read from disk as needed."""

    resolution: int
    """Side of the square bucket in pixels; a multiple of 8."""
    steps: int
    batch_size: int = 64
    noise_offset: float = 0.0
    """Emu: 0.02 in the last stage."""
    aspect_ratios: bool = False
    """Buckets from 1:2 to 2:1 of the same area; without, pictures are cut to squares."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("resolution", self.resolution, 16, 4096)
        if self.resolution % 8:
            raise InputError(f"resolution {self.resolution}: accepted are multiples of 8")
        check_range("steps", self.steps, 1, 10**8)
        check_range("batch_size", self.batch_size, 1, 10**6)
        check_range("noise_offset", self.noise_offset, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """The pretrain recipe on the whole mixture: a family's parts, one after the other.

    A family's own configuration has, for each part that is trained, a field `<part>_training`.
    """

    name: str
    role: str
    recipe: str = "pretrain"
    family: str = "latent_diffusion"
    """A name of `checkpoint_format.families`; it decides which other keys there are."""
    seed: int = 0
    image_size: int = 64
    """Side of the square images in pixels."""
    text: TextConfig = field(default_factory=TextConfig)
    captions: CaptionMix = field(default_factory=CaptionMix)
    caption_dropout: float = 0.1
    """Share of captions left out, for classifier-free guidance."""
    noise_offset: float = 0.0
    """Emu: 0.02 in the last stage of pre-training."""
    stages: tuple[StageConfig, ...] = ()
    """Progressive resolution, as in Emu (its list of resolutions is not stated); the last is
    `image_size`. Without stages a data directory is held in memory and trained at one size."""
    sample_prompts: tuple[str, ...] = ()
    """Sampled with fixed seeds at every saved state, for TensorBoard."""
    kept: tuple[str, ...] = ()
    """Parts that are not trained but taken from `kept_from`, as of a cascade whose upsampler alone
    is made anew."""
    kept_from: str = ""
    """Checkpoint directory of the kept parts, of the same family."""
    autoencoder_images: int = 20_000
    """With stages: pictures that what is fitted before the parts (an autoencoder, a tokenizer) is
    trained on, drawn at random and held in memory."""

    def part_training(self, part: str) -> LoopConfig:
        """Return the loop of a part."""
        loop: LoopConfig = getattr(self, f"{part}_training")
        return loop

    def all_stages(self, part: str) -> tuple[StageConfig, ...]:
        """Return the stages of a part; where none are listed, the one at `image_size`."""
        loop = self.part_training(part)
        whole = StageConfig(self.image_size, loop.steps, loop.batch_size, self.noise_offset)
        return self.stages or (whole,)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_run(self.name, self.role, self.seed)
        if bool(self.kept) != bool(self.kept_from):
            raise InputError("kept and kept_from: give both, parts and the checkpoint they are of")
        if self.stages and self.stages[-1].resolution != self.image_size:
            raise InputError(
                f"image_size {self.image_size}: the last stage is at {self.stages[-1].resolution}; "
                "give both the same"
            )
        if self.stages and self.noise_offset:
            raise InputError("noise_offset: with stages, give it in a stage")
        check_range("autoencoder_images", self.autoencoder_images, 1, 10**7)
        check_range("image_size", self.image_size, 16, 1024)
        check_range("caption_dropout", self.caption_dropout, 0.0, 1.0)
        check_range("noise_offset", self.noise_offset, 0.0, 1.0)
