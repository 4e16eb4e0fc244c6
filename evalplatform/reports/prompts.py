"""What a report groups votes by: facts of their prompts, as columns with one entry a prompt."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.reports.samples import read_in_full_by_all
from evalplatform.stats import Labels

STYLIZED = "stylized"

Named = Literal["prompt_set", "category", "challenge"]  # prompt_set: name@version
Marked = Literal["stylized", "read_in_full"]  # in full: by every arm, as far as is known


class Prompts:
    """The prompts of a campaign."""

    def __init__(self, campaign: Campaign) -> None:
        rows = (
            Prompt.objects.filter(prompt_set__campaigns=campaign)
            .order_by("pk")
            .values_list("pk", "position", "prompt_set", "category", "challenge", "tags")
        )
        ids, self._position, sets, categories, challenges, tags = (
            tuple(zip(*rows, strict=True)) or ((),) * 6
        )
        self._ids = np.array(ids, dtype=np.int64)
        names = {each.pk: f"{each.name}@{each.version}" for each in PromptSet.objects.filter(
            campaigns=campaign)}  # fmt: skip
        self._named = {
            "prompt_set": Labels.of(names[each] for each in sets),
            "category": Labels.of(categories),
            "challenge": Labels.of(challenges),
        }
        whole = np.fromiter(read_in_full_by_all(campaign), dtype=np.int64)
        self._marked = {
            "stylized": np.array([STYLIZED in each for each in tags], dtype=np.bool_),
            "read_in_full": np.isin(self._ids, whole),
        }

    def name(self, key: int) -> str:
        """Which prompt of which set it is, such as "things@1 #3"."""
        at = int(np.searchsorted(self._ids, key))
        sets = self._named["prompt_set"]
        return f"{sets.names[sets.codes[at]]} #{self._position[at]}"

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
        labels = self._named[fact]
        return Labels(labels.codes[self._places(votes)], labels.names)

    def _places(self, votes: AnswerColumns) -> npt.NDArray[np.int64]:
        return np.searchsorted(self._ids, votes.prompt)
