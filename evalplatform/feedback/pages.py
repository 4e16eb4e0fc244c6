"""What the pages of feedback loops show."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.components.cards import StepShown
from evalplatform.core.components.tables import DataTable, TableColumn
from evalplatform.core.words import counted
from evalplatform.feedback.lineage import LineageGraph, LineageItem, lineage_of
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound, RegisteredReward
from evalplatform.feedback.selectors import facts_of, loops, rewards
from evalplatform.feedback.steps import RoundStep, StepState, next_step, steps_of
from evalplatform.reports.cards import card_html

_MAX_CARD_BYTES = 60_000
_CHILD = 4  # the column of the lineage that leads to the next round
_SHOWN_AS = {
    StepState.DONE: "done",
    StepState.NOW: "now",
    StepState.PEOPLE: "now",
    StepState.STOPPED: "now",
    StepState.LATER: "next",
}
LOOP_COLUMNS = (
    TableColumn("name", "Loop", "slug"),
    TableColumn("gallery", "Gallery"),
    TableColumn("rounds", "Rounds", is_number=True),
    TableColumn("next", "Next"),
    TableColumn("made", "Made", "created_at", descends=True),
)
REWARD_COLUMNS = (
    TableColumn("name", "Reward", "name"),
    TableColumn("aspects", "Aspects"),
    TableColumn("purpose", "Used as", "purpose"),
    TableColumn(
        "accuracy", "Agrees with people", is_number=True,
        help="share of held-out pairs in which the preferred image has the higher reward",
    ),
    TableColumn(
        "ceiling", "One person", is_number=True,
        help="share in which one annotator agrees with the others, on the same pairs",
    ),
    TableColumn("made", "Made", "created_at", descends=True),
)  # fmt: skip


def list_context(request: HttpRequest) -> dict[str, Any]:
    """Return the loops and reward models of the person's projects."""
    found = in_current_project(request, visible_to(request.user, loops()))
    models = in_current_project(request, visible_to(request.user, rewards()))
    return {
        "table": DataTable(
            LOOP_COLUMNS, found, request.GET, search=("slug",), default="-made",
            shown_as=lambda rows: [(each, _next_of(each)) for each in rows],
        ),
        "rewards": DataTable(
            REWARD_COLUMNS, models, request.GET, search=("name",), default="-made", name="reward"
        ),
    }  # fmt: skip


def _next_of(loop: FeedbackLoop) -> str:
    step = next_step(steps_of(facts_of(list(loop.rounds.all())[-1])))
    return f"{step.label}: {step.says}" if step else "all steps are done"


def loop_context(loop: FeedbackLoop) -> dict[str, Any]:
    """Return a loop: its lineage, and the steps of each round, the last first."""
    rounds = list(loop.rounds.all())
    return {
        "loop": loop,
        "is_simulated": any(each.preferences.get("simulated") for each in rounds),
        "graph": _graph(loop, rounds),
        "rounds": [_round(each) for each in reversed(rounds)],
    }


def _round(round: FeedbackRound) -> dict[str, Any]:
    steps = steps_of(facts_of(round))
    return {
        "round": round,
        "shown": [StepShown(each.label, _SHOWN_AS[each.state], each.says) for each in steps],
        "next": next_step(steps),
        "commands": _commands(steps),
        "rewards": list(round.rewards.all()),
    }


def _commands(steps: list[RoundStep]) -> list[RoundStep]:
    return [each for each in steps if each.command]


def _graph(loop: FeedbackLoop, rounds: list[FeedbackRound]) -> LineageGraph:
    return lineage_of([_items(loop, each) for each in rounds], _CHILD)


def _items(loop: FeedbackLoop, round: FeedbackRound) -> list[LineageItem]:
    models = list(round.rewards.all())
    first = _campaign("votes", "Votes", round.rankings)
    if round.rankings is None:
        first = LineageItem("votes", "Votes", "of the round before", "and the child")
    return [
        LineageItem("prompts", "Prompts", str(loop.prompt_set), href=_prompts(loop)),
        first,
        LineageItem(
            "preferences",
            "Preferences",
            round.preferences_sha256[:12],
            counted(round.preferences.get("pairs", 0), "pair") if round.preferences else "",
        ),
        LineageItem(
            "reward",
            "Rewards",
            counted(len(models), "model") if models else "",
            href=reverse("feedback:list") + "#rewards" if models else "",
        ),
        _checkpoint(round.child),
        _campaign("proof", "Proof", round.proof),
    ]


def _prompts(loop: FeedbackLoop) -> str:
    return reverse("prompts:set", args=[loop.prompt_set.name, loop.prompt_set.version])


def _campaign(kind: str, label: str, campaign: Campaign | None) -> LineageItem:
    if campaign is None:
        return LineageItem(kind, label)
    href = reverse("reports:dashboard", args=[campaign.slug])
    return LineageItem(kind, label, campaign.slug, campaign.get_status_display(), href)


def _checkpoint(child: Checkpoint | None) -> LineageItem:
    if child is None:
        return LineageItem("child", "Child")
    href = reverse("registry:checkpoint", args=[child.name])
    return LineageItem("child", "Child", child.name, child.sha256[:12], href)


def reward_context(reward: RegisteredReward) -> dict[str, Any]:
    """Return a reward model: what it learned from, and how far to trust it."""
    shown = reward.shown_in.select_related("campaign")
    return {
        "reward": reward,
        "figures": reward.evaluation.get("rows", []),
        "data": reward.metadata.get("data", {}),
        "built": reward.metadata.get("architecture", {}),
        "card": _card(reward),
        "beside": [each.campaign for each in shown],
    }


def _card(reward: RegisteredReward) -> SafeString | None:
    """Its model card as HTML, as the trainer wrote it; None where its files are not here."""
    try:
        with (reward.directory / "README.md").open("rb") as file:
            return card_html(file.read(_MAX_CARD_BYTES).decode("utf-8", "replace"))
    except OSError:
        return None
