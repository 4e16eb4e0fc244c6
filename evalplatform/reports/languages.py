"""In which languages the question was read, and what those who read it in each prefer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import get_language_info

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns, language_of
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.stats_votes import of_criterion, pair_votes

KIND = "language"


@dataclass(frozen=True)
class LanguageVotes:
    """The votes that count of those who read the question in one language.

    `language` is its code; empty where votes were imported, of which it is not known.
    """

    language: str
    votes: int
    annotators: int

    @property
    def name(self) -> str:
        """Its name in English."""
        return name_of(self.language)

    @property
    def in_words(self) -> str:
        return f"{self.name} ({self.votes:,} vote{'' if self.votes == 1 else 's'})"


@dataclass(frozen=True)
class LanguageResult:
    """One criterion as read in one language; all of a criterion are one family of tests."""

    criterion: str
    criterion_label: str
    test: stats.GroupTest

    @property
    def name(self) -> str:
        """The language's name in English."""
        return name_of(self.test.name)


def name_of(code: str) -> str:
    """Return a language's name in English; one that is not known by its code."""
    try:
        return str(get_language_info(code)["name"])
    except KeyError:
        return code or "unknown"


def language_votes(campaign: Campaign, table: AnswerColumns) -> list[LanguageVotes]:
    """Return how many votes were read in each language, the most first."""
    labels = _codes(campaign, table)
    found = []
    for code, language in enumerate(labels.names):
        mine = table.annotator[labels.codes == code]
        found.append(LanguageVotes(language, len(mine), len(np.unique(mine))))
    return sorted(found, key=lambda each: (-each.votes, each.language))


def language_results(campaign: Campaign, duels: AnswerColumns) -> Iterator[LanguageResult]:
    """Yield win rates of pairs of two arms by language, where there is more than one.

    `duels`: the votes on criteria that ask for such pairs. What a language has too few prompts or
    readers for, its test says.
    """
    for criterion in campaign.criteria.all():
        votes = of_criterion(duels, criterion)
        if not len(votes):
            continue
        codes = _codes(campaign, votes)
        if len(codes.names) < 2:
            continue
        for test in stats.group_tests(pair_votes(votes), {KIND: codes}):
            yield LanguageResult(criterion.slug, criterion.label, test)


def languages_json(languages: list[LanguageVotes]) -> list[dict[str, Any]]:
    return [
        {"language": each.language or None, "votes": each.votes, "annotators": each.annotators}
        for each in languages
    ]


def _codes(campaign: Campaign, table: AnswerColumns) -> stats.Labels:
    """The language of each vote: of a question as it was written, the one it was written in."""
    written = "" if campaign.imported_from else campaign.checked_rules.annotation.language
    packed, codes = np.unique(table.language, return_inverse=True)
    names = [language_of(int(each)) or written for each in packed]
    kept = list(dict.fromkeys(names))
    places = np.array([kept.index(name) for name in names], dtype=np.int64)
    return stats.Labels(places[codes] if len(packed) else codes.astype(np.int64), tuple(kept))
