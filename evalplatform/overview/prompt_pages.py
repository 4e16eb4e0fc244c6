"""What the pages of prompt sets show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, QueryDict

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Asking, Role, may, projects_of, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import sets_of_no_series
from evalplatform.core.components import DataTable, TableColumn
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.services.tagging import STYLIZED, count_stylized

_WORD = 200  # letters of a search or a filter that are looked at
_A_PAGE = 100
_MOST_GROUPS = 40


def list_context(request: HttpRequest) -> dict[str, Any]:
    """Return the prompt sets somebody may see, with what is in them."""
    sets = visible_to(request.user, PromptSet.objects.select_related("project"))
    found = in_current_project(request, sets_of_no_series(sets)).annotate(
        size=Count("prompts", distinct=True),
        stylized=Count("prompts", filter=Q(prompts__tags__contains=[STYLIZED]), distinct=True),
    )
    columns = [
        TableColumn("name", "Set", "name"),
        TableColumn("size", "Prompts", "size", is_number=True, descends=True),
        TableColumn("stylized", "Stylized", "stylized", is_number=True, descends=True),
        TableColumn("licence", "Licence", "licence"),
        TableColumn("imported", "Made", "imported_at", descends=True),
    ]
    table = DataTable(
        columns, found, request.GET, search=("name", "licence", "source"), default="-imported"
    )
    return {"table": table, "may_upload": projects_of(request.user, Role.EDITOR).exists()}


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: a group, how many prompts, and the filter that shows them."""

    name: str
    count: int
    width: str
    query: str
    is_shown: bool


@dataclass(frozen=True)
class WantedPrompts:
    """Which prompts of a set a page shows."""

    text: str
    category: str
    challenge: str
    tag: str

    @classmethod
    def of(cls, params: QueryDict, tag: str = "tag") -> "WantedPrompts":
        """Read the filter of an address or a form; what cannot be there is left out."""
        return cls(
            *(
                params.get(name, "")[:_WORD].replace("\0", "").strip()
                for name in ("find", "category", "challenge", tag)
            )
        )

    def among(self, prompts: QuerySet[Prompt]) -> QuerySet[Prompt]:
        """Return the prompts that fit; "-" is a label that is not there."""
        if self.text:
            prompts = prompts.filter(text__icontains=self.text)
        for field in ("category", "challenge"):
            value = getattr(self, field)
            if value:
                prompts = prompts.filter(**{field: "" if value == "-" else value})
        if self.tag:
            none = Q(tags=[])
            prompts = prompts.filter(none if self.tag == "-" else Q(tags__contains=[self.tag]))
        return prompts


def set_context(prompt_set: PromptSet, request: HttpRequest) -> dict[str, Any]:
    """Return one set: its prompts by page and filter, histograms, versions, where it is used."""
    wanted = WantedPrompts.of(request.GET)
    prompts = prompt_set.prompts.order_by("position")
    labels = list(prompts.values_list("category", "challenge", "tags"))
    tags = Counter(tag for _, _, each in labels for tag in each)
    tags["-"] = sum(not each for _, _, each in labels)
    found = wanted.among(prompts)
    table = DataTable(
        [TableColumn("position", "#", "position")], found, request.GET, per_page=_A_PAGE
    )
    recipe = prompt_set.recipe or {}
    return {
        "prompt_set": prompt_set,
        "table": table,
        "wanted": wanted,
        "total": len(labels),
        "categories": _bars(
            Counter(each[0] or "-" for each in labels), "category", wanted, request
        ),
        "challenges": _bars(
            Counter(each[1] or "-" for each in labels), "challenge", wanted, request
        ),
        "tags": _bars(tags, "tag", wanted, request),
        "stylized_by_rule": count_stylized(prompt_set),
        "versions": visible_to(request.user, PromptSet.objects.all())
        .filter(name=prompt_set.name)
        .order_by("-version"),
        "used": _used(prompt_set, request.user),
        "collections": visible_to(request.user, ImageCollection.objects.all()).filter(
            prompt_set=prompt_set
        ),
        **funnel_context(recipe),
        "may_edit": may(request.user, prompt_set.project, Role.EDITOR),
    }


def _used(prompt_set: PromptSet, user: Asking) -> QuerySet[Campaign]:
    return visible_to(user, Campaign.objects.filter(prompt_sets=prompt_set))


def _bars(
    counts: Counter[str], field: str, wanted: WantedPrompts, request: HttpRequest
) -> list[Bar]:
    """A histogram, largest first; a press on a bar filters, another takes the filter off."""
    if not counts or set(counts) == {"-"}:
        return []
    most = max(counts.values())
    bars = []
    for name, count in counts.most_common(_MOST_GROUPS):
        if not count:
            continue
        query = request.GET.copy()
        query.pop("page", None)
        is_shown = getattr(wanted, field) == name
        query.pop(field, None)
        if not is_shown:
            query[field] = name
        width = f"{100 * count / most:.2f}%"
        bars.append(Bar(name, count, width, f"?{query.urlencode()}", is_shown))
    return bars


@dataclass(frozen=True)
class FunnelReason:
    """Why lines were dropped, how many, and some of them where they are kept."""

    reason: str
    count: int
    examples: list[dict[str, Any]]


@dataclass(frozen=True)
class FunnelRow:
    """A stage of a build as the page draws it."""

    stage: str
    kept: int
    dropped: int
    width: str
    reasons: list[FunnelReason]


def funnel_context(
    recipe: Mapping[str, Any], examples: Mapping[str, list[dict[str, Any]]] | None = None
) -> dict[str, Any]:
    """Return what `prompts/_funnel.html` shows of a build's recipe."""
    funnel = recipe.get("funnel") or {}
    lines = max(1, int(funnel.get("lines", 0)))
    rows = [
        FunnelRow(
            step["stage"],
            step["kept"],
            step["dropped"],
            f"{100 * step['kept'] / lines:.2f}%",
            [
                FunnelReason(reason, count, (examples or {}).get(reason, []))
                for reason, count in sorted(step["reasons"].items(), key=lambda each: -each[1])
            ],
        )
        for step in funnel.get("steps", [])
    ]
    balance = sorted(funnel.get("balance", {}).items())
    return {"recipe": recipe, "funnel": rows, "balance": balance}
