"""What a report groups votes by: facts of their prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.samples import read_in_full_by_all


@dataclass(frozen=True)
class PromptFacts:
    """What a report groups by."""

    prompt_set: str  # name@version
    category: str
    challenge: str
    tags: frozenset[str]
    read_in_full: bool  # by every arm, as far as is known
    position: int


class Prompts:
    """The prompts of a campaign by id."""

    def __init__(self, campaign: Campaign) -> None:
        rows = Prompt.objects.filter(prompt_set__campaigns=campaign).values_list(
            "pk", "prompt_set__name", "prompt_set__version", "category", "challenge", "tags",
            "position",
        )  # fmt: skip
        whole = read_in_full_by_all(campaign)
        self._facts = {
            key: PromptFacts(
                f"{name}@{version}", category, challenge, frozenset(tags), key in whole, position
            )
            for key, name, version, category, challenge, tags, position in rows
        }

    def name(self, key: int) -> str:
        """Which prompt of which set it is, such as "things@1 #3"."""
        facts = self._facts[key]
        return f"{facts.prompt_set} #{facts.position}"

    def values(self, votes: AnswerColumns, of: Callable[[PromptFacts], str]) -> list[str]:
        """The distinct values of a fact among these votes, sorted, without the empty one."""
        found = {of(self._facts[key]) for key in np.unique(votes.prompt).tolist()}
        return sorted(found - {""})

    def mask(
        self, votes: AnswerColumns, of: Callable[[PromptFacts], object], value: object
    ) -> npt.NDArray[np.bool_]:
        """Which votes are on a prompt whose fact has this value."""
        ids = [key for key, facts in self._facts.items() if of(facts) == value]
        return np.isin(votes.prompt, np.array(ids, dtype=np.int64))

    def labels(self, votes: AnswerColumns, of: Callable[[PromptFacts], str]) -> list[str]:
        """The fact of each vote's prompt."""
        ids, position = np.unique(votes.prompt, return_inverse=True)
        named = [of(self._facts[key]) for key in ids.tolist()]
        return [named[each] for each in position.tolist()]
