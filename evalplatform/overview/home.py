"""What waits for a person, what runs, and what was found last."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.text import Truncator

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import projects_of, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import of_no_series, sets_of_no_series
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.core.components import ForestRow, StepShown
from evalplatform.core.components.navigation import known_address
from evalplatform.generation.models import GenerationBatch
from evalplatform.generation.overview import request_row
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import PromptSet
from evalplatform.reports.cached import last_results
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.steps import steps_of
from evalplatform.runs.models import Draft
from evalplatform.tallies.selectors import LiveNumbers, live_numbers

_SHOWN = 6


@dataclass(frozen=True)
class Waiting:
    """Something that only a person can settle."""

    what: str
    where: str
    href: str


@dataclass(frozen=True)
class Running:
    """A campaign under way."""

    campaign: Campaign
    steps: list[StepShown]
    live: LiveNumbers

    @property
    def seconds_left(self) -> float | None:
        return self.live.left.total_seconds() if self.live.left else None

    @property
    def rate(self) -> str:
        return f"{self.live.per_hour:,.0f} votes an hour" if self.live.per_hour else ""


@dataclass(frozen=True)
class CampaignAnswer:
    """What the votes of a campaign say on one criterion, in a line."""

    campaign: Campaign
    criterion: str
    sentence: str
    mark: ForestRow | None
    stamp: str


def home_context(request: HttpRequest) -> dict[str, Any]:
    """Return what the home page shows to somebody."""
    campaigns = in_current_project(
        request,
        of_no_series(visible_to(request.user, Campaign.objects.select_related("project"))),
    )
    under_way = campaigns.filter(status__in=["generating", "open", "paused"])[:_SHOWN]
    now = timezone.now()
    running = [Running(each, steps_of(each), live_numbers(each, now)) for each in under_way]
    answers = [each for found in campaigns.filter(
        status__in=["open", "paused", "closed"])[:_SHOWN] for each in _answers(found)]  # fmt: skip
    return {
        "waiting": _waiting(request, running),
        "running": running,
        "answers": answers,
        "checklist": _checklist(request, campaigns.exists()),
        "is_new": not campaigns.exists(),
    }


def _waiting(request: HttpRequest, running: list[Running]) -> list[Waiting]:
    user = request.user
    found = [
        Waiting(
            "All votes are in: close it", each.campaign.slug,
            reverse("reports:dashboard", args=[each.campaign.slug]),
        )
        for each in running
        if each.live.is_complete and each.campaign.status in ("open", "paused")
    ]  # fmt: skip
    found += [
        Waiting("Its images are there, and it is not open", each.campaign.slug,
                reverse("reports:dashboard", args=[each.campaign.slug]))
        for each in running
        if _is_held(each.campaign)
    ]  # fmt: skip
    failed = GenerationBatch.objects.filter(
        status=GenerationBatch.Status.FAILED, request__project__in=projects_of(user)
    ).select_related("request", "checkpoint")
    told = (  # once, however many batches of one checkpoint failed alike
        Waiting(f"Images could not be made: {Truncator(each.error.splitlines()[-1]).chars(160)}",
                f"{each.request.name} · {each.checkpoint}", reverse("generation:overview"))
        for each in failed.order_by("-pk")[:_SHOWN]
    )  # fmt: skip
    found += dict.fromkeys(told)
    refused = in_current_project(
        request, visible_to(user, Upload.objects.filter(status=Upload.Status.REJECTED))
    )
    found += [
        Waiting(
            f"Refused: {Truncator(each.reason).chars(160)}",
            each.file_name,
            reverse("registry:list"),
        )
        for each in refused.order_by("-pk")[:3]
    ]
    drafts = in_current_project(
        request, visible_to(user, Draft.objects.filter(campaign__isnull=True))
    )
    for draft in drafts[:_SHOWN]:
        what = f"Could not open: {draft.opening_fault}" if draft.opening_fault else "Draft"
        found.append(Waiting(what, draft.label, _draft_address(draft)))
    return found


def _is_held(campaign: Campaign) -> bool:
    """Whether a campaign that is prepared has all its images, checks and nobody who opens it."""
    if campaign.status != Campaign.Status.GENERATING or campaign.checked_rules.safety.threshold:
        return False
    if not any(arm.checkpoint_id for arm in campaign.contenders):
        return True
    row = request_row(campaign.slug, timezone.now())
    return row is not None and row.is_complete


def _draft_address(draft: Draft) -> str:
    try:
        return reverse("runs:draft", args=[draft.pk])
    except NoReverseMatch:
        return known_address("reports:campaign_list")


def _answers(campaign: Campaign) -> list[CampaignAnswer]:
    """One line a criterion, of results that are kept: nothing is computed here."""
    standing = last_results(campaign)
    results = standing.results
    if results is None:
        return []
    stamp = "simulated" if results.is_simulated else "imported" if campaign.imported_from else ""
    return [*_of_pairs(results, stamp), *_of_galleries(results, stamp)]


def _of_pairs(results: CampaignResults, stamp: str) -> list[CampaignAnswer]:
    names = [arm.name for arm in results.campaign.contenders]
    answers = []
    for group in results.groups:
        if group.depth:
            continue
        net = group.rates.net
        if net.value is None:
            continue
        text = _points(net.value)
        if net.low is not None and net.high is not None:
            text += f" [{_points(net.low)}, {_points(net.high)}]"
        row = ForestRow(group.criterion_label, net.value, net.low, net.high, text=text)
        leads = {"a": 0, "b": 1}.get(row.leader)
        said = (
            f"{names[leads]} leads by {abs(100 * net.value):.0f} points"
            if leads is not None
            else f"No preference shown between {names[0]} and {names[1]}"
        )
        answers.append(CampaignAnswer(results.campaign, group.criterion_label, said, row, stamp))
    return answers


def _points(share: float) -> str:
    return f"{100 * share:+.0f}".replace("-", "−")


def _of_galleries(results: CampaignResults, stamp: str) -> list[CampaignAnswer]:
    names = {arm.letter: arm.name for arm in results.campaign.contenders}
    answers = []
    for each in results.galleries:
        first = [one for one in each.ranking.standings if one.rank_low == 1]
        if each.depth or not first:
            continue
        listed = ", ".join(names[str(one.arm)] for one in first)
        said = f"{listed} is first" if len(first) == 1 else f"may be first: {listed}"
        answers.append(CampaignAnswer(results.campaign, each.criterion_label, said, None, stamp))
    return answers


def _checklist(request: HttpRequest, has_campaign: bool) -> list[StepShown]:
    """The way to a first answer, ticked as it is gone."""
    user = request.user
    models = visible_to(user, Checkpoint.objects.all()).count()
    models += visible_to(user, ImageCollection.objects.all()).count()
    prompts = sets_of_no_series(visible_to(user, PromptSet.objects.all())).exists()
    opened = visible_to(user, Campaign.objects.filter(~Q(status__in=["draft", "generating"])))
    new = known_address("runs:new_campaign") or reverse("reports:campaign_list")
    done = [models >= 2, prompts, has_campaign, opened.exists()]
    now = done.index(False) if False in done else len(done)
    told = [
        ("Bring two models", f"{models} there", reverse("registry:list")),
        ("Bring prompts", "", reverse("prompts:list")),
        ("Make a campaign", "", new),
        ("Open it and invite people", "", reverse("reports:campaign_list")),
    ]
    return [
        StepShown(name, "done" if done[at] else "now" if at == now else "next", note, href)
        for at, (name, note, href) in enumerate(told)
    ]
