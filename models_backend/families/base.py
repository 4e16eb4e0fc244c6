"""What trainer, sampler and checkpoints ask of every model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from PIL import Image
from torch import Tensor, nn

from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import DecodingSide, Denoised
from models_backend.families.finite import refuse_not_finite
from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import release_memory, tensor_bytes
from models_backend.nn.reading import Reading


class Family(ABC):
    """A text-to-image model: (caption, noise) to image.

    Trainer, sampler and checkpoints know a family by this alone: a new one (pixel diffusion, a
    masked transformer) is a subclass in a file of its own and a line in
    `checkpoint_format.families`.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def denoiser(self) -> nn.Module:
        """The part that pre-training and quality-tuning train."""

    def encode(self, images: Tensor) -> Tensor:
        """Return what the denoiser is trained on, for images (B, 3, H, W) in [-1, 1].

        The images themselves, unless a family has latents or tokens.
        """
        return images

    def normalise(self, encoded: Tensor) -> Tensor:
        """Return what :meth:`encode` gave on the scale of the noise, as `loss` wants it in `z`."""
        return encoded

    @abstractmethod
    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the training loss of each example, shape (B,).

        It is a function of the weights and of the batch alone: the batch brings all randomness.
        """

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

        May read weights and nothing that denoising changes: another thread may be denoising.
        """

    def to_pictures(self, pixels: Tensor) -> list[Image.Image]:
        """Return pixels (B, 3, H, W) in [-1, 1] as 8-bit RGB pictures."""
        array = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        return [Image.fromarray(picture) for picture in array]

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
        return [self.denoiser]

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
