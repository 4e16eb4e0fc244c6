"""What trainer, sampler and checkpoints ask of every model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from torch import Tensor, nn

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.tuning import TuneConfig
from models_backend.errors import InputError
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import DecodingSide, Denoised
from models_backend.families.features import plain_features
from models_backend.families.finite import refuse_not_finite
from models_backend.families.pictures import to_pictures
from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import release_memory, tensor_bytes
from models_backend.nn.reading import Reading


class Family(ABC):
    """A text-to-image model: (caption, noise) to image.

    Trainer, sampler and checkpoints know a family by this alone: a new one is a subclass in a file
    of its own and a line in `checkpoint_format.families`. The recipes (pre-training,
    quality-tuning, early stopping, the studies) ask for what stands under "training"; a family that
    is sampled alone leaves it out.
    """

    name: ClassVar[str]

    # -- training ---------------------------------------------------------------------------------

    pretrain_config: ClassVar[type[PretrainConfig] | None] = None
    """What its pre-training is configured by; None where it cannot be pre-trained here."""
    parts: tuple[str, ...] = ("denoiser",)
    """The networks that pre-training and quality-tuning train on captioned pictures, in order."""
    compressor: ClassVar[str] = ""
    """What is fitted to pictures alone before them (`autoencoder`, `tokenizer`); none where
    empty. It is a part too, and stays as it is in quality-tuning."""
    takes_noise_offset: ClassVar[bool] = True
    """Whether a noise offset means anything to it."""
    text_encoder: Any
    """What reads captions; see `nn.text.TextEncoder`."""
    image_size: tuple[int, int]
    """Height and width in pixels that it was trained for."""

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Return a model with fresh weights, drawn from torch's own generator.

        `config` is of the type that `pretrain_config` names.

        Raises:
            InputError: this family cannot be pre-trained here.
        """
        raise InputError(f"family {cls.name!r} cannot be pre-trained here")

    @classmethod
    def load_to_tune(cls, folder: Path, config: TuneConfig) -> Self:
        """Read a checkpoint that a recipe goes on from, on the CPU.

        Raises:
            InputError: this family is not trained here, or not in the way `config` asks for.
            CheckpointError: :meth:`load` would not read it.
        """
        if cls.pretrain_config is None:
            raise InputError(f"{folder}: a {cls.name} model is sampled here, and not trained")
        if config.lora is not None:
            raise InputError(
                f"[lora] is for diffusers pipelines; {folder} is a {cls.name} model, which is "
                "tuned whole: leave the table out"
            )
        if config.weights != "float32":
            raise InputError(
                f"weights {config.weights!r}: a {cls.name} model is tuned in float32; leave it out"
            )
        family = cls.load(folder, "cpu")
        if config.image_size not in (0, *family.image_size):
            raise InputError(
                f"image_size {config.image_size}: {folder} is tuned at the "
                f"{family.image_size[0]} pixels it was trained for; leave it out"
            )
        return family

    @abstractmethod
    def part(self, name: str) -> nn.Module:
        """Return one of `parts`, or the `compressor`."""

    def part_config(self, name: str) -> dict[str, Any]:
        """Return what a part's weights hang on beside their shapes, as plain values."""
        return {}

    @property
    def denoiser(self) -> nn.Module:
        """The first of its parts: what makes an image of noise."""
        return self.part(self.parts[0])

    size_multiple: int = 8
    """What the sides of pictures in buckets of aspect ratio are multiples of."""
    makes_one_shape: bool = False
    """Whether pictures of another shape than it was trained at mean nothing to it."""

    def settle(self, pictures: Sequence[Tensor]) -> None:  # noqa: B027  # most measure nothing
        """Measure what the parts' inputs hang on, once the compressor is trained.

        `pictures` are batches (B, 3, H, W) in [-1, 1] on the model's device.
        """

    def prepare(self, pixels: Tensor, part: str) -> Tensor:
        """Return what a part learns from, (B, ...), for images (B, 3, H, W) in [-1, 1].

        The images themselves, unless a family has latents or tokens.
        """
        return pixels

    def prepared_for_cache(
        self, part: str, size: tuple[int, int]
    ) -> tuple[str, tuple[int, ...]] | None:
        """Say how what :meth:`prepare` gives is kept on disk; None where keeping is no gain.

        Returns:
            A hash of all that it hangs on beside the picture, and its shape for one picture of
            `size` (height, width). It is kept in half precision.
        """
        return None

    def noise_shape(self, part: str, prepared: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one example's noise for what :meth:`prepare` gave of one picture."""
        return prepared

    @abstractmethod
    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        """Return the training loss of each example, shape (B,), of a part: the first if None.

        It is a function of the weights and of the batch alone: the batch brings all randomness.
        """

    def kept_by_example(self, part: str, loop: LoopConfig) -> tuple[int, int]:
        """Return the bytes one example takes in training, and with gradient checkpointing.

        Of activations that the backward pass waits for; 0 where a family cannot tell.
        """
        return 0, 0

    def bytes_beside(self, part: str) -> int:
        """Return the bytes of other networks that stay on the device while a part is tuned."""
        return tensor_bytes(
            [each for each in self.trained_modules() if each is not self.part(part)], self.device
        )

    def noise_levels(self, u: Tensor) -> Tensor:
        """Return how little of its image an example keeps, 0 to 1, for u (B,) as a batch has it.

        It rises or falls with u, never both. Style Tailoring splits its two sets by it.

        Raises:
            InputError: a family that has no such order.
        """
        raise InputError(
            f"family {self.name!r} does not say how noisy an example is, which style_tailor splits "
            "its two sets by"
        )

    def features(self, pixels: Tensor) -> Tensor:
        """Return (N, F), on the CPU, by which pictures are compared; bytes (N, 3, H, W) in.

        Fixed filters and colours, unless a family has latents of its own to look at.
        """
        return plain_features(pixels, self.device)

    def graded_images(
        self, prompts: Sequence[str], noise: Tensor, settings: SamplingSettings, *, graded: int
    ) -> Tensor:
        """Return images (B, 3, H, W), about -1 to 1, whose last step carries a gradient.

        Sampling goes `graded` of the settings' steps without one, then one step to the finished
        image with one: what a reward is differentiated through (ReFL, Xu et al. 2023, algorithm 1).
        `noise` is shaped as what :meth:`prepare` gives for the first part.

        Raises:
            InputError: a family whose images are no differentiable function of its weights.
        """
        raise InputError(
            f"family {self.name!r} makes images by choosing, which has no gradient: feedback by "
            "rewards takes latent or pixel diffusion; preferences (DPO) take every family"
        )

    @property
    def device(self) -> torch.device:
        """Where the first part's weights are."""
        return next(self.denoiser.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """Move every network; text encoders follow at their next use."""
        for module in self.trained_modules():
            module.to(device)
        self.text_encoder.to(device)
        return self

    def trained_modules(self) -> list[nn.Module]:
        """Return its networks: compressor and parts."""
        names = (self.compressor, *self.parts) if self.compressor else self.parts
        return [self.part(name) for name in names]

    # -- sampling ---------------------------------------------------------------------------------

    @abstractmethod
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        """Return the batch as the decoder takes it, one latent for each (prompt, seed).

        One thread may denoise at a time. An image depends on its own prompt and seed alone.

        Raises:
            InputError: a setting this model cannot honour.
        """

    @abstractmethod
    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        """Return latents that :meth:`denoise` made as pixels (B, 3, H, W), about -1 to 1.

        A model of transparent images gives (B, 4, H, W), the last for alpha.
        May read weights and nothing that denoising changes: another thread may be denoising.
        """

    def to_pictures(self, pixels: Tensor) -> list[Image.Image]:
        """Return pixels (B, 3, H, W) in [-1, 1] as 8-bit RGB pictures; of four channels as RGBA."""
        return to_pictures(pixels)

    def decode(self, denoised: Denoised) -> list[Image.Image]:
        """Return the pictures of a batch; safe in a second thread while the first denoises on.

        Raises:
            NotFiniteError: NaN or infinity in one of them.
        """
        if denoised.latents is None:
            return list(denoised.images)
        with self._decoding_side.of(denoised):
            pixels = self.to_pixels(denoised.latents, denoised.size)
            refuse_not_finite(denoised.latents, pixels, self.modules())
            return self.to_pictures(pixels)

    def readings(self, prompts: Sequence[str]) -> list[Reading | None]:
        """Return how much of each prompt the text encoders read; None where that is not known.

        By the thread that denoises: tokenizers keep state.
        """
        return [None] * len(prompts)

    def sample(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> list[Image.Image]:
        """Return one image a prompt; an image depends on its own prompt and seed alone."""
        return self.decode(self.denoise(prompts=prompts, seeds=seeds, settings=settings))

    @property
    def _decoding_side(self) -> DecodingSide:
        side: DecodingSide = self.__dict__.setdefault("_side", DecodingSide())
        return side

    # -- memory -----------------------------------------------------------------------------------

    def modules(self) -> list[nn.Module]:
        """Return every network that holds weights in memory now."""
        return self.trained_modules()

    def memory_bytes(self) -> int:
        """Return the bytes of weights and buffers on the model's device; 0 once unloaded."""
        modules = self.modules()
        device = next(parameter.device for each in modules for parameter in each.parameters())
        return tensor_bytes(modules, device)

    def unload(self) -> None:
        """Free the weights, whoever still holds this object; it cannot sample afterwards.

        Waits for a batch that is being decoded. Not to be called while one is denoised.
        """
        with self._decoding_side.lock:
            for module in self.modules():
                module.to("meta")
        release_memory()

    # -- files ------------------------------------------------------------------------------------

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and configuration (JSON) into `folder`."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Read what :meth:`save` wrote."""

    @classmethod
    def check(cls, folder: Path) -> None:
        """Find out whether :meth:`load` would read `folder`, which nobody has loaded yet.

        By loading it, unless a family can tell from its configuration and its tensors' shapes.

        Raises:
            CheckpointError: it would not; the text says what is missing or does not fit.
        """
        cls.load(folder, "cpu")

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the architecture as plain values, with `image_size` as [height, width]."""
