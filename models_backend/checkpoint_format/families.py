"""Which families of models there are, by name, each with the place of its class.

A class is named as "module:class" and imported where it is asked for (`families.registry`), so that
whoever only needs the names loads no torch.
"""

from functools import cache
from importlib.metadata import entry_points

from models_backend.checkpoint_format.layout import Layout

TUNED_PIPELINE = "tuned_pipeline"
"""A diffusers pipeline that was tuned here: `metadata.json` lies beside its index."""

FAMILIES: dict[str, str] = {
    "latent_diffusion": "models_backend.families.latent_diffusion.model:LatentDiffusion",
    "masked_transformer": "models_backend.families.masked_transformer.model:MaskedTransformer",
    "pixel_diffusion": "models_backend.families.pixel_diffusion.model:PixelDiffusion",
    TUNED_PIPELINE: "models_backend.families.diffusers_pipelines.tuned:TunedPipeline",
}
"""Families that `metadata.json` may name. A new one is a line here, or an entry point."""

LAYOUT_FAMILIES: dict[Layout, str] = {
    Layout.DIFFUSERS_PIPELINE: (
        "models_backend.families.diffusers_pipelines.pipeline:DiffusersPipeline"
    ),
    Layout.SINGLE_FILE: (
        "models_backend.families.diffusers_pipelines.single_file:SingleFilePipeline"
    ),
}
"""Families of the layouts that have no `metadata.json`; each is called as its layout."""

ENTRY_POINTS = "models_backend.families"
"""The group of entry points in which an installed package declares families of its own."""


def trained_families() -> dict[str, str]:
    """Return all families that `metadata.json` may name; our own names cannot be taken."""
    return _brought() | FAMILIES


@cache
def _brought() -> dict[str, str]:
    """Return what installed packages declare: a walk over them all, of several milliseconds."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
