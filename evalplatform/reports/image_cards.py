"""Sets of images with what was said of them, as cards and as a page of one set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign, Criterion, ImageSet, Item, ShownImage
from evalplatform.core.components.cards import Dots, PairShown, PictureShown
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from evalplatform.reports.image_query import FoundItem
from evalplatform.tallies.folding import fold

# Dots of A and B have their colours; all others are told by their letter.
_COLOURED = {"A": "a", "B": "b"}
_MANY = 12  # dots; more are told as a number


def cards_of(
    campaign: Campaign, criterion: Criterion, found: Sequence[FoundItem], query: str
) -> list[PairShown]:
    """Return a card for each item, in three queries however many there are."""
    sets = ImageSet.objects.in_bulk([each.image_set for each in found])
    pictures = _pictures([each.image_set for each in found])
    cards = []
    for each in found:
        shown = pictures.get(each.image_set, [])
        letters = [letter for letter, _ in shown]
        address = reverse("reports:image_set", args=[campaign.slug, each.image_set])
        cards.append(
            PairShown(
                prompt=sets[each.image_set].prompt_text or "(no prompt)",
                images=[picture for _, picture in shown if picture],
                votes=dots_of(criterion, each.said, letters),
                tags=[tag for tag in (each.category, each.challenge) if tag],
                href=f"{address}?{query}" if query else address,
                note=_note(each),
            )
        )
    return cards


def _note(each: FoundItem) -> str:
    votes = f"{each.votes} of {each.wanted} votes" if each.votes else "no votes yet"
    if each.disagreement is None or each.votes < each.wanted:
        return votes
    return f"{votes}, {100 * each.disagreement:.0f} % of pairs differ"


def _pictures(sets: Iterable[int]) -> dict[int, list[tuple[str, PictureShown | None]]]:
    """Return the letter and the image of each arm by set, in the order of places."""
    shown = ShownImage.objects.filter(image_set__in=list(sets)).select_related(
        "arm", "sample", "collected"
    )
    found: dict[int, list[tuple[str, PictureShown | None]]] = {}
    for image in shown.order_by("image_set", "place"):
        letter = image.arm.letter if image.arm else ""
        # Of imported votes the images are not here.
        picture = picture_shown(image.picture, letter) if image.picture else None
        found.setdefault(image.image_set_id, []).append((letter, picture))
    return found


def picture_shown(picture: Sample | CollectedImage, letter: str) -> PictureShown:
    """Return an image as components show it, under the letter of its arm."""
    kind = "sample" if isinstance(picture, Sample) else "collected"
    return PictureShown(
        arm=letter,
        small=reverse(f"registry:{kind}_thumbnail", args=[picture.pk]),
        full=reverse(f"registry:{kind}", args=[picture.pk]),
        width=picture.width or 0,
        height=picture.height or 0,
    )


def dots_of(criterion: Criterion, said: dict[str, int], letters: Sequence[str]) -> list[Dots]:
    """Return the votes on an item by what they say, each arm's first and ties in between."""
    counts: dict[str, int] = {}
    for grades, votes in sorted(said.items()):
        name = in_words(criterion, [int(each) for each in grades.strip("{}").split(",")], letters)
        counts[name] = counts.get(name, 0) + votes
    if len(letters) == 2:
        order = [letters[0], "tie", "both", "neither", letters[1]]
        names = [name for name in order if name in counts]
    else:
        names = sorted(counts, key=lambda name: (-counts[name], name))
    return [_dots(name, counts[name]) for name in names]


def _dots(name: str, count: int) -> Dots:
    kind = _COLOURED.get(name, "tie")
    return Dots(kind, name, count) if count <= _MANY else Dots(kind, f"{name} × {count}", 1)


_GRADES_IN_WORDS = {
    "keep_reject": {2: "keep", 1: "unsure", 0: "reject"},
    "approve": {1: "approve", 0: "reject"},
    "caption": {0: "described"},
}


def in_words(criterion: Criterion, grades: Sequence[int], letters: Sequence[str]) -> str:
    """Return what grades by place say, with the arms' letters: `A`, `tie`, `B > A = C`, `4`."""
    if len(grades) == 1:
        names = _GRADES_IN_WORDS.get(criterion.form, {})
        return names.get(grades[0], str(grades[0]))
    if len(set(grades)) == 1:
        if criterion.form == "pair_both_neither":
            return "both" if grades[0] else "neither"
        return "tie"
    tiers: dict[int, list[str]] = {}
    for grade, letter in zip(grades, letters, strict=False):
        tiers.setdefault(grade, []).append(letter)
    ordered = [" = ".join(tiers[grade]) for grade in sorted(tiers, reverse=True)]
    return ordered[0] if len(grades) == 2 else " > ".join(ordered)


@dataclass(frozen=True)
class VoteShown:
    """One vote on a set, for researchers: its annotator stays a pseudonym."""

    annotator: str
    is_simulated: bool
    says: str
    kind: str  # a, b or tie, of the colour
    order: str  # the letters as they stood, from the left
    seconds: float | None
    voted_at: datetime
    zoomed: bool | None
    marks: str
    fate: str  # why it does not count; empty where it does


@dataclass(frozen=True)
class CriterionOfSet:
    """What was said of a set under one criterion."""

    criterion: Criterion
    item: Item
    votes: list[VoteShown]
    dots: list[Dots]

    @property
    def summary(self) -> str:
        """How many votes count, and how much they differ; empty where none came."""
        if not hasattr(self.item, "tally"):
            return ""
        tally = self.item.tally
        votes = f"{tally.votes} of {tally.wanted} votes count"
        if tally.disagreement is None:
            return votes
        return f"{votes}; in {100 * tally.disagreement:.0f} % of their pairs people differ"


def pictures_of(image_set: ImageSet) -> list[PictureShown]:
    """Return the images of a set, in the order of their arms."""
    return [picture for _, picture in _pictures([image_set.pk]).get(image_set.pk, []) if picture]


def criteria_of(image_set: ImageSet) -> list[CriterionOfSet]:
    """Return every vote on a set, by criterion, in the order cast; those that do not count too."""
    letters = [letter for letter, _ in _pictures([image_set.pk]).get(image_set.pk, [])]
    fold([image_set.campaign_id])
    items = image_set.items.select_related("criterion", "tally").order_by("criterion__position")
    votes: dict[int, list[VoteShown]] = {}
    stored = Vote.objects.filter(
        assignment__item__image_set=image_set, assignment__purpose="main"
    ).select_related("annotator", "exclusion", "assignment")
    by_item = {item.pk: item for item in items}
    for vote in stored.order_by("pk"):
        item = by_item[vote.assignment.item_id]
        votes.setdefault(item.pk, []).append(_vote(item.criterion, vote, letters))
    return [
        CriterionOfSet(
            item.criterion,
            item,
            votes.get(item.pk, []),
            dots_of(item.criterion, item.tally.said if hasattr(item, "tally") else {}, letters),
        )
        for item in items
    ]


def _vote(criterion: Criterion, vote: Vote, letters: Sequence[str]) -> VoteShown:
    says = in_words(criterion, vote.grades, letters)
    fate = ""
    if vote.retracted_at:
        fate = "taken back"
    elif vote.exclusion:
        fate = f"excluded: {vote.exclusion.rule}"
    return VoteShown(
        annotator=vote.annotator.pseudonym,
        is_simulated=vote.is_simulated,
        says=says,
        kind=_COLOURED.get(says, "tie"),
        order=" ".join(letters[place] for place in vote.order if place < len(letters)),
        seconds=None if vote.response_time_ms is None else vote.response_time_ms / 1000,
        voted_at=vote.voted_at,
        zoomed=vote.zoomed,
        marks=", ".join(vote.marks),
        fate=fate,
    )
