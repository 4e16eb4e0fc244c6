"""What the leaderboard shows: one board, chosen and filtered by the address."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Role, projects_of, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import of_no_series
from evalplatform.core.components import ForestRow
from evalplatform.reports.pooling import (
    Contender,
    Pooled,
    boards,
    note_of,
    parts_of,
    placed,
    standings,
)
from evalplatform.stats import ArmRanking, Standing


@dataclass(frozen=True)
class Row:
    """One model's place."""

    contender: Contender
    href: str  # "" for a model of imported votes, which has no page
    ranks: str  # "1" or "1–3": the ranks it may have; "" without an order
    votes: int
    win: int
    tie: int
    lose: int
    note: str


@dataclass(frozen=True)
class BoardGroup:
    """Models that comparisons link, best first."""

    rows: list[Row]
    forest: list[ForestRow]
    note: str
    method: str
    n_votes: int
    n_prompts: int
    n_annotators: int


def leaderboard_context(request: HttpRequest) -> dict[str, Any]:
    """Return the boards somebody may see, and the chosen one with its standings."""
    # Of a flow an arm is a place of its panels, no model.
    campaigns = of_no_series(visible_to(request.user, Campaign.objects.all()))
    visible = in_current_project(request, campaigns)
    found = boards(visible)
    board = next((each for each in found if each.key == request.GET.get("board")), None)
    board = board or (found[0] if found else None)
    context: dict[str, Any] = {"boards": found, "board": board}
    if board is None:
        return context
    left_out = set(request.GET.getlist("without"))
    criteria = [each for each in board.criteria if each.campaign.slug not in left_out]
    names, categories = parts_of(board)
    prompt_set = request.GET.get("prompts", "")
    category = request.GET.get("category", "")
    prompt_set = prompt_set if prompt_set in names else ""
    category = category if category in categories else ""
    edited = set(projects_of(request.user, Role.EDITOR).values_list("pk", flat=True))
    standing = standings(board, criteria, prompt_set=prompt_set, category=category)
    return context | {
        "left_out": left_out,
        "prompt_sets": names,
        "categories": categories,
        "prompt_set": prompt_set,
        "category": category,
        "pooled": standing,
        "pooled_campaigns": [each.campaign for each in criteria],
        "growing": [
            each.campaign
            for each in criteria
            if each.campaign.may_grow and each.campaign.project_id in edited
        ],
        "groups": [_group(standing, each) for each in standing.rankings],
    }


def _group(found: Pooled, ranking: ArmRanking) -> BoardGroup:
    return BoardGroup(
        rows=[_row(found, each) for each in placed(ranking)],
        forest=[_mark(found, each) for each in placed(ranking)],
        note=note_of(ranking),
        method=ranking.method,
        n_votes=ranking.n_votes,
        n_prompts=ranking.n_prompts,
        n_annotators=ranking.n_annotators,
    )


def _row(found: Pooled, standing: Standing) -> Row:
    contender = found.contenders[int(str(standing.arm))]
    is_registered = contender.kind in ("checkpoint", "collection")
    low, high = standing.rank_low, standing.rank_high
    ranks = "" if low is None or high is None else f"{low}" if low == high else f"{low}–{high}"
    return Row(
        contender=contender,
        href=reverse(f"registry:{contender.kind}", args=[contender.name]) if is_registered else "",
        ranks=ranks,
        votes=standing.n_votes,
        win=standing.tally.win,
        tie=standing.tally.tie,
        lose=standing.tally.lose,
        note=standing.unbounded,
    )


def _mark(found: Pooled, standing: Standing) -> ForestRow:
    text = standing.unbounded or "–"
    if standing.value is not None:
        text = f"{standing.value:+.2f}"
        if standing.low is not None and standing.high is not None:
            text += f" [{standing.low:.2f}, {standing.high:.2f}]"
    return ForestRow(
        label=found.contenders[int(str(standing.arm))].name,
        value=standing.value,
        low=standing.low,
        high=standing.high,
        text=text.replace("-", "−"),
        n=f"{standing.n_comparisons:,}",
    )
