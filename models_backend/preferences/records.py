"""What a preference set is made of: pairs of images with votes, and rankings they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from models_backend.errors import InputError
from models_backend.preferences.prompts import prompt_sha256, split_of

SOURCES = ("human", "inserted", "simulated")
"""Who preferred: people, a reward model that put an image among people's, or a simulation."""
MOST_RANKED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """Two images of one prompt, and how often each was preferred under one aspect."""

    prompt: str
    aspect: str
    images: tuple[str, str]
    """SHA-256 of the two files."""
    votes: tuple[int, int]
    """How many prefer the first, and the second."""
    ties: int = 0
    models: tuple[str, str] = ("", "")
    user_id: int = 0
    """Number of the annotator; 0 where several people's votes are counted or nobody is known."""
    ranking_id: int = 0
    """Number of the ranking, vote or item it came from."""
    source: str = "human"
    weight: float = 1.0
    """How much it is believed beside others of its prompt: of inserted pairs a probability."""
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what says nothing, or nothing sensible."""
        if not self.prompt.strip():
            raise InputError(f"pair {self.ranking_id}: the prompt is empty")
        if min(*self.votes, self.ties) < 0 or self.total == 0:
            raise InputError(
                f"pair {self.ranking_id} of {self.prompt[:40]!r}: votes {self.votes}, ties "
                f"{self.ties}; accepted are counts from 0, at least one of them above"
            )
        if self.source not in SOURCES:
            raise InputError(f"source {self.source!r}: accepted are {', '.join(SOURCES)}")
        if not 0 < self.weight <= 1:
            raise InputError(f"weight {self.weight}: accepted are numbers above 0, up to 1")

    @property
    def total(self) -> int:
        """How many votes compare the two."""
        return sum(self.votes) + self.ties

    @property
    def label(self) -> float:
        """1 where the first is preferred by more, 0 where the second is, 0.5 for a tie."""
        first, second = self.votes
        return 0.5 if first == second else float(first > second)

    @property
    def share(self) -> float:
        """Share of votes for the first, a tie counting half for each: what rewards learn."""
        return (self.votes[0] + self.ties / 2) / self.total

    @property
    def sha256(self) -> str:
        """Hash of its prompt."""
        return prompt_sha256(self.prompt)

    @property
    def split(self) -> str:
        return split_of(self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRanking:
    """Images of one prompt, put in order by one person under one aspect."""

    ranking_id: int
    prompt: str
    aspect: str
    images: tuple[str, ...]
    """SHA-256 of the files, in no order."""
    ranks: tuple[int, ...]
    """Of each image: 1 is best, equal ranks are ties."""
    models: tuple[str, ...] = ()
    user_id: int = 0
    source: str = "human"
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what is no order of its images."""
        where, n = f"ranking {self.ranking_id} of {self.prompt[:40]!r}", len(self.images)
        if not 2 <= n <= MOST_RANKED:
            raise InputError(f"{where}: {n} images; accepted are 2 to {MOST_RANKED}")
        if len(self.ranks) != n or (self.models and len(self.models) != n):
            raise InputError(
                f"{where}: {n} images, {len(self.ranks)} ranks and {len(self.models)} models; "
                "give each image one"
            )
        if len(set(self.images)) < n:
            raise InputError(f"{where}: an image stands in it twice")
        if any(not isinstance(rank, int) or rank < 1 for rank in self.ranks):
            raise InputError(
                f"{where}: ranks {list(self.ranks)}; accepted are whole numbers from 1"
            )
        if self.source not in SOURCES:
            raise InputError(f"source {self.source!r}: accepted are {', '.join(SOURCES)}")

    def pairs(self) -> Iterator[PreferencePair]:
        """Yield its n (n - 1) / 2 pairs."""
        models = self.models or ("",) * len(self.images)
        for one, two in combinations(range(len(self.images)), 2):
            better, worse = self.ranks[one] < self.ranks[two], self.ranks[one] > self.ranks[two]
            yield PreferencePair(
                prompt=self.prompt,
                aspect=self.aspect,
                images=(self.images[one], self.images[two]),
                models=(models[one], models[two]),
                votes=(int(better), int(worse)),
                ties=int(not better and not worse),
                user_id=self.user_id,
                ranking_id=self.ranking_id,
                source=self.source,
                created_at=self.created_at,
            )


def ranks_of_grades(grades: Sequence[float]) -> tuple[int, ...]:
    """Return ranks, 1 is best, of grades where higher is better; equal grades are ties."""
    return tuple(1 + sum(bool(other > grade) for other in grades) for grade in grades)


def consensus(pairs: Sequence[PreferencePair]) -> list[PreferencePair]:
    """Count the votes on the same two images under the same aspect together.

    Each kind of source stays by itself: what a reward model inserted is no vote. The weight is the
    mean of the weights.
    """
    kept: dict[tuple[str, ...], PreferencePair] = {}
    sums: dict[tuple[str, ...], list[float]] = {}
    for each in pairs:
        turned = each.images[0] > each.images[1]
        first, second = each.votes[::-1] if turned else each.votes
        key = (each.sha256, each.aspect, each.source, *sorted(each.images))
        kept.setdefault(key, each)
        total = sums.setdefault(key, [0.0] * 5)
        counted = (float(first), float(second), float(each.ties), each.weight, 1.0)
        for place, value in enumerate(counted):
            total[place] += value
    found = []
    for key, pair in kept.items():
        ones, twos, ties, weight, rows = sums[key]
        turned = pair.images[0] > pair.images[1]
        votes = (int(twos), int(ones)) if turned else (int(ones), int(twos))
        found.append(
            PreferencePair(
                prompt=pair.prompt, aspect=pair.aspect, images=pair.images, models=pair.models,
                votes=votes, ties=int(ties), ranking_id=pair.ranking_id, source=pair.source,
                weight=weight / rows,
            )
        )  # fmt: skip
    return found


def cycles(pairs: Sequence[PreferencePair]) -> int:
    """Return in how many triples of images the majority goes round: a over b over c over a."""
    beats: dict[tuple[str, str], dict[str, set[str]]] = {}
    for each in consensus(pairs):
        if each.label != 0.5:
            winner, loser = each.images if each.label == 1 else each.images[::-1]
            beats.setdefault((each.sha256, each.aspect), {}).setdefault(winner, set()).add(loser)
    found = 0
    for graph in beats.values():
        for a, worse in graph.items():
            for b in worse:
                found += sum(a in graph.get(c, ()) for c in graph.get(b, ()))
    return found // 3
