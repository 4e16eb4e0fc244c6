"""Reading prompt sets."""

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import usable_in
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import PromptSet


def prompt_set_named(reference: str, project: Project) -> PromptSet:
    """Return prompt set NAME (its latest version) or NAME@VERSION that a project may use.

    Raises `BadInputError` listing those it may.
    """
    name, _, version = reference.partition("@")
    usable = usable_in(project, PromptSet.objects.all())
    found = usable.filter(name=name).order_by("-version")
    if version:
        is_number = version.isascii() and version.isdigit() and len(version) < 9
        found = found.filter(version=int(version)) if is_number else found.none()
    prompt_set = found.first()
    if prompt_set is None:
        known = ", ".join(str(each) for each in usable) or "none yet"
        raise BadInputError(
            f"no prompt set {reference[:100]!r}; imported: {known}. Import one first.",
            by_command="`manage.py import_prompts NAME FILE` does it.",
        )
    return prompt_set
