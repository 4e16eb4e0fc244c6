"""How much a training step keeps of an example for its backward pass: counted, not guessed.

The network is called once without memory, on torch's meta device, and what autograd would save is
added up. Attention counts as the fused kernels of a GPU and of a CPU keep it: what goes in and what
comes out. On the meta device torch would take it apart, and keep a weight for each pair of places:
at 1024 pixels that is most of all there is, and none of it is ever held.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from models_backend.configuration.tuning import LoraConfig
from models_backend.families.diffusers_pipelines.tuning.kinds import PipelineKind
from models_backend.families.diffusers_pipelines.tuning.lora import add_lora
from models_backend.nn.text_rows import TextEmbedding

_BLOCKS = ("blocks", "resnets", "attentions")


def kept_bytes(
    kind: PipelineKind,
    latent: tuple[int, ...],
    text: TextEmbedding,
    size: tuple[int, int],
    lora: LoraConfig | None,
    dtype: torch.dtype,
) -> tuple[int, int]:
    """Return the bytes that one example takes, and with gradient checkpointing.

    Checkpointed, the inputs of the blocks stay, and one block at a time is computed again: of that
    twice a block's mean share is added.

    Args:
        kind: what is tuned.
        latent: (C, h, w).
        text: of one caption.
        size: height and width of the picture in pixels.
        lora: the adapter, where one is trained.
        dtype: what is computed in.
    """
    network = kind.network
    with torch.device("meta"):
        twin: Any = type(network).from_config(network.config)
    if lora is not None:
        add_lora(twin, lora, 0)
    twin.to(device="meta", dtype=dtype)
    twin.train()
    given = text.to("meta", dtype)
    z = torch.empty((1, *latent), device="meta", dtype=dtype)
    t = torch.empty((1,), device="meta", dtype=dtype)
    whole = _saved(twin, lambda: kind.predict(twin, z, t, given, size))
    twin.enable_gradient_checkpointing()
    outside = _saved(twin, lambda: kind.predict(twin, z, t, given, size))
    return whole, min(whole, outside + 2 * whole // _blocks(twin))


def _saved(network: nn.Module, call: Any) -> int:
    """Return the bytes of what autograd saves beside the weights; shared storages count once."""
    # By storage: a linear layer saves its weight turned, which is another tensor.
    own = {p.untyped_storage()._cdata for p in network.parameters()}
    kept: dict[int, Tensor] = {}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = tensor
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    fused = mock.patch.object(F, "scaled_dot_product_attention", _fused_attention)
    with fused, saved_tensors_hooks(pack, lambda tensor: tensor):
        said = call()
    del said
    return sum(sizes.values())


class _FusedAttention(torch.autograd.Function):
    """Attention as a fused kernel saves it; on the meta device, where there is nothing to compute.

    Each tensor is (B, heads, places, width).
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = query.new_empty((*query.shape[:-1], value.shape[-1]))
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, sums)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotImplementedError("it only counts")


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    out: Tensor = _FusedAttention.apply(query, key, value)
    return out


def _blocks(network: nn.Module) -> int:
    lists = (
        module for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2].endswith(_BLOCKS)
    )  # fmt: skip
    return max(2, sum(len(each) for each in lists))
