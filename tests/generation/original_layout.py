"""Tiny pipelines as one file in the layouts that the authors of SD, SDXL and SD3 used.

Written by hand for the tiny networks: a block of two levels with one layer each. Names as in
https://github.com/CompVis/latent-diffusion (UNetModel, AutoencoderKL) and
https://github.com/mlfoundations/open_clip (TextTransformer) and
https://github.com/Stability-AI/sd3.5 (MMDiTX), the other way round than
diffusers reads them.
"""

import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

Tensors = dict[str, np.ndarray]

# Where a level's layer stands in the list of input or output blocks.
_UNET = {
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "down_blocks.1.attentions.0": "input_blocks.3.1",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip


def save_single_file(pipeline: Path, file: Path, parts: tuple[str, ...] = ()) -> Path:
    """Write the weights of a tiny pipeline's `parts` (default: all) into one file."""
    is_xl = (pipeline / "text_encoder_2").is_dir()
    makers = {"unet": _unet, "vae": _vae, "transformer": _mmdit}
    if is_xl:
        makers |= {"text_encoder": _text_encoder_of_xl, "text_encoder_2": _open_clip}
    else:
        makers |= {"text_encoder": _text_encoder}
    tensors: Tensors = {}
    for part in parts or tuple(part for part in makers if (pipeline / part).is_dir()):
        (weights,) = (pipeline / part).glob("*.safetensors")
        tensors |= makers[part](load_file(weights))
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, file)
    return file


def save_configurations(pipeline: Path, folder: Path, weights_of: tuple[str, ...] = ()) -> Path:
    """Copy a pipeline without its weights, but for those of the named parts."""

    def left_out(directory: str, names: list[str]) -> list[str]:
        kept = Path(directory).name in weights_of
        return [] if kept else [name for name in names if name.endswith(".safetensors")]

    shutil.copytree(pipeline, folder, ignore=left_out)
    return folder


def _unet(weights: Tensors) -> Tensors:
    made = {}
    for name, value in weights.items():
        begin = next(each for each in _UNET if name.startswith(f"{each}."))
        rest = name.removeprefix(begin)
        if ".resnets." in begin:
            part = next(each for each in _RESNET if rest.startswith(f".{each}."))
            rest = rest.replace(part, _RESNET[part], 1)
        made[f"model.diffusion_model.{_UNET[begin]}{rest}"] = value
    return made


def _vae(weights: Tensors, levels: int = 2) -> Tensors:
    made = {}
    for name, value in weights.items():
        name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample.", name)
        for up in re.findall(r"up_blocks\.(\d)", name):
            level = levels - 1 - int(up)
            name = name.replace(f"up_blocks.{up}.resnets.", f"up.{level}.block.")
            name = name.replace(f"up_blocks.{up}.upsamplers.0.", f"up.{level}.upsample.")
        name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        for number in (0, 1):
            name = name.replace(f"mid_block.resnets.{number}", f"mid.block_{number + 1}")
        if ".mid_block.attentions.0." in name:
            for ours, theirs in _ATTENTION.items():
                name = name.replace(f".{ours}.", f".{theirs}.")
            name = name.replace("mid_block.attentions.0", "mid.attn_1")
            if value.ndim == 2:
                value = value[:, :, None, None]  # a convolution of one pixel
        made[f"first_stage_model.{name}"] = value
    return made


def _text_encoder(weights: Tensors, begin: str = "cond_stage_model.") -> Tensors:
    return {
        f"{begin}transformer.text_model.{name.removeprefix('text_model.')}": value
        for name, value in weights.items()
    }


def _text_encoder_of_xl(weights: Tensors) -> Tensors:
    return _text_encoder(weights, "conditioner.embedders.0.")


_OPEN_CLIP = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_OPEN_CLIP_LAYER = {
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
}  # fmt: skip


def _open_clip(weights: Tensors) -> Tensors:
    """Queries, keys and values lie in one tensor there; the projection is transposed."""
    plain = {name.removeprefix("text_model."): value for name, value in weights.items()}
    made = {"text_projection": plain.pop("text_projection.weight").T}
    made |= {theirs: plain.pop(ours) for ours, theirs in _OPEN_CLIP.items()}
    for name in sorted(plain):
        _, _, layer, part = name.split(".", 3)
        begin, kind = f"transformer.resblocks.{layer}.", name.rpartition(".")[2]
        if part.startswith("self_attn.q_proj"):
            three = [plain[name.replace("q_proj", each)] for each in ("q_proj", "k_proj", "v_proj")]
            made[f"{begin}attn.in_proj_{kind}"] = np.concatenate(three)
        elif not part.startswith(("self_attn.k_proj", "self_attn.v_proj")):
            made[f"{begin}{_OPEN_CLIP_LAYER[part.rpartition('.')[0]]}.{kind}"] = plain[name]
    return {f"conditioner.embedders.1.model.{name}": value for name, value in made.items()}


_MMDIT = {
    "pos_embed.pos_embed": "pos_embed",
    "pos_embed.proj.": "x_embedder.proj.",
    "time_text_embed.timestep_embedder.linear_1.": "t_embedder.mlp.0.",
    "time_text_embed.timestep_embedder.linear_2.": "t_embedder.mlp.2.",
    "time_text_embed.text_embedder.linear_1.": "y_embedder.mlp.0.",
    "time_text_embed.text_embedder.linear_2.": "y_embedder.mlp.2.",
    "context_embedder.": "context_embedder.",
    "proj_out.": "final_layer.linear.",
    "norm_out.linear.": "final_layer.adaLN_modulation.1.",
    ".attn.to_out.0.": ".x_block.attn.proj.",
    ".attn.to_add_out.": ".context_block.attn.proj.",
    ".norm1.linear.": ".x_block.adaLN_modulation.1.",
    ".norm1_context.linear.": ".context_block.adaLN_modulation.1.",
    ".ff.net.0.proj.": ".x_block.mlp.fc1.",
    ".ff.net.2.": ".x_block.mlp.fc2.",
    ".ff_context.net.0.proj.": ".context_block.mlp.fc1.",
    ".ff_context.net.2.": ".context_block.mlp.fc2.",
}
_MMDIT_QKV = {
    "attn.to_q": ("x_block", "attn.to_k", "attn.to_v"),
    "attn.add_q_proj": ("context_block", "attn.add_k_proj", "attn.add_v_proj"),
}


def _mmdit(weights: Tensors) -> Tensors:
    """Queries, keys and values in one tensor; where diffusers has (scale, shift), (shift, scale).

    That is the last norm, and of the last block the context's.
    """
    last = max(int(name.split(".")[1]) for name in weights if name.startswith("transformer_blocks"))
    swapped = ("norm_out.linear.", f"transformer_blocks.{last}.norm1_context.linear.")
    made = {}
    for name, value in weights.items():
        if name.startswith(swapped):
            value = np.concatenate(np.split(value, 2)[::-1])
        if any(part in name for part in (".to_k.", ".to_v.", ".add_k_proj.", ".add_v_proj.")):
            continue
        new = name.replace("transformer_blocks.", "joint_blocks.")
        for query, (block, *others) in _MMDIT_QKV.items():
            if query in name:
                value = np.concatenate([value, *(weights[name.replace(query, o)] for o in others)])
                new = new.replace(query, f"{block}.attn.qkv")
        old = next((each for each in _MMDIT if each in name and "attn.qkv" not in new), None)
        if old is not None:
            new = new.replace(old, _MMDIT[old])
        made[f"model.diffusion_model.{new}"] = value
    return made
