"""Removing stored images that belong to no collection: of imports that were never finished."""

from collections.abc import Iterator

from django.core.files.storage import default_storage

from evalplatform.images import staging
from evalplatform.images.models import CollectedImage


def folder_of(name: str) -> str:
    """Return where in object storage the images of a collection lie."""
    return f"collections/{name}"


def remove_abandoned() -> None:
    """Remove what imports stored that nobody went on with for a week."""
    for name in staging.abandoned():
        remove_unused(name)
        staging.remove(name)


def remove_unused(name: str) -> None:
    """Remove the stored images below a collection's folder that no row has."""
    used = CollectedImage.objects.filter(collection__name=name)
    for folder in _subfolders(folder_of(name)):
        kept = set(used.filter(image__startswith=f"{folder}/").values_list("image", flat=True))
        for file in _listed(folder)[1]:
            if f"{folder}/{file}" not in kept:
                default_storage.delete(f"{folder}/{file}")


def _subfolders(folder: str) -> Iterator[str]:
    for each in sorted(_listed(folder)[0]):
        yield f"{folder}/{each}"


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
