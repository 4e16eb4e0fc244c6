"""What a report groups votes by: facts of their prompts, as columns with one entry a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.reports.samples import read_in_full_by_all
from evalplatform.stats import Labels

STYLIZED = "stylized"
ALL_PROMPTS = "all prompts"
_STYLIZED_OF = f" ({STYLIZED})"

Named = Literal["prompt_set", "category", "challenge"]  # prompt_set: name@version
Marked = Literal["stylized", "read_in_full"]  # in full: by every arm, as far as is known
GROUPS: tuple[Named, ...] = ("category", "challenge")  # by which preferences are tested


def stylized_of(prompt_set: str) -> str:
    """Return what the stylized part of a set is called in results: "emu@1 (stylized)"."""
    return prompt_set + _STYLIZED_OF


def row_name(prompts: str, depth: int) -> str:
    """Return what tables of papers call a group of prompts: All, and Stylized within it."""
    if depth == 0:
        return "All"
    return STYLIZED.capitalize() if prompts.endswith(_STYLIZED_OF) else prompts


def row_note(prompts: str, depth: int) -> str:
    """Return which prompts All is of, where that is one set; else nothing."""
    return prompts if depth == 0 and prompts != ALL_PROMPTS else ""


def image_filter(prompts: str, depth: int) -> dict[str, str] | None:
    """Return the filter of the Images tab that shows a group; None where no filter does."""
    if depth == 0:
        return {}
    prompt_set = prompts.removesuffix(_STYLIZED_OF)
    if "@" not in prompt_set:
        return None  # those that every arm read in full
    of_set = {"prompt_set": prompt_set}
    return of_set if prompt_set == prompts else of_set | {"tag": STYLIZED}


class PromptFacts(NamedTuple):
    """One prompt of a campaign; `prompt_set` is name@version."""

    id: int
    position: int
    prompt_set: str
    category: str
    challenge: str
    tags: tuple[str, ...]
    read_in_full: bool  # by every arm, as far as is known


class Prompts:
    """The prompts of a campaign."""

    def __init__(self, campaign: Campaign) -> None:
        self._take(prompt_facts(campaign))

    @classmethod
    def of(cls, facts: Iterable[PromptFacts]) -> Prompts:
        """Return these prompts, in the order of their ids."""
        made = cls.__new__(cls)
        made._take(facts)
        return made

    def _take(self, facts: Iterable[PromptFacts]) -> None:
        columns = tuple(zip(*facts, strict=True)) or ((),) * len(PromptFacts._fields)
        ids, positions, prompt_sets, categories, challenges, tags, read_in_full = columns
        self._ids = np.array(ids, dtype=np.int64)
        self._position = np.array(positions, dtype=np.int64)
        self._named = {
            "prompt_set": Labels.of(prompt_sets),
            "category": Labels.of(categories),
            "challenge": Labels.of(challenges),
        }
        self._marked = {
            "stylized": np.array([STYLIZED in each for each in tags], dtype=np.bool_),
            "read_in_full": np.array(read_in_full, dtype=np.bool_),
        }

    def names(self, keys: npt.NDArray[np.int64]) -> list[str]:
        """Which prompt of which set each is, such as "things@1 #3"."""
        at = np.searchsorted(self._ids, keys)
        sets = self._named["prompt_set"]
        places = zip(sets.codes[at].tolist(), self._position[at].tolist(), strict=True)
        return [f"{sets.names[code]} #{position}" for code, position in places]

    def values(self, votes: AnswerColumns, fact: Named) -> list[str]:
        """The distinct values of a fact among these votes, sorted, without the empty one."""
        labels = self.labels(votes, fact)
        return sorted({labels.names[code] for code in np.unique(labels.codes)} - {""})

    def mask(self, votes: AnswerColumns, fact: Named, value: str) -> npt.NDArray[np.bool_]:
        """Which votes are on a prompt whose fact has this value."""
        labels = self.labels(votes, fact)
        mask: npt.NDArray[np.bool_] = labels.codes == labels.names.index(value)
        return mask

    def marked(self, votes: AnswerColumns, mark: Marked) -> npt.NDArray[np.bool_]:
        """Which votes are on a prompt that is marked so."""
        return self._marked[mark][self._places(votes)]

    def labels(self, votes: AnswerColumns, fact: Named) -> Labels:
        """The fact of each vote's prompt."""
        return self.labels_of(votes.prompt, fact)

    def labels_of(self, keys: npt.NDArray[np.int64], fact: Named) -> Labels:
        """The fact of each prompt by its key."""
        labels = self._named[fact]
        return Labels(labels.codes[np.searchsorted(self._ids, keys)], labels.names)

    def _places(self, votes: AnswerColumns) -> npt.NDArray[np.int64]:
        return np.searchsorted(self._ids, votes.prompt)


def prompt_facts(campaign: Campaign) -> list[PromptFacts]:
    """Read the prompts of a campaign, in the order of their ids."""
    names = {
        each.pk: f"{each.name}@{each.version}"
        for each in PromptSet.objects.filter(campaigns=campaign)
    }
    whole = read_in_full_by_all(campaign)
    rows = (
        Prompt.objects.filter(prompt_set__campaigns=campaign)
        .order_by("pk")
        .values_list("pk", "position", "prompt_set", "category", "challenge", "tags")
    )
    return [
        PromptFacts(key, position, names[of], category, challenge, tuple(tags), key in whole)
        for key, position, of, category, challenge, tags in rows
    ]
