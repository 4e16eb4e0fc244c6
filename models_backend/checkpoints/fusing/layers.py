"""Which layers an adapter file changes, by the names that the pipeline has for them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diffusers.utils import convert_unet_state_dict_to_peft
from diffusers.utils.state_dict_utils import DIFFUSERS_OLD_TO_PEFT, DIFFUSERS_TO_PEFT
from torch import nn

_DENOISERS = ("unet", "transformer")
_OF_A_PAIR = re.compile(r"\.lora_([AB]|magnitude_vector)(?:\.(?:weight|bias))?$")
_PAIR = {"A", "B"}
_TEXT_NAMES = DIFFUSERS_OLD_TO_PEFT | DIFFUSERS_TO_PEFT


@dataclass(frozen=True)
class Layer:
    """One layer that an adapter changes."""

    component: str
    path: str
    """Of the module in the component, with dots."""


@dataclass(frozen=True)
class FoundLayers:
    """What the names of an adapter's tensors say."""

    layers: frozenset[Layer]
    unmatched: tuple[str, ...]
    """Names, as the file has them after diffusers' conversion, that belong to no module."""
    halved: tuple[str, ...] = ()
    """Names of tensors whose counterpart, of the two that make a change, the file lacks."""


def find_layers(names: Iterable[str], parts: Mapping[str, nn.Module]) -> FoundLayers:
    """Match an adapter's tensors, named as `lora_state_dict` gives them, with modules."""
    paths = {name: dict(part.named_modules()) for name, part in parts.items()}
    halves: dict[Layer, dict[str, str]] = defaultdict(dict)
    unmatched = []
    for name in names:
        place = _place_of(name, parts)
        if place is None or place[0].path not in paths[place[0].component]:
            unmatched.append(name)
        else:
            layer, half = place
            halves[layer][half] = name
    halved = [next(iter(each.values())) for each in halves.values() if not each.keys() >= _PAIR]
    return FoundLayers(frozenset(halves), tuple(unmatched), tuple(halved))


def layer_of(name: str, parts: Mapping[str, nn.Module]) -> Layer | None:
    """Return the layer that a tensor changes, or None where its name is of no component."""
    place = _place_of(name, parts)
    return place and place[0]


def _place_of(name: str, parts: Mapping[str, nn.Module]) -> tuple[Layer, str] | None:
    """Return that layer and which of its pair the tensor is, "A" or "B"."""
    component, _, rest = name.partition(".")
    if component not in parts:
        return None
    if component in _DENOISERS:
        (rest,) = convert_unet_state_dict_to_peft({rest: None})
    else:
        rest = _text_name(rest, parts[component])
    found = _OF_A_PAIR.search(rest)
    return (Layer(component, rest[: found.start()]), found[1]) if found else None


def _text_name(name: str, encoder: nn.Module) -> str:
    for old, new in _TEXT_NAMES.items():
        if old in name:
            name = name.replace(old, new)
            break
    # diffusers does the same: this class has lost the module that older files name.
    return name if hasattr(encoder, "text_model") else name.removeprefix("text_model.")


def alphas_of(
    network_alphas: Mapping[str, Any], parts: Mapping[str, nn.Module]
) -> dict[Layer, float]:
    """Return the alpha of each layer, from what diffusers' `lora_state_dict` gives beside it.

    Raises:
        KeyError: an alpha of no layer.
    """
    found = {}
    for name, alpha in network_alphas.items():
        tensor = name.removesuffix(".alpha")
        # diffusers names some by the tensor and some by the module.
        layer = layer_of(tensor if "lora" in tensor else f"{tensor}.lora.down.weight", parts)
        if layer is None:
            raise KeyError(f"the alpha {name} belongs to no layer")
        found[layer] = float(alpha)
    return found
