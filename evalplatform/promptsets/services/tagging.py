"""Other tags: a new version of a prompt set, so that what stands on the old one never changes."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.lines import is_stylized
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.wordlists import read_words
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.prompts import LONGEST_LABEL, PromptRow
from evalplatform.promptsets.reading.words import shown
from evalplatform.promptsets.services.importing import store_prompts, versions_of

STYLIZED = "stylized"


def tag_by_rule(*, prompt_set: PromptSet) -> PromptSet:
    """Tag as stylized what our words say, and nothing else; return the version with these tags."""
    recipe = Recipe()
    return _with_tags(
        prompt_set,
        lambda prompt: _changed(prompt.tags, STYLIZED, is_stylized(prompt.text, recipe)),
        {"rule": STYLIZED, "words_sha256": read_words(recipe.stylized).sha256},
    )


def tag_by_hand(
    *, prompt_set: PromptSet, tag: str, positions: Sequence[int], add: bool, by: str
) -> PromptSet:
    """Give a tag to the prompts at these positions, or take it; return the version with it.

    Raises `BadInputError` for a tag that is none, and positions that no prompt has.
    """
    tag = tag.strip()
    if not tag or len(tag) > LONGEST_LABEL or "," in tag or not tag.isprintable():
        raise BadInputError(
            f"{shown(tag)} cannot be a tag; give 1 to {LONGEST_LABEL} letters without a comma."
        )
    chosen = set(positions)
    known = set(prompt_set.prompts.values_list("position", flat=True))
    if not chosen:
        raise BadInputError("choose at least one prompt of this set.")
    if unknown := chosen - known:
        raise BadInputError(
            f"position {min(unknown)} is none of {prompt_set}; its prompts have the positions 0 to "
            f"{max(known, default=0)}."
        )
    return _with_tags(
        prompt_set,
        lambda prompt: (
            _changed(prompt.tags, tag, add) if prompt.position in chosen else prompt.tags
        ),
        {"tag": tag, "added" if add else "taken": len(chosen), "by": by},
    )


def count_stylized(prompt_set: PromptSet) -> int:
    """Return how many prompts of a set our words call stylized."""
    recipe = Recipe()
    return sum(
        is_stylized(text, recipe) for text in prompt_set.prompts.values_list("text", flat=True)
    )


def _changed(tags: Sequence[str], tag: str, has: bool) -> list[str]:
    if has == (tag in tags):
        return list(tags)
    return [*tags, tag] if has else [each for each in tags if each != tag]


def _with_tags(
    prompt_set: PromptSet, tags_of: Callable[[Prompt], Sequence[str]], how: dict[str, Any]
) -> PromptSet:
    prompts = list(prompt_set.prompts.all())
    rows = [
        PromptRow(each.text, each.category, each.challenge, each.note, list(tags_of(each)))
        for each in prompts
    ]
    if [row.tags for row in rows] == [each.tags for each in prompts]:
        return prompt_set
    digest = hashlib.sha256("".join(as_jsonl(rows)).encode()).hexdigest()
    with transaction.atomic():
        versions = versions_of(prompt_set.project, prompt_set.name)
        same = versions.filter(sha256=digest).first()
        if same:
            return same
        latest = versions.order_by("-version")[0]
        made = PromptSet.objects.create(
            project=prompt_set.project,
            name=prompt_set.name,
            version=latest.version + 1,
            sha256=digest,
            source=prompt_set.source,
            licence=prompt_set.licence,
            is_shared=prompt_set.is_shared,
            recipe={**(prompt_set.recipe or {}), "made_from": str(prompt_set), "tagging": how},
        )
        store_prompts(made, rows)
    return made


def as_jsonl(rows: Sequence[PromptRow]) -> list[str]:
    """Return a set's prompts as lines that `import_prompts` reads again to the byte."""
    return [
        json.dumps(
            {"prompt": each.text, "category": each.category, "challenge": each.challenge,
             "note": each.note, "tags": each.tags},
            ensure_ascii=False,
        ) + "\n"
        for each in rows
    ]  # fmt: skip
