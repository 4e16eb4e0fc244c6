"""Reading image collections."""

from collections.abc import Collection

from django.db.models import QuerySet

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import usable_in
from evalplatform.core.errors import BadInputError
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.promptsets.models import Prompt

_PROMPTS_AT_A_TIME = 10_000  # a statement holds 65,535 values at most


def collections() -> QuerySet[ImageCollection]:
    """Return every collection, retired ones too, by name, with prompt set and people at hand."""
    return ImageCollection.objects.select_related("prompt_set", "created_by", "retired_by")


def collection_named(name: str, project: Project | None = None) -> ImageCollection:
    """Return the collection of this name, of those a project may use where one is given.

    Raises `BadInputError` listing the usable ones.
    """
    known = collections()
    collection = (usable_in(project, known) if project else known).filter(name=name).first()
    if collection is None:
        raise BadInputError(
            f"no image collection {name!r}; usable: "
            f"{', '.join(usable_collections(project)) or 'none yet'}. Import one first.",
            by_command="`manage.py import_images` does it.",
        )
    return collection


def refuse_retired_collection(collection: ImageCollection) -> None:
    """Raise `BadInputError` for a collection that no new campaign may take."""
    if collection.status == ImageCollection.Status.RETIRED:
        raise BadInputError(
            f"image collection {collection.name!r} was retired on "
            f"{collection.retired_at:%Y-%m-%d}, so no new campaign can take it; usable: "
            f"{', '.join(usable_collections(collection.project)) or 'none'}. Restore it to use it.",
            by_command=f"`manage.py retire_collection {collection.name} --restore` does it.",
        )


def images_for(
    collection: ImageCollection, prompts: Collection[Prompt]
) -> dict[int, list[CollectedImage]]:
    """Return the collection's images of each prompt, by the prompt's primary key.

    Every prompt asked for has an entry, in the order asked; its images are in the order of their
    `index` (by seed), and none where the collection has none of it.
    """
    found: dict[int, list[CollectedImage]] = {prompt.pk: [] for prompt in prompts}
    keys = list(found)
    for start in range(0, len(keys), _PROMPTS_AT_A_TIME):
        some = keys[start : start + _PROMPTS_AT_A_TIME]
        for image in collection.images.filter(prompt__in=some).order_by("position"):
            found[image.prompt_id].append(image)  # type: ignore[index]  # filtered by it
    return found


def usable_collections(project: Project | None) -> list[str]:
    """Return the names of those that a campaign may take, of every project where none is given."""
    usable = ImageCollection.objects.filter(status=ImageCollection.Status.READY)
    if project:
        usable = usable_in(project, usable)
    return list(usable.values_list("name", flat=True))
