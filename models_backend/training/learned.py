"""What of a module is trained: all of it, or an adapter whose base is frozen."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def learned_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that a gradient changes, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def is_whole(module: nn.Module) -> bool:
    """Whether every parameter is trained."""
    return all(p.requires_grad for p in module.parameters())


def learned_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the module's state without what is frozen: a base of gigabytes is where it was."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def load_learned(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take what :func:`learned_state` returned.

    Raises:
        RuntimeError: names or shapes are others, as `load_state_dict` says it.
    """
    found = module.load_state_dict(state, strict=is_whole(module))
    if found.unexpected_keys or learned_state(module).keys() - state.keys():
        raise RuntimeError(f"it holds {len(state)} tensors of another network")
