"""Which of a hub model's files make the checkpoint: one set of safetensors for each component.

A repository on a hub often holds the same weights several times: as pickle, in half precision, as
one file for other programs, for other frameworks. Only what a diffusers pipeline loads is taken.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from evalplatform.checkpoints.hub.listing import HubFile, HubModel
from evalplatform.checkpoints.verification.configs import named_components
from evalplatform.checkpoints.verification.names import ALLOWED_NAMES, ALLOWED_SUFFIXES, is_left_out
from evalplatform.checkpoints.verification.weight_files import is_weight, plain_name, variant_of
from evalplatform.core.errors import BadInputError


@dataclass(frozen=True)
class Wanted:
    """A file to bring here, and the name it has in the checkpoint."""

    file: HubFile
    saved_as: str


def choose(model: HubModel, index: dict[str, Any] | None, variant: str | None) -> list[Wanted]:
    """Return the files of the checkpoint.

    `index` is the model's checked model_index.json; None for a checkpoint that our trainer wrote,
    of which all is taken. A variant's files lose the variant in their names, so that what is
    registered is a plain pipeline; components that lack the variant are taken as they are.

    Raises `BadInputError` where a component has no safetensors, or not this variant.
    """
    allowed = [each for each in model.files.values() if _is_allowed(PurePosixPath(each.name))]
    if index is None:
        return [Wanted(each, each.name) for each in allowed]
    at_root = [each for each in allowed if "/" not in each.name and not is_weight(each.name)]
    wanted = [Wanted(each, each.name) for each in at_root]
    variants: set[str] = set()
    for component in sorted(named_components(index)):
        inside = [each for each in allowed if each.name.startswith(f"{component}/")]
        taken, found = _of_component(component, inside, variant)
        _check_has_safetensors(model, component, taken, found)
        wanted += taken
        variants |= found
    if variant and variant not in variants:
        known = ", ".join(sorted(variants - {""})) or "none"
        raise BadInputError(
            f"{model.repo} has no variant {variant!r}; its variants: {known}. Leave the variant "
            "out for the plain weights."
        )
    return wanted


def _is_allowed(path: PurePosixPath) -> bool:
    suffix = path.suffix.lower()
    return not is_left_out(path) and (suffix in ALLOWED_SUFFIXES or path.name in ALLOWED_NAMES)


def _of_component(
    component: str, files: list[HubFile], variant: str | None
) -> tuple[list[Wanted], set[str]]:
    """Return what is taken of one component's folder, and the variants found there ("": plain)."""
    others: list[Wanted] = []
    by_variant: dict[str, list[Wanted]] = {}
    for each in files:
        inner = each.name.removeprefix(f"{component}/")
        which = variant_of(inner) if "/" not in inner else None
        if which is not None:
            plain = Wanted(each, plain_name(each.name))
            by_variant.setdefault(which, []).append(plain)
        elif not is_weight(inner):
            others.append(Wanted(each, each.name))
    usable = {
        which
        for which, parts in by_variant.items()
        if any(part.saved_as.endswith(".safetensors") for part in parts)
    }
    chosen = variant if variant in usable else ""
    return others + (by_variant[chosen] if chosen in usable else []), usable


def _check_has_safetensors(
    model: HubModel, component: str, taken: list[Wanted], variants: set[str]
) -> None:
    if any(each.saved_as.endswith(".safetensors") for each in taken):
        return
    if variants:
        raise BadInputError(
            f"{model.repo}: {component} comes only as the variant {', '.join(sorted(variants))}; "
            f"choose the variant {min(variants)}.",
            by_command=f"--variant {min(variants)} does it.",
        )
    names = [name for name in model.files if name.startswith(f"{component}/")]
    if any(name.endswith((".bin", ".ckpt", ".pt", ".pth")) for name in names):
        raise BadInputError(
            f"{model.repo} has no safetensors of its {component}, only pickles, which could run "
            "code when loaded; look for a revision or a copy with safetensors."
        )
