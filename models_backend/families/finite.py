"""That what a model makes is finite: NaN or infinity becomes a black picture without a word.

Looked at once a batch, where its pictures leave the device anyway: no step waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models_backend.errors import NotFiniteError

_HALVES = (torch.float16, torch.bfloat16)


def refuse_not_finite(latents: Tensor, pixels: Tensor, modules: Sequence[nn.Module]) -> None:
    """Check a decoded batch: latents (B, ...) and pixels (B, 3, H, W) of the same images.

    Raises:
        NotFiniteError: an image holds NaN or infinity.
    """
    before, after = (torch.isfinite(each).flatten(1).all(dim=1) for each in (latents, pixels))
    finite = before & after
    if bool(finite.all()):  # the one wait
        return
    stage = "after" if bool(before.all()) else "before"
    bad = len(finite) - int(finite.sum())
    raise not_finite(bad, len(finite), modules, f" already {stage} decoding")


def not_finite(bad: int, total: int, modules: Sequence[nn.Module], where: str) -> NotFiniteError:
    """Return the error for `bad` images of `total`, which says what is at fault."""
    weight = _broken_weight(modules)
    error = NotFiniteError(
        f"{bad} of {total} images hold values that are not finite (NaN or infinity){where}: "
        f"{_what_to_do(weight, modules)}"
    )
    error.fails_its_like = weight is not None
    return error


def _broken_weight(modules: Sequence[nn.Module]) -> str | None:
    """Name the first weight that is not finite itself."""
    for module in modules:
        for name, values in (*module.named_parameters(), *module.named_buffers()):
            if values.is_floating_point() and not bool(torch.isfinite(values).all()):
                return f"{type(module).__name__} {name}"
    return None


def _what_to_do(weight: str | None, modules: Sequence[nn.Module]) -> str:
    if weight is not None:
        return (
            f"the checkpoint's weights are broken, {weight} is not finite; convert or train it "
            "again, and register that"
        )
    dtypes = {each.dtype for module in modules for each in module.parameters()}
    halves = [str(each).removeprefix("torch.") for each in _HALVES if each in dtypes]
    if halves:
        return (
            f"its weights are finite, so {halves[0]} overflows; save the checkpoint in float32, "
            "and register that"
        )
    return (
        "its weights are finite and computed with in float32; try another sampler, more steps or "
        "less guidance"
    )


class FiniteWatch:
    """Notes what a pipeline's networks give, where only finished pictures are to be had of it.

    Each note is one more small computation on the device, which nobody waits for before the end.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._finite: Tensor | None = None
        for module in modules:
            for each in _watched(module):
                each.register_forward_hook(self._note)

    def _note(self, module: nn.Module, inputs: Any, output: Any) -> None:
        values = output if isinstance(output, Tensor) else output[0]
        if isinstance(values, Tensor) and values.is_floating_point():
            finite = torch.isfinite(values).all()
            self._finite = finite if self._finite is None else self._finite & finite

    def take(self) -> bool:
        """Return whether all was finite since the last call."""
        finite, self._finite = self._finite, None
        return finite is None or bool(finite)


def _watched(module: nn.Module) -> list[nn.Module]:
    """Return what is called of a network: of an autoencoder its parts, of a denoiser itself.

    Text encoders are passed over: they may give anything where a prompt has ended.
    """
    if hasattr(module, "decode"):
        return list(module.children())
    return [module] if type(module).__module__.startswith("diffusers.") else []
