"""What an owner may share with all projects: checkpoints, prompt sets, image collections."""

from dataclasses import dataclass

from django.db import transaction

from evalplatform.accounts.models import Project, Shareable
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import PromptSet

_KINDS: dict[str, type[Shareable]] = {
    "checkpoint": Checkpoint,
    "prompt set": PromptSet,
    "collection": ImageCollection,
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True)
class ShareableRow:
    """One row that can be shared, and the words that name it: NAME, or NAME@VERSION."""

    kind: str
    reference: str
    is_shared: bool


def shareables_of(project: Project) -> list[ShareableRow]:
    """Return what a project holds that can be shared, by kind and name."""
    return [
        ShareableRow(kind, str(row), row.is_shared)
        for kind, model in _KINDS.items()
        for row in model._default_manager.filter(project=project)
    ]


def set_shared(*, project: Project, kind: str, reference: str, is_shared: bool) -> Shareable:
    """Let all projects read and use one row of a project, or no longer; return it.

    What was made of it in other projects stays. Raises `BadInputError` for what the project does
    not hold, and where a shared collection would show prompts that are not shared.
    """
    model = _KINDS.get(kind)
    if model is None:
        raise BadInputError(f"{kind[:20]!r} is not one of {', '.join(_KINDS)}.")
    with transaction.atomic():
        rows = model._default_manager.select_for_update().filter(project=project)
        row = next((each for each in rows if str(each) == reference), None)
        if row is None:
            raise BadInputError(f"{project} holds no {kind} {reference[:120]!r}.")
        _check_prompts(row, is_shared)
        row.is_shared = is_shared
        row.save(update_fields=["is_shared"])
    return row


def _check_prompts(row: Shareable, is_shared: bool) -> None:
    prompts = row.prompt_set if isinstance(row, ImageCollection) and is_shared else None
    if prompts and not prompts.is_shared:
        raise BadInputError(f"{row} shows the prompts of {prompts}; share that prompt set first.")
    if isinstance(row, PromptSet) and not is_shared:
        showing = ImageCollection.objects.filter(prompt_set=row, is_shared=True).first()
        if showing:
            raise BadInputError(
                f"the shared collection {showing} shows the prompts of {row}; stop sharing that "
                "first."
            )
