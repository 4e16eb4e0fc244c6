"""How much a training step keeps of an example for its backward pass: counted, not guessed.

The network is called once without memory, on torch's meta device, and what autograd would save is
added up.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from models_backend.configuration.tuning import LoraConfig
from models_backend.families.diffusers_pipelines.tuning.kinds import Kind
from models_backend.families.diffusers_pipelines.tuning.lora import add_lora
from models_backend.nn.text_rows import TextEmbedding

_BLOCKS = ("blocks", "resnets", "attentions")


def kept_bytes(
    kind: Kind,
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
    own = {id(p) for p in network.parameters()}
    kept: dict[int, Tensor] = {}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if id(tensor) not in own and not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage._cdata] = tensor
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        said = call()
    del said
    return sum(sizes.values())


def _blocks(network: nn.Module) -> int:
    lists = (
        module for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2].endswith(_BLOCKS)
    )  # fmt: skip
    return max(2, sum(len(each) for each in lists))
