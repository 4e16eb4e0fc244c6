"""Reading prompt sets."""

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import PromptSet


def prompt_set_named(reference: str) -> PromptSet:
    """Return prompt set NAME (its latest version) or NAME@VERSION."""
    name, _, version = reference.partition("@")
    found = PromptSet.objects.filter(name=name).order_by("-version")
    if version:
        found = found.filter(version=int(version)) if version.isdigit() else found.none()
    prompt_set = found.first()
    if prompt_set is None:
        known = ", ".join(str(each) for each in PromptSet.objects.all()) or "none yet"
        raise BadInputError(
            f"no prompt set {reference!r}; imported: {known}. "
            "Import one with `manage.py import_prompts NAME FILE`."
        )
    return prompt_set
