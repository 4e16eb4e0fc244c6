"""Finding items of a campaign by what their images are and what was said of them.

Everything is asked of the database: filters and order stand in one statement over the tallies, and
a page begins after the last item of the one before, however far down that is.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import connection
from django.http import QueryDict

from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.promptsets.models import PromptSet
from evalplatform.tallies.folding import fold

PER_PAGE = 48
_KEPT_SECONDS = 7 * 24 * 3600
_LONGEST = 200  # characters of what is searched
_DIVIDED = 0.5  # of pairs of votes that differ

# What was said, by name: label, and the condition on `t`, the item's tally. Of two arms alone
# there is an A and a B.
OUTCOMES: dict[str, tuple[str, str]] = {
    "a": ("A preferred", "t.votes > 0 AND t.points[1] > 0"),
    "tied": ("neither preferred", "t.votes > 0 AND t.points[1] = 0"),
    "b": ("B preferred", "t.votes > 0 AND t.points[1] < 0"),
    "ties": ("with a vote for a tie", "t.ties > 0"),
    "agreed": ("everybody agrees", "t.votes > 1 AND t.disagreement = 0"),
    "divided": ("people are divided", f"t.votes > 1 AND t.disagreement >= {_DIVIDED}"),
    "complete": ("all votes in", "t.votes >= t.wanted"),
    "incomplete": ("votes missing", "coalesce(t.votes, 0) < %(k)s"),
    "none": ("no votes yet", "coalesce(t.votes, 0) = 0"),
}
_OF_TWO = ("a", "tied", "b")
_OF_SEVERAL = ("ties",)
# Conditions that hold of items without a tally, too.
_OF_ALL = ("incomplete", "none")

# Orders by name: label, and what sorts upwards. All but the first are of items with votes.
ORDERS: dict[str, tuple[str, str]] = {
    "order": ("the campaign’s random order", "i.position"),
    "disagreement": ("most disagreement first", "coalesce(-t.disagreement, 1)"),
    "agreement": ("least disagreement first", "coalesce(t.disagreement, 2)"),
    "ties": ("most ties first", "-t.ties::float8 / t.votes"),
    "votes": ("fewest votes first", "t.votes::float8"),
}
_WORST = "t.points[{at}]::float8 / t.votes"
_BEST = "-t.points[{at}]::float8 / t.votes"


@dataclass(frozen=True)
class SetFilter:
    """Which items are shown, in which order; its whole state stands in an address."""

    criterion: str = ""
    prompt_set: str = ""  # name@version
    category: str = ""
    challenge: str = ""
    tag: str = ""  # of the prompt
    arms: str = ""  # letters of two arms of a gallery, "A-C": sets that show both
    said: str = ""  # of OUTCOMES
    sort: str = "order"
    q: str = ""
    after: tuple[float, int] | None = None  # the last item of the page before: its key and id

    @classmethod
    def of(cls, campaign: Campaign, given: QueryDict) -> SetFilter:
        """Read an address. What it does not know is left out: an old link still leads here."""
        names = ("criterion", "prompt_set", "category", "challenge", "tag", "arms", "said", "sort",
                 "q")  # fmt: skip
        told = {name: given.get(name, "")[:_LONGEST].replace("\0", "").strip() for name in names}
        criteria = [each.slug for each in campaign.criteria.all()]
        if told["criterion"] not in criteria:
            told["criterion"] = criteria[0] if criteria else ""
        if told["arms"] not in dict(pairs_of(campaign)):
            told["arms"] = ""
        if told["said"] not in outcomes_of(campaign):
            told["said"] = ""
        if told["sort"] not in orders_of(campaign):
            told["sort"] = "order"
        return cls(**told, after=_read_cursor(given.get("after", "")))

    @property
    def query(self) -> str:
        """The address of the first page, without what is as it would be anyway."""
        told = {
            name: value
            for name, value in vars(self).items()
            if value and name != "after" and (name, value) != ("sort", "order")
        }
        return urlencode(told)

    @property
    def is_narrowed(self) -> bool:
        return bool(self.said or self.q or self.arms or self.asks_of_prompts)

    @property
    def asks_of_prompts(self) -> bool:
        """Whether more of a prompt is asked for than its words."""
        return any((self.prompt_set, self.category, self.challenge, self.tag))


def _read_cursor(text: str) -> tuple[float, int] | None:
    key, _, identifier = text.partition("~")
    try:
        value = float(key)
        number = int(identifier) if identifier.isascii() and identifier.isdigit() else -1
    except ValueError:
        return None
    return (value, number) if math.isfinite(value) and 0 <= number < 2**63 else None


def outcomes_of(campaign: Campaign) -> dict[str, str]:
    """Return what can be asked of the votes of this campaign: label by name."""
    left_out: tuple[str, ...] = () if campaign.is_duel else _OF_TWO
    if all(each.shape.most == 1 for each in campaign.criteria.all()):
        left_out += _OF_SEVERAL + _OF_TWO
    return {name: label for name, (label, _) in OUTCOMES.items() if name not in left_out}


def pairs_of(campaign: Campaign) -> list[tuple[str, str]]:
    """Return every two arms of a gallery, as an address and a person name them; of a duel none."""
    letters = [each.letter for each in campaign.contenders]
    if len(letters) < 3:
        return []
    return [(f"{one}-{two}", f"{one} and {two}") for one, two in combinations(letters, 2)]


def orders_of(campaign: Campaign) -> dict[str, str]:
    """Return the orders in which items can be shown: label by name."""
    labels = {name: label for name, (label, _) in ORDERS.items()}
    for arm in campaign.contenders:
        labels[f"worst-{arm.letter}"] = f"where {arm.letter} loses most"
        labels[f"best-{arm.letter}"] = f"where {arm.letter} wins most"
    return labels


@dataclass(frozen=True)
class FoundItem:
    """One item on the page, with its tally; `votes` is 0 and `said` empty where none came."""

    item: int
    image_set: int
    key: float
    votes: int
    wanted: int
    said: dict[str, int]
    disagreement: float | None
    category: str
    challenge: str


@dataclass(frozen=True)
class FoundPage:
    """One page of items, how many there are in all (told of the first page), and what is next."""

    items: list[FoundItem]
    total: int
    next: str  # of `after`; empty on the last page


def criterion_of(campaign: Campaign, asked: SetFilter) -> Criterion | None:
    """Return the criterion whose items are shown; None where the campaign has none."""
    return next((each for each in campaign.criteria.all() if each.slug == asked.criterion), None)


def find_items(campaign: Campaign, asked: SetFilter, *, only: int | None = None) -> FoundPage:
    """Return the page of items that the filter asks for; `only` of one set of images."""
    criterion = criterion_of(campaign, asked)
    if criterion is None:
        return FoundPage([], 0, "")
    search = _search(campaign, criterion, asked, reads_sets=only is not None)
    values, key, item = search.values, search.key, search.item
    where = search.where
    if only is not None:
        where += " AND i.image_set_id = %(only)s"
        values["only"] = only
    if asked.after is not None:
        where += f" AND ({key}, {item}) > (%(after_key)s, %(after_id)s)"
        value, values["after_id"] = asked.after
        values["after_key"] = int(value) if asked.sort == "order" else value
    fold([campaign.pk])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.image_set_id, found.key, coalesce(t.votes, 0), c.k, t.said,"
            " t.disagreement, coalesce(p.category, ''), coalesce(p.challenge, '')"
            f" FROM (SELECT {item} AS id, {key} AS key FROM {search.tables} WHERE {where}"
            f" ORDER BY {key}, {item} LIMIT {PER_PAGE + 1}) found"
            " JOIN campaigns_item i ON i.id = found.id"
            " JOIN campaigns_imageset s ON s.id = i.image_set_id"
            " JOIN campaigns_criterion c ON c.id = i.criterion_id"
            " LEFT JOIN tallies_itemtally t ON t.item_id = i.id"
            " LEFT JOIN promptsets_prompt p ON p.id = s.prompt_id"
            " ORDER BY found.key, i.id",
            values,
        )
        rows = cursor.fetchall()
        # Counted once, as a page begins: what comes after it tells nothing new.
        is_first = only is None and asked.after is None
        total = _total(cursor, campaign, search) if is_first else 0
    found = [_found(row) for row in rows[:PER_PAGE]]
    more = len(rows) > PER_PAGE
    return FoundPage(found, total, f"{found[-1].key!r}~{found[-1].item}" if more else "")


def next_set(campaign: Campaign, asked: SetFilter, image_set: int) -> int | None:
    """Return the set of images after this one in the order asked for; None after the last."""
    here = find_items(campaign, replace(asked, after=None), only=image_set).items
    if not here:
        return None
    found = find_items(campaign, replace(asked, after=(here[0].key, here[0].item))).items
    return found[0].image_set if found else None


@dataclass
class _ItemSearch:
    """The tables that must be looked at to find items, the condition and what sorts them."""

    tables: str
    where: str
    key: str
    values: dict[str, Any]
    is_all: bool  # of the criterion

    @property
    def item(self) -> str:
        """The item's id, of the table that is read anyway."""
        return "i.id" if self.tables.startswith("campaigns_item") else "t.item_id"


def _search(
    campaign: Campaign, criterion: Criterion, asked: SetFilter, *, reads_sets: bool
) -> _ItemSearch:
    key, arm = _order(campaign, asked)
    reads_sets |= bool(asked.q or asked.arms or asked.asks_of_prompts)
    tables = "campaigns_item i"
    where = (
        "i.campaign_id = %(campaign)s AND i.criterion_id = %(criterion)s AND i.position IS NOT NULL"
    )
    values: dict[str, Any] = {"campaign": campaign.pk, "criterion": criterion.pk}
    if asked.said in _OF_ALL and asked.sort == "order":
        tables += " LEFT JOIN tallies_itemtally t ON t.item_id = i.id"
    elif asked.said or asked.sort != "order":
        tables = "tallies_itemtally t"
        where = "t.campaign_id = %(campaign)s AND t.criterion_id = %(criterion)s AND t.votes > 0"
        if asked.sort == "order" or arm is not None or reads_sets:
            tables += " JOIN campaigns_item i ON i.id = t.item_id"
    if asked.said:
        where += f" AND {OUTCOMES[asked.said][1]}"
        values["k"] = criterion.k
    if asked.q or asked.asks_of_prompts:
        tables += " JOIN campaigns_imageset s ON s.id = i.image_set_id"
    if asked.q:
        where += " AND s.prompt_text ILIKE %(q)s"
        escaped = asked.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    if asked.asks_of_prompts:
        tables += " JOIN promptsets_prompt p ON p.id = s.prompt_id"
    for name in ("category", "challenge"):
        if getattr(asked, name):
            where += f" AND p.{name} = %({name})s"
            values[name] = getattr(asked, name)
    if asked.tag:
        where += " AND p.tags @> ARRAY[%(tag)s]"
        values["tag"] = asked.tag
    if asked.prompt_set:
        name, _, version = asked.prompt_set.partition("@")
        where += (
            " AND p.prompt_set_id IN (SELECT id FROM promptsets_promptset"
            " WHERE name = %(set_name)s AND version::text = %(set_version)s)"
        )
        values |= {"set_name": name, "set_version": version}
    for at, letter in enumerate(asked.arms.split("-") if asked.arms else ()):
        where += (
            " AND EXISTS (SELECT FROM campaigns_shownimage beside WHERE"
            f" beside.image_set_id = i.image_set_id AND beside.arm_id = %(arm_{at})s)"
        )
        values[f"arm_{at}"] = next(e.pk for e in campaign.contenders if e.letter == letter)
    if arm is not None:
        tables += (
            " JOIN campaigns_shownimage mine ON mine.image_set_id = i.image_set_id"
            " AND mine.arm_id = %(arm)s"
        )
        values["arm"] = arm.pk
    return _ItemSearch(tables, where, key, values, not asked.is_narrowed and asked.sort == "order")


def _order(campaign: Campaign, asked: SetFilter) -> tuple[str, Arm | None]:
    """Return what sorts, and the arm whose image must be looked for in each set."""
    kind, _, letter = asked.sort.partition("-")
    arm = next((each for each in campaign.contenders if each.letter == letter), None)
    if arm is None:
        return ORDERS[asked.sort][1], None
    template = _WORST if kind == "worst" else _BEST
    if campaign.is_duel:
        return template.format(at=arm.place + 1), None  # its image has its place in every set
    return template.format(at="mine.place + 1"), arm


def _total(cursor: Any, campaign: Campaign, search: _ItemSearch) -> int:
    if search.is_all and len(campaign.criteria.all()) == 1:
        return campaign.item_count
    cursor.execute(f"SELECT count(*) FROM {search.tables} WHERE {search.where}", search.values)
    return int(cursor.fetchone()[0])


def _found(row: tuple[Any, ...]) -> FoundItem:
    item, image_set, key, votes, wanted, said, disagreement, category, challenge = row
    told = json.loads(said) if isinstance(said, str) else said
    return FoundItem(
        item, image_set, key, votes, wanted, told or {}, disagreement, category, challenge
    )


@dataclass(frozen=True)
class SetChoices:
    """What the filter offers: (value, label) each."""

    criteria: list[tuple[str, str]]
    prompt_sets: list[tuple[str, str]]
    categories: list[tuple[str, str]]
    challenges: list[tuple[str, str]]
    tags: list[tuple[str, str]]
    arms: list[tuple[str, str]]
    said: list[tuple[str, str]]
    sort: list[tuple[str, str]]


def choices_of(campaign: Campaign) -> SetChoices:
    """Return what the images of a campaign can be filtered by."""
    sets = list(campaign.prompt_sets.all())
    names = [str(each) for each in sets]
    found = [_labels_of(each) for each in sets]
    kinds = [
        [(value, value) for value in sorted({value for one in found for value in one[kind]})][:300]
        for kind in range(3)
    ]
    return SetChoices(
        criteria=[(each.slug, each.label) for each in campaign.criteria.all()],
        prompt_sets=[(name, name) for name in names] if len(names) > 1 else [],
        categories=kinds[0],
        challenges=kinds[1],
        tags=kinds[2],
        arms=pairs_of(campaign),
        said=list(outcomes_of(campaign).items()),
        sort=list(orders_of(campaign).items()),
    )


def _labels_of(prompt_set: PromptSet) -> tuple[list[str], list[str], list[str]]:
    """Categories, challenges and tags of a version of a set, which never changes."""
    name = f"labels-of-prompts:{prompt_set.pk}:{prompt_set.sha256}"
    kept: tuple[list[str], list[str], list[str]] | None = cache.get(name)
    if kept is not None:
        return kept
    found = []
    with connection.cursor() as cursor:
        for values in ("category", "challenge", "unnest(tags)"):
            cursor.execute(
                f"SELECT DISTINCT {values} AS label FROM promptsets_prompt"
                " WHERE prompt_set_id = %s ORDER BY 1 LIMIT 300",
                [prompt_set.pk],
            )
            found.append([value for (value,) in cursor.fetchall() if value])
    made = (found[0], found[1], found[2])
    cache.set(name, made, _KEPT_SECONDS)
    return made
