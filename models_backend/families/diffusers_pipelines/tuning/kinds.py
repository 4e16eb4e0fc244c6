"""What tuning must know of each class of pipeline: its texts, and how its network is called."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from models_backend.errors import InputError
from models_backend.families.diffusers_pipelines.arguments import is_guidance_embedded
from models_backend.nn.text_rows import TextEmbedding

Size = tuple[int, int]
_FLUX_GUIDANCE = 1.0
"""What a network with embedded guidance is told in training: that there is none."""


class PipelineKind(ABC):
    """A class of pipeline; shapes as in `objectives`, captions as `TextEmbedding`."""

    component: ClassVar[str] = "unet"
    tokens_a_side: ClassVar[int] = 1
    """Latents along a side of one token of the image."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    @property
    def network(self) -> Any:
        """What is tuned."""
        return getattr(self.pipeline, self.component)

    @abstractmethod
    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        """Return the embeddings that the pipeline itself makes of texts."""

    @abstractmethod
    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """Return what a network like this kind's says of latents.

        Args:
            network: of this kind.
            noisy: (B, C, h, w).
            t: (B,).
            text: B captions.
            size: height and width of the pictures in pixels.
            framing: as in `families.batch`; None where all of each picture is seen.
        """

    def prompt_arguments(self, text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
        """Return the arguments of the pipeline's call that stand for prompt and negative prompt."""
        return {"prompt_embeds": text.tokens, "negative_prompt_embeds": blank.tokens}


class StableDiffusion(PipelineKind):
    """SD 1 and 2: one CLIP."""

    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        tokens = self.pipeline.encode_prompt(list(texts), device, 1, False)[0]
        return _without_sentence(tokens)

    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        return network(noisy, t, encoder_hidden_states=text.tokens).sample


class StableDiffusionXL(PipelineKind):
    """SDXL: two CLIPs, the second one's sentence vector, and the picture's size and crop."""

    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        tokens, _, pooled, _ = self.pipeline.encode_prompt(
            list(texts), device=device, do_classifier_free_guidance=False
        )
        if self.pipeline.config.get("force_zeros_for_empty_prompt", True):
            # Without a caption SDXL was trained, and is guided, by zeros.
            there = torch.tensor([bool(text) for text in texts], device=tokens.device)
            tokens, pooled = tokens * there.view(-1, 1, 1), pooled * there.view(-1, 1)
        return TextEmbedding(tokens, _all(tokens), pooled)

    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        whole = torch.tensor([*size, 0, 0]).expand(len(noisy), -1)
        seen = (whole if framing is None else framing).to(noisy.device, noisy.dtype)
        asked = torch.tensor([size], device=noisy.device, dtype=noisy.dtype).expand(len(noisy), -1)
        # Own size, top and left of the crop, size asked for (Podell et al. 2023, section 2.2).
        given = {"text_embeds": text.pooled, "time_ids": torch.cat([seen, asked], dim=1)}
        return network(noisy, t, encoder_hidden_states=text.tokens, added_cond_kwargs=given).sample

    def prompt_arguments(self, text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
        return super().prompt_arguments(text, blank) | _pooled(text, blank)


class StableDiffusion3(PipelineKind):
    """SD3: two CLIPs and a T5 one after the other, the sentence vectors of the first two."""

    component = "transformer"

    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        tokens, _, pooled, _ = self.pipeline.encode_prompt(
            list(texts), None, None, device=device, do_classifier_free_guidance=False
        )
        return TextEmbedding(tokens, _all(tokens), pooled)

    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        return network(
            hidden_states=noisy, timestep=t, encoder_hidden_states=text.tokens,
            pooled_projections=text.pooled,
        ).sample  # fmt: skip

    def prompt_arguments(self, text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
        return super().prompt_arguments(text, blank) | _pooled(text, blank)


class Flux(PipelineKind):
    """Flux: T5's tokens and CLIP's sentence vector; two by two latents are a token."""

    component = "transformer"
    tokens_a_side = 2

    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        tokens, pooled, _ = self.pipeline.encode_prompt(list(texts), None, device=device)
        return TextEmbedding(tokens, _all(tokens), pooled)

    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        count, channels, height, width = noisy.shape
        pipeline, device, dtype = self.pipeline, noisy.device, noisy.dtype
        guidance = None
        if is_guidance_embedded(pipeline):
            guidance = torch.full((count,), _FLUX_GUIDANCE, device=device)
        said = network(
            hidden_states=pipeline._pack_latents(noisy, count, channels, height, width),
            timestep=t / pipeline.scheduler.config["num_train_timesteps"],
            guidance=guidance,
            pooled_projections=text.pooled,
            encoder_hidden_states=text.tokens,
            txt_ids=torch.zeros((text.tokens.shape[1], 3), device=device, dtype=dtype),
            img_ids=pipeline._prepare_latent_image_ids(
                count, height // 2, width // 2, device, dtype
            ),
        ).sample
        return pipeline._unpack_latents(said, *size, pipeline.vae_scale_factor)

    def prompt_arguments(self, text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
        return super().prompt_arguments(text, blank) | _pooled(text, blank)


class PixArt(PipelineKind):
    """PixArt-alpha and -Sigma: a masked T5; the network's second half of channels is a variance."""

    component = "transformer"
    tokens_a_side = 2

    def texts(self, texts: Sequence[str], device: torch.device) -> TextEmbedding:
        call = inspect.signature(self.pipeline.__call__).parameters
        tokens, mask, _, _ = self.pipeline.encode_prompt(
            list(texts), do_classifier_free_guidance=False, device=device, clean_caption=False,
            max_sequence_length=call["max_sequence_length"].default,
        )  # fmt: skip
        embedding = _without_sentence(tokens)
        weights = mask.to(tokens).unsqueeze(-1)
        pooled = (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1)
        return TextEmbedding(embedding.tokens, mask.long(), pooled)

    def predict(
        self, network: Any, noisy: Tensor, t: Tensor, text: TextEmbedding, size: Size,
        framing: Tensor | None = None,
    ) -> Any:  # fmt: skip
        count = len(noisy)
        given: dict[str, Tensor | None] = {"resolution": None, "aspect_ratio": None}
        if network.config["sample_size"] == 128:  # as its pipeline asks
            sizes = torch.tensor([size], dtype=noisy.dtype, device=noisy.device)
            given["resolution"] = sizes.expand(count, -1)
            given["aspect_ratio"] = (sizes[:, :1] / sizes[:, 1:]).expand(count, -1)
        said = network(
            noisy, encoder_hidden_states=text.tokens, encoder_attention_mask=text.mask,
            timestep=t, added_cond_kwargs=given,
        ).sample  # fmt: skip
        return said[:, : noisy.shape[1]]

    def prompt_arguments(self, text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
        return super().prompt_arguments(text, blank) | {
            "prompt_attention_mask": text.mask,
            "negative_prompt_attention_mask": blank.mask,
            "negative_prompt": None,  # its call's default is the empty prompt
        }


_KINDS: dict[str, type[PipelineKind]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
    "PixArtAlphaPipeline": PixArt,
    "PixArtSigmaPipeline": PixArt,
}


def kind_of(pipeline: Any) -> PipelineKind:
    """Return what tuning knows of a pipeline.

    Raises:
        InputError: it is of another class, or a distilled or inpainting variant.
    """
    name = type(pipeline).__name__
    if name not in _KINDS:
        raise InputError(f"{name} is sampled here, and not tuned; tuned are {', '.join(_KINDS)}")
    kind = _KINDS[name](pipeline)
    config = kind.network.config
    if config.get("time_cond_proj_dim") is not None:
        raise InputError(
            "its U-Net is distilled with guidance as an input (LCM); tune the model it was made of"
        )
    has = config["in_channels"] // (4 if isinstance(kind, Flux) else 1)
    if has != pipeline.vae.config["latent_channels"]:
        raise InputError(
            f"its {kind.component} takes {has} channels and its autoencoder makes "
            f"{pipeline.vae.config['latent_channels']}: a variant for inpainting or the like is "
            "not tuned here"
        )
    return kind


def _all(tokens: Tensor) -> Tensor:
    return torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)


def _without_sentence(tokens: Tensor) -> TextEmbedding:
    """A pipeline that has no sentence vector: the mean of its tokens stands for one."""
    return TextEmbedding(tokens, _all(tokens), tokens.mean(dim=1))


def _pooled(text: TextEmbedding, blank: TextEmbedding) -> dict[str, Any]:
    return {
        "pooled_prompt_embeds": text.pooled, "negative_pooled_prompt_embeds": blank.pooled,
    }  # fmt: skip
