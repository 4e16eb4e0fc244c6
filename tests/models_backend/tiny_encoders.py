"""CLIP and T5 text encoders, and pipelines around them, with random weights, on disk."""

import json
from pathlib import Path

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLIP_TOKENS = 16


def clip_tokenizer(folder: Path) -> transformers.CLIPTokenizer:
    """A byte-pair tokenizer that knows letters and the word cat."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    tokens += ["<|startoftext|>", "<|endoftext|>", "ca", "cat</w>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    return transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=CLIP_TOKENS
    )


def clip_config(width: int = 16, tokens: int = CLIP_TOKENS) -> transformers.CLIPTextConfig:
    start = 2 * len(LETTERS)
    return transformers.CLIPTextConfig(
        vocab_size=start + 4, hidden_size=width, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokens, projection_dim=width,
        bos_token_id=start, eos_token_id=start + 1, pad_token_id=start + 1,
    )  # fmt: skip


def write_clip(folder: Path, *, width: int = 16, tokens: int = CLIP_TOKENS) -> Path:
    """A CLIP text model with its tokenizer in one directory, as the hub has it."""
    torch.manual_seed(0)
    transformers.CLIPTextModel(clip_config(width, tokens)).save_pretrained(folder)
    clip_tokenizer(folder / "raw").save_pretrained(folder)
    return folder


def write_t5(folder: Path) -> Path:
    """A T5 encoder of 24 channels that reads letters."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *LETTERS]
    unigram = models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=2)
    tokenizer = Tokenizer(unigram)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.T5Config(
        vocab_size=len(pieces), d_model=24, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    transformers.T5EncoderModel(config).save_pretrained(folder)
    return folder


def vae() -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def unet(**settings: object) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **settings,
    )  # fmt: skip


def write_stable_diffusion(folder: Path) -> Path:
    """A Stable Diffusion pipeline, as save_pretrained writes it."""
    torch.manual_seed(0)
    diffusers.StableDiffusionPipeline(
        vae=vae(), unet=unet(cross_attention_dim=16),
        text_encoder=transformers.CLIPTextModel(clip_config()),
        tokenizer=clip_tokenizer(folder / "raw"),
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder / "pipeline", safe_serialization=True)  # fmt: skip
    return folder / "pipeline"


def write_sdxl(folder: Path) -> Path:
    """An SDXL pipeline: two CLIP text encoders, size and crop in the time embedding."""
    torch.manual_seed(0)
    diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        unet=unet(
            cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 16,
        ),
        text_encoder=transformers.CLIPTextModel(clip_config()),
        text_encoder_2=transformers.CLIPTextModelWithProjection(clip_config()),
        tokenizer=clip_tokenizer(folder / "raw"), tokenizer_2=clip_tokenizer(folder / "raw"),
        scheduler=diffusers.EulerDiscreteScheduler(), add_watermarker=False,
    ).save_pretrained(folder / "pipeline", safe_serialization=True)  # fmt: skip
    return folder / "pipeline"
