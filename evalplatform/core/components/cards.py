"""Cards: the answer of one criterion, and a set of images with its votes."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalplatform.core.components.figures import BarPart, ForestRow


@dataclass(frozen=True)
class AnswerCard:
    """What one criterion's votes say: a sentence, the estimates, and how far to trust them."""

    title: str
    question: str
    sentence: str
    leader: str = ""  # letter of the arm that is preferred to all others
    rows: list[ForestRow] = field(default_factory=list)  # on all prompts first, parts indented
    scale: str = "net"  # strength or grade
    ends: tuple[float, float] | None = None  # of grades
    bar: list[BarPart] = field(default_factory=list)
    bar_title: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    early: str = ""  # what may be said before all votes are in
    early_title: str = "Voting is not finished"
    notes: list[str] = field(default_factory=list)
    stamp: str = ""  # of simulated or imported votes
    href: str = ""  # the full results


@dataclass(frozen=True)
class PictureShown:
    """One image of a set: its arm's letter, and where its thumbnail and itself are."""

    arm: str
    small: str
    full: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Dots:
    """Votes of one kind on a set: `kind` is a, tie or b."""

    kind: str
    name: str
    count: int

    @property
    def each(self) -> range:
        return range(self.count)


@dataclass(frozen=True)
class PairShown:
    """A set of images with what was said of it."""

    prompt: str
    images: list[PictureShown]
    votes: list[Dots] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)  # category, challenge …
    href: str = ""  # the set's own page
    note: str = ""

    @property
    def votes_in_words(self) -> str:
        return ", ".join(f"{each.count} {each.name}" for each in self.votes if each.count)


@dataclass(frozen=True)
class StepShown:
    """One step of a stepper; `state` is done, now or next."""

    name: str
    state: str
    note: str = ""
    href: str = ""
