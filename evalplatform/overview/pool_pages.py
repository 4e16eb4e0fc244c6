"""What the pages of pools show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse

from evalplatform.accounts.projects import Asking, Role, may, projects_of, visible_to
from evalplatform.annotation.doors.invitations import invitation_link
from evalplatform.campaigns.models import Campaign
from evalplatform.core.components import DataTable, Line, TableColumn
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.curation.captions import CaptionFigures, caption_figures, open_round
from evalplatform.curation.figures import (
    ConceptLeft,
    HeadAgreement,
    StagePace,
    agreement_of,
    campaign_pace,
    concepts_of,
    funnel_of,
    is_simulated,
    kept_counts,
    pace_of,
)
from evalplatform.curation.guideline import heads_named
from evalplatform.curation.models import CaptionRound, Pool, Stage
from evalplatform.curation.people import (
    ApproverFigures,
    PersonFigures,
    approvers_of,
    people_of,
    share_in_words,
)
from evalplatform.curation.scoring_progress import scoring_of_pool
from evalplatform.curation.selectors import pools
from evalplatform.curation.services import StagePlan
from evalplatform.curation.services.stages import OpenedStage
from evalplatform.overview.scoring_pages import scoring_context

ShownLink = tuple[str, str, str]


class StageForm(forms.Form):
    """A stage to open; gold is a folder, so that it is given by the API or by command."""

    kind = forms.ChoiceField(label="Stage", choices=Stage.Kind.choices)
    k = forms.IntegerField(
        label="Judgements an image", min_value=1, required=False, help_text="Empty: the usual."
    )
    heads = forms.CharField(
        label="Heads", required=False, max_length=400,
        help_text="emu, or up to nine of your own, parted by commas.",
    )  # fmt: skip
    people = forms.CharField(
        label="Who is invited", required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A name on each line; nobody else can take part then.",
    )  # fmt: skip
    target = forms.IntegerField(label="Images wanted", min_value=1, required=False)

    def clean_heads(self) -> tuple[str, ...]:
        try:
            return heads_named(self.cleaned_data["heads"])
        except BadInputError as error:
            raise forms.ValidationError(str(error)) from error

    def plan(self) -> StagePlan:
        """Return what was filled in; the form is valid."""
        given = self.cleaned_data
        people = [each.strip() for each in given["people"].splitlines() if each.strip()]
        return StagePlan(
            kind=given["kind"], k=given["k"], heads=given["heads"], target=given["target"],
            people=people,
        )  # fmt: skip


@dataclass(frozen=True)
class StageShown:
    """A stage as its part of the page shows it."""

    stage: Stage
    k: int
    pace: StagePace
    kept: int | None
    people: list[PoolPersonRow]
    agreement: list[HeadRow]
    link: str


@dataclass(frozen=True)
class CaptionsShown:
    """Captions as their part of the page shows them; the round that goes on, if one does."""

    figures: CaptionFigures
    going: CaptionRound | None
    campaign: Campaign | None
    pace: StagePace | None
    approvers: list[ApproverRow]


@dataclass(frozen=True)
class PoolPersonRow:
    """One person, in words."""

    name: str
    is_simulated: bool
    judged: int
    kept: str
    excellent: str
    bad: str
    a_minute: str


@dataclass(frozen=True)
class ApproverRow:
    """One person who approves captions, in words."""

    name: str
    is_simulated: bool
    approved: str
    right: str
    wrong: str
    a_minute: str


@dataclass(frozen=True)
class HeadRow:
    """One head, in words."""

    name: str
    failed: int
    judgements: int
    alpha: str


def pools_context(user: Asking) -> dict[str, Any]:
    """Return every pool that exists for somebody, with how many images are left."""
    found = list(visible_to(user, pools()).prefetch_related("stages"))
    left = kept_counts(found)
    rows = [
        (each, each.collection.image_count, left.get(each.pk), _state_of(each)) for each in found
    ]
    return {"pools": rows, "may_create": projects_of(user, Role.EDITOR).exists()}


def _state_of(pool: Pool) -> str:
    stages = list(pool.stages.all())
    if not stages:
        return "no stage opened"
    last = stages[-1]
    return f"{last.get_kind_display()}: {'decided' if last.closed_at else 'open'}"


def pool_context(
    pool: Pool,
    request: HttpRequest,
    now: datetime,
    *,
    form: StageForm | None = None,
    links: list[ShownLink] | None = None,
) -> dict[str, Any]:
    """Return one pool; `links` are of those who were just invited."""
    stages = list(pool.stages.select_related("campaign"))
    opened = {each.kind for each in stages}
    is_open = any(each.closed_at is None for each in stages)
    bars = funnel_of(pool)
    may_edit = may(request.user, pool.project, Role.EDITOR)
    return {
        "pool": pool,
        "bars": bars,
        "most": max((each.before for each in bars), default=0) or pool.collection.image_count,
        "left": bars[-1].left if bars else pool.collection.image_count,
        "stages": [_shown(each, request, now) for each in stages],
        "captions": _captions(pool, now),
        "concepts": _concept_table(concepts_of(pool), request),
        "may_edit": may_edit,
        "form": (form or StageForm(initial={"kind": _next_kind(opened)}))
        if may_edit and not is_open else None,
        "links": links or [],
        "export": f"python manage.py curation export {pool} --out DATA"
        if any(each.closed_at for each in stages) else "",
        "is_simulated": is_simulated(pool),
        **scoring_context(request.user, scoring_of_pool(pool)),
    }  # fmt: skip


def _captions(pool: Pool, now: datetime) -> CaptionsShown | None:
    """Return how far the captions are; None where none were ever asked for."""
    if not pool.caption_rounds.exists():
        return None
    going = open_round(pool)
    campaign = (going.approval or going.writing) if going else None
    return CaptionsShown(
        caption_figures(pool), going, campaign, campaign_pace(campaign, now) if campaign else None,
        [_approver(each) for each in approvers_of(pool)],
    )  # fmt: skip


def invitations_shown(opened: OpenedStage, request: HttpRequest) -> list[ShownLink]:
    """Return a name of the field, the label and the link of everybody who was invited."""
    path = reverse("annotation:work", args=[opened.stage.campaign.invitation])
    link = site_link(path, request)
    return [
        (f"link-{each.number}", each.label, invitation_link(link, secret))
        for each, secret in opened.invitations
    ]


def _next_kind(opened: set[str]) -> str:
    return next((kind for kind in Stage.Kind.values if kind not in opened), "")


def _shown(stage: Stage, request: HttpRequest, now: datetime) -> StageShown:
    path = reverse("annotation:work", args=[stage.campaign.invitation])
    kept = stage.promotions.filter(kept=True).count() if stage.closed_at else None
    return StageShown(
        stage=stage, k=stage.campaign.criteria.get().k, pace=pace_of(stage, now), kept=kept,
        people=[_person(each) for each in people_of(stage)],
        agreement=[_head(each) for each in agreement_of(stage)],
        link=site_link(path, request),
    )  # fmt: skip


def _person(each: PersonFigures) -> PoolPersonRow:
    return PoolPersonRow(
        name=each.pseudonym, is_simulated=each.is_simulated, judged=each.kept.total,
        kept=share_in_words(each.kept), excellent=share_in_words(each.excellent),
        bad=share_in_words(each.bad), a_minute=_rate(each.a_minute),
    )  # fmt: skip


def _approver(each: ApproverFigures) -> ApproverRow:
    return ApproverRow(
        name=each.pseudonym, is_simulated=each.is_simulated,
        approved=share_in_words(each.approved), right=share_in_words(each.right),
        wrong=share_in_words(each.wrong), a_minute=_rate(each.a_minute),
    )  # fmt: skip


def _rate(a_minute: float | None) -> str:
    return "–" if a_minute is None else f"{a_minute:.1f}"


def _head(each: HeadAgreement) -> HeadRow:
    alpha = each.alpha
    if alpha.value is None:
        words = f"– ({alpha.reason})"
    elif alpha.low is None or alpha.high is None:
        words = f"{alpha.value:.2f}"
    else:
        words = f"{alpha.value:.2f} [{alpha.low:.2f}, {alpha.high:.2f}]"
    return HeadRow(each.head, each.failed, each.judgements, words)


def _concept_table(rows: list[ConceptLeft], request: HttpRequest) -> DataTable:
    columns = [
        TableColumn("name", "Concept", sort=lambda line: line.cells[0]),
        TableColumn("images", "In the pool", sort=lambda line: line.cells[1], is_number=True,
                    descends=True),
        TableColumn("left", "Left", sort=lambda line: line.cells[2], is_number=True,
                    descends=True),
    ]  # fmt: skip
    lines = [Line([each.name or "–", each.images, each.left]) for each in rows]
    return DataTable(columns, lines, request.GET, name="concepts",
                     search=lambda line: str(line.cells[0]))  # fmt: skip
