"""The prompts that votes speak of: those of a set that is there, or a new set of the texts."""

import hashlib
import json
from abc import ABC, abstractmethod

from evalplatform.accounts.models import Project
from evalplatform.core.copy_in import copy_in, reserve_ids
from evalplatform.images.faults import RowError
from evalplatform.images.matching import PromptMatcher
from evalplatform.imports.faults import BadRowError
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.services import refuse_another_licence, versions_of


class NumberedPrompts(ABC):
    """Numbers prompts as they come, and knows their rows in the end."""

    @abstractmethod
    def code(self, text: str | None, key: str | None) -> int:
        """Return the number of the prompt that is meant. Raises `BadRowError`."""

    @abstractmethod
    def stored(self) -> tuple[PromptSet, list[tuple[int, str]]]:
        """Return their set, and by number each one's primary key and text."""


class KnownPrompts(NumberedPrompts):
    """Prompts of a set that is there, by text or key."""

    def __init__(self, prompt_set: PromptSet) -> None:
        self._set = prompt_set
        self._matcher = PromptMatcher(prompt_set.prompts.all())
        self._codes: dict[int, int] = {}
        self._found: list[tuple[int, str]] = []

    def code(self, text: str | None, key: str | None) -> int:
        # Keys are often written with zeros before them.
        plain = key.lstrip("0") or "0" if key and key.isascii() and key.isdigit() else key
        try:
            prompt = self._matcher.find(text=text, key=plain)
        except RowError as error:
            raise BadRowError("unmatched", f"{error} in {self._set}") from None
        code = self._codes.setdefault(prompt.pk, len(self._codes))
        if code == len(self._found):
            self._found.append((prompt.pk, prompt.text))
        return code

    def stored(self) -> tuple[PromptSet, list[tuple[int, str]]]:
        return self._set, self._found


class NewPrompts(NumberedPrompts):
    """A set of the texts that the file has; where it has keys alone, these are the texts."""

    def __init__(self, project: Project, name: str, source: str, licence: str) -> None:
        self._project = project
        self._name, self._source, self._licence = name, source, licence
        self._codes: dict[str, int] = {}

    def code(self, text: str | None, key: str | None) -> int:
        return self._codes.setdefault(text or key or "", len(self._codes))

    def stored(self) -> tuple[PromptSet, list[tuple[int, str]]]:
        """Store the set, or take the one of this name that has the same texts.

        Raises `BadInputError` where that has another licence than the one that was given.
        """
        texts = list(self._codes)
        digest = hashlib.sha256()
        for text in texts:
            digest.update(f"{json.dumps(text, ensure_ascii=False)}\n".encode())
        sets = versions_of(self._project, self._name)
        there = sets.filter(sha256=digest.hexdigest()).first()
        if there:
            refuse_another_licence(there, self._licence)
            known = dict(there.prompts.values_list("text", "pk"))
            return there, [(known[text], text) for text in texts]
        latest = sets.order_by("-version").first()
        prompt_set = PromptSet.objects.create(
            project=self._project,
            name=self._name,
            version=latest.version + 1 if latest else 1,
            sha256=digest.hexdigest(),
            source=self._source,
            licence=self._licence,
        )
        keys = reserve_ids(Prompt, len(texts))
        copy_in(
            Prompt,
            ("id", "prompt_set_id", "position", "text", "category", "challenge", "note", "tags"),
            (
                (key, prompt_set.pk, position, text, "", "", "", [])
                for position, (key, text) in enumerate(zip(keys, texts, strict=True))
            ),
        )
        return prompt_set, list(zip(keys, texts, strict=True))
