"""Writes the pipeline of `tiny.save_tiny_pipeline`. Usage: FOLDER SEED SHAPE, a JSON object."""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

folder, seed, shape = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
half = torch.float16 if shape["half"] else torch.float32
torch.manual_seed(seed)
letters = [chr(code) for code in range(33, 127)]
tokens = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
words = folder.parent / f"words-{seed}"
words.mkdir()
(words / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
(words / "merges.txt").write_text("#version: 0.2\n")
tokenizer = CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=16)
text = CLIPTextModel(
    CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=shape["text"],
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        max_position_embeddings=16,
        projection_dim=32,
        bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1,
        pad_token_id=len(tokens) - 1,
    )
)
unet = UNet2DConditionModel(
    sample_size=shape["latent"],
    block_out_channels=shape["unet"],
    layers_per_block=shape["layers"],
    cross_attention_dim=shape["text"],
    attention_head_dim=shape["heads"],
    norm_num_groups=8,
    down_block_types=["DownBlock2D"] + ["CrossAttnDownBlock2D"] * (len(shape["unet"]) - 1),
    up_block_types=["CrossAttnUpBlock2D"] * (len(shape["unet"]) - 1) + ["UpBlock2D"],
)
blocks = len(shape["vae"])
vae = AutoencoderKL(
    block_out_channels=shape["vae"],
    down_block_types=("DownEncoderBlock2D",) * blocks,
    up_block_types=("UpDecoderBlock2D",) * blocks,
    latent_channels=4,
    norm_num_groups=8,
    sample_size=shape["latent"] * 2 ** (blocks - 1),
)
StableDiffusionPipeline(
    vae=vae,
    text_encoder=text,
    tokenizer=tokenizer,
    unet=unet,
    scheduler=DDIMScheduler(),
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
).to(half).save_pretrained(folder, safe_serialization=True)
