"""Which formats are read, and which are written."""

from __future__ import annotations

from models_backend.errors import InputError
from models_backend.preferences.formats import json_sets, parquet_sets, site
from models_backend.preferences.formats.base import Importer

IMPORTERS: dict[str, Importer] = {
    "site": site.site,
    "pickapic": parquet_sets.pickapic,
    "hpdv2": json_sets.hpdv2,
    "hpdv3": json_sets.hpdv3,
    "imagereward": json_sets.imagereward,
    "open-image-preferences": parquet_sets.open_image_preferences,
    "rapidata": parquet_sets.rapidata,
    "itercomp": json_sets.itercomp,
}


def importer_named(name: str) -> Importer:
    """Return what reads a format.

    Raises:
        InputError: an unknown one.
    """
    if name not in IMPORTERS:
        raise InputError(f"{name!r} is no format that is read; accepted are {', '.join(IMPORTERS)}")
    return IMPORTERS[name]
