"""One ranking over several campaigns that asked the same thing of images made alike."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.core.cache import cache
from django.db.models import Exists, OuterRef, QuerySet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import AnswerColumns, vote_columns
from evalplatform.annotation.arm_columns import NOWHERE, ArmColumns
from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.reports.fingerprint import fingerprint
from evalplatform.stats import (
    ArmRanking,
    EmptyVotesError,
    GradedVotes,
    Standing,
    State,
    graded_votes,
    rank_arms,
)
from evalplatform.tallies.folding import fold_each
from evalplatform.tallies.models import ItemTally

logger = logging.getLogger(__name__)
_KEPT_SECONDS = 24 * 3600
_uncounted: set[int] = set()  # campaigns whose failing this process has logged
# Votes, the contender at each place of each vote's set, and its grade.
Table = tuple[AnswerColumns, npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Board:
    """Criteria of campaigns that may be pooled: the same words, form and sampler settings.

    Simulated votes are never pooled with people's, nor those imported with those cast here.
    """

    key: str
    label: str
    question: str
    form: str
    shows_prompt: bool
    settings: str
    is_simulated: bool
    is_imported: bool
    has_votes: bool
    criteria: tuple[Criterion, ...]

    @property
    def campaigns(self) -> list[Campaign]:
        """The campaigns that are pooled, by name."""
        return sorted((each.campaign for each in self.criteria), key=lambda each: each.slug)


def boards(campaigns: QuerySet[Campaign]) -> list[Board]:
    """Return what can be pooled among campaigns that have opened: those with votes first, people's
    before simulated ones, most campaigns first.

    Ratings of single images are not on boards: nothing in them was compared. A campaign whose
    votes cannot be counted is logged, and is as it was counted last.
    """
    simulated = Annotator.objects.filter(
        enrolments__campaign=OuterRef("campaign"), is_simulated=True
    )
    opened = list(
        campaigns.exclude(status__in=["draft", "generating"]).values_list("pk", flat=True)
    )
    fold_each(opened, _uncounted)
    asked = (
        Criterion.objects.filter(campaign__in=opened)
        .select_related("campaign__settings", "campaign__project")
        .annotate(
            simulated=Exists(simulated),
            sampled=Exists(
                Arm.objects.filter(campaign=OuterRef("campaign"), checkpoint__isnull=False)
            ),
            voted=Exists(ItemTally.objects.filter(criterion=OuterRef("pk"), votes__gt=0)),
        )
    )
    found: dict[tuple[object, ...], list[Criterion]] = {}
    for each in asked:
        if each.shape.most > 1:
            found.setdefault(_alike(each), []).append(each)
    made = [_board(key, criteria) for key, criteria in found.items()]
    return sorted(
        made,
        key=lambda each: (
            not each.has_votes, each.is_simulated, -len(each.criteria), each.label, each.key
        ),
    )  # fmt: skip


def _alike(criterion: Criterion) -> tuple[object, ...]:
    campaign = criterion.campaign
    return (
        criterion.question.strip(), criterion.instructions.strip(), criterion.shows_prompt,
        criterion.form, campaign.settings_id, campaign.imported_from is not None,
        criterion.simulated,  # type: ignore[attr-defined]
    )  # fmt: skip


def _board(key: tuple[object, ...], criteria: list[Criterion]) -> Board:
    first = criteria[0]
    is_imported = first.campaign.imported_from is not None
    # A campaign of images that existed keeps settings too: for a checkpoint that may join it.
    sampled = any(each.sampled for each in criteria)  # type: ignore[attr-defined]
    settings = first.campaign.settings if sampled else None
    unknown = "votes were imported" if is_imported else "images were brought"
    return Board(
        key=hashlib.sha256(repr(key).encode()).hexdigest()[:12],
        label=first.label,
        question=first.question,
        form=first.shape.label,
        shows_prompt=first.shows_prompt,
        settings=str(settings) if settings else f"not known: {unknown}",
        is_simulated=bool(key[-1]),
        is_imported=is_imported,
        has_votes=any(each.voted for each in criteria),  # type: ignore[attr-defined]
        criteria=tuple(criteria),
    )


def parts_of(board: Board) -> tuple[list[str], list[str]]:
    """Return what a board may be read on: prompt sets as NAME@VERSION, and categories."""
    sets = PromptSet.objects.filter(campaigns__in=board.campaigns).distinct()
    prompts = Prompt.objects.filter(prompt_set__in=sets).exclude(category="")
    categories = prompts.order_by("category").values_list("category", flat=True).distinct()
    return [str(each) for each in sets], list(categories)


@dataclass(frozen=True)
class Contender:
    """Whoever made images, the same in every campaign; of imported votes only the name is known."""

    kind: str  # checkpoint, collection or model
    key: int | str
    name: str


@dataclass(frozen=True)
class Pooled:
    """Rankings of those that comparisons link: one where all are linked, else one a group.

    Where only arms that won (or lost) every comparison link groups, these stand in each of them.
    """

    contenders: tuple[Contender, ...]
    rankings: tuple[ArmRanking, ...]
    n_votes: int
    alone: tuple[str, ...]  # that nothing shows beside another

    @property
    def is_linked(self) -> bool:
        """Whether all can be put in one order."""
        return len(self.rankings) <= 1


def placed(ranking: ArmRanking) -> list[Standing]:
    """Return those who have votes, best first: of a part of all, those outside it have none."""
    return [each for each in ranking.standings if each.n_votes]


def note_of(ranking: ArmRanking) -> str:
    """Return why there is no order, or no interval; "" where there are both."""
    return ranking.interval_reason if ranking.state is State.DEFINED else ranking.reason


def standings(
    board: Board, criteria: Sequence[Criterion], *, prompt_set: str = "", category: str = ""
) -> Pooled:
    """Return the rankings of a board's criteria, or of some; kept until votes or choice change."""
    marks = [(each.pk, fingerprint(each.campaign)) for each in criteria]
    asked = repr((board.key, marks, prompt_set, category))
    key = "board-" + hashlib.sha256(asked.encode()).hexdigest()
    found = cache.get(key)
    if isinstance(found, Pooled):
        return found
    made = pooled(criteria, prompt_set=prompt_set, category=category)
    try:
        cache.set(key, made, _KEPT_SECONDS)
    except OSError as error:
        logger.warning("a leaderboard could not be kept in the cache: %s", error)
    return made


def pooled(criteria: Sequence[Criterion], *, prompt_set: str = "", category: str = "") -> Pooled:
    """Rank all arms of these criteria's campaigns in one model; positions name contenders.

    Votes share prompts and annotators across campaigns, and cluster by both. `prompt_set` is
    NAME@VERSION and `category` a label: "" takes all.
    """
    arms: dict[tuple[str, int | str], Contender] = {}
    tables: list[Table] = []
    for criterion in criteria:
        places = [_contender(arm) for arm in criterion.campaign.contenders]
        for each in places:
            arms.setdefault((each.kind, each.key), each)
        order = {key: at for at, key in enumerate(arms)}
        votes = vote_columns(criterion.campaign).counting()
        votes = votes.where(votes.criterion == criterion.pk)
        votes = _of_prompts(votes, prompt_set, category)
        if len(votes):
            arm, grade = ArmColumns.of(criterion.campaign).graded(votes)
            # The last entry stands for "no image here", which is -1 in both.
            places_in_all = np.array([order[(each.kind, each.key)] for each in places] + [NOWHERE])
            tables.append((votes, places_in_all[arm], grade))
    contenders = tuple(arms.values())
    if not tables:
        return Pooled(contenders, (), 0, tuple(each.name for each in contenders))
    graded = _together(tables, len(contenders))
    return _ranked(graded, contenders, tables)


def _ranked(
    graded: GradedVotes, contenders: tuple[Contender, ...], tables: Sequence[Table]
) -> Pooled:
    try:
        whole = rank_arms(graded)
    except EmptyVotesError:
        return Pooled(contenders, (), 0, tuple(each.name for each in contenders))
    alone = tuple(contenders[int(str(each))].name for each in whole.never_compared)
    if len(whole.groups) <= 1:
        return Pooled(contenders, (whole,), whole.n_votes, alone)
    grouped = {int(str(each)) for group in whole.groups for each in group}
    compared = {int(str(each.arm)) for each in placed(whole)}
    parts = []
    for group in whole.groups:
        inside = _with_linking(tables, {int(str(each)) for each in group}, compared - grouped)
        own = [_among(table, inside) for table in tables]
        parts.append(rank_arms(_together([each for each in own if len(each[0])], len(contenders))))
    return Pooled(contenders, tuple(parts), whole.n_votes, alone)


def _with_linking(tables: Sequence[Table], group: set[int], linking: set[int]) -> set[int]:
    """A group with those of no group that a chain of votes links with it.

    Arms without bound, which won (or lost) all, may be all that links groups: they stand in each.
    """
    while True:
        beside: set[int] = set()
        for _, arm, _ in tables:
            beside.update(arm[np.isin(arm, list(group)).any(axis=1)].ravel().tolist())
        more = (beside & linking) - group
        if not more:
            return group
        group = group | more


def _among(table: Table, inside: set[int]) -> Table:
    votes, arm, grade = table
    keep = np.asarray(np.isin(arm, [*inside, NOWHERE]).all(axis=1))
    return votes.where(keep), arm[keep], grade[keep]


def _together(tables: Sequence[Table], n_arms: int) -> GradedVotes:
    most = max(arm.shape[1] for _, arm, _ in tables)
    arms = [_wide(arm, most, NOWHERE) for _, arm, _ in tables]
    grades = [_wide(grade, most, 0) for _, _, grade in tables]
    return graded_votes(
        item=np.concatenate([votes.item for votes, _, _ in tables]),
        prompt=np.concatenate([votes.prompt for votes, _, _ in tables]),
        annotator=np.concatenate([votes.annotator for votes, _, _ in tables]),
        arm=np.concatenate(arms),
        grade=np.concatenate(grades),
        arms=list(range(n_arms)),
    )


def _wide(table: npt.NDArray[np.int64], most: int, filler: int) -> npt.NDArray[np.int64]:
    return np.pad(table, ((0, 0), (0, most - table.shape[1])), constant_values=filler)


def _of_prompts(votes: AnswerColumns, prompt_set: str, category: str) -> AnswerColumns:
    if not prompt_set and not category:
        return votes
    wanted = Prompt.objects.filter(pk__in=np.unique(votes.prompt).tolist())
    if prompt_set:
        name, _, version = prompt_set.partition("@")
        wanted = wanted.filter(prompt_set__name=name, prompt_set__version=int(version))
    if category:
        wanted = wanted.filter(category=category)
    return votes.where(np.isin(votes.prompt, list(wanted.values_list("pk", flat=True))))


def _contender(arm: Arm) -> Contender:
    if arm.checkpoint_id:
        return Contender("checkpoint", arm.checkpoint_id, str(arm.checkpoint))
    if arm.collection_id:
        return Contender("collection", arm.collection_id, str(arm.collection))
    return Contender("model", arm.model, arm.model)
