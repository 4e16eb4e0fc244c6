"""Over campaigns: the boards of models, and two campaigns beside each other."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Schema

from evalplatform.accounts.projects import visible_to
from evalplatform.api.fields import JsonObject, Name
from evalplatform.api.paging import Page, Paging, page_of_list
from evalplatform.api.routes.campaigns import campaign_of
from evalplatform.api.routing import Routes
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import of_no_series
from evalplatform.core.errors import BadInputError
from evalplatform.reports.comparison import comparison_json, quick_comparison
from evalplatform.reports.pooling import (
    Board,
    Contender,
    Pooled,
    boards,
    note_of,
    parts_of,
    placed,
    standings,
)
from evalplatform.stats import ArmRanking, Standing

routes = Routes(tags=["standings"])


class BoardOut(Schema):
    """What may be ranked together: criteria of the same words, form and sampler settings."""

    key: str
    label: str
    question: str
    form: str
    shows_prompt: bool
    settings: str
    is_simulated: bool
    is_imported: bool
    has_votes: bool
    campaigns: list[str]


class StandingOut(Schema):
    """One model: the ranks it may have, and its strength in log odds with the 95 % interval."""

    kind: str = Field(description="checkpoint, collection, or model where votes were imported.")
    name: str
    rank_low: int | None
    rank_high: int | None
    strength: float | None
    low: float | None
    high: float | None
    votes: int
    won: int
    tied: int
    lost: int
    note: str


class RankedGroup(Schema):
    """Models that comparisons link, best first."""

    votes: int
    prompts: int
    annotators: int
    method: str
    note: str
    standings: list[StandingOut]


class BoardStandings(BoardOut):
    """A board with its standings; several groups where nothing links them."""

    prompt_sets: list[str]
    categories: list[str]
    is_linked: bool
    never_compared: list[str]
    groups: list[RankedGroup]


class PartOfBoard(Schema):
    """What a board is read on; left out: all."""

    prompts: str | None = Field(
        None, max_length=200, description="A prompt set of the board, NAME@VERSION."
    )
    category: str | None = Field(None, max_length=200)
    without: list[Name] = Field([], max_length=200, description="Campaigns to leave out.")


class BothCampaigns(Schema):
    """Two campaigns of two arms each."""

    first: Name
    second: Name


@routes.reads("/boards", Page[BoardOut])
def list_boards(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """What campaigns of your projects may be ranked together on."""
    return page_of_list(
        _visible(request), paging, lambda each: BoardOut(**_board(each)), key=lambda each: each.key
    )


@routes.reads("/boards/{key}", BoardStandings)
def get_board(request: HttpRequest, key: str, part: Query[PartOfBoard]) -> BoardStandings:
    """Who stands where on a board, over the campaigns of your projects."""
    board = next((each for each in _visible(request) if each.key == key), None)
    if board is None:
        raise Http404
    sets, categories = parts_of(board)
    known = [each.slug for each in board.campaigns]
    given = ([part.prompts], sets), ([part.category], categories), (part.without, known)
    for wanted, accepted in given:
        _refuse_unknown([each for each in wanted if each], accepted)
    asked = [each for each in board.criteria if each.campaign.slug not in part.without]
    found = standings(board, asked, prompt_set=part.prompts or "", category=part.category or "")
    return BoardStandings(
        **_board(board), prompt_sets=sets, categories=categories, is_linked=found.is_linked,
        never_compared=list(found.alone), groups=[_group(found, each) for each in found.rankings],
    )  # fmt: skip


@routes.reads("/comparison", JsonObject)
def compare_campaigns(request: HttpRequest, both: Query[BothCampaigns]) -> JsonObject:
    """Whether the lead of A is larger in one campaign than in another, on each criterion that both
    ask: what `compare_campaigns --format json` prints, its format named in it.
    """
    first, second = (campaign_of(request, each) for each in (both.first, both.second))
    return comparison_json(quick_comparison(first, second))


def _visible(request: HttpRequest) -> list[Board]:
    return boards(of_no_series(visible_to(request.user, Campaign.objects.all())))


def _refuse_unknown(wanted: list[str], accepted: list[str]) -> None:
    unknown = [each for each in wanted if each not in accepted]
    if unknown:
        named = ", ".join(accepted[:20]) or "none"
        raise BadInputError(f"{unknown[0]!r} is not on this board; it has: {named}.")


def _board(board: Board) -> dict[str, Any]:
    names = ("key", "label", "question", "form", "shows_prompt", "settings", "is_simulated",
             "is_imported", "has_votes")  # fmt: skip
    told = {name: getattr(board, name) for name in names}
    return told | {"campaigns": [each.slug for each in board.campaigns]}


def _group(found: Pooled, ranking: ArmRanking) -> RankedGroup:
    return RankedGroup(
        votes=ranking.n_votes, prompts=ranking.n_prompts, annotators=ranking.n_annotators,
        method=ranking.method, note=note_of(ranking),
        standings=[_standing(found.contenders[int(str(each.arm))], each)
                   for each in placed(ranking)],
    )  # fmt: skip


def _standing(who: Contender, each: Standing) -> StandingOut:
    return StandingOut(
        kind=who.kind, name=who.name, rank_low=each.rank_low, rank_high=each.rank_high,
        strength=each.value, low=each.low, high=each.high, votes=each.n_votes,
        won=each.tally.win, tied=each.tally.tie, lost=each.tally.lose, note=each.unbounded,
    )  # fmt: skip
