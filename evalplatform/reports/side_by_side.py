"""Images of two to four models on the same prompts: rows are prompts, columns are models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.campaigns.models import Campaign, arm_letter
from evalplatform.core.components import PairShown
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.chosen_models import Model, chosen_models, models_to_choose
from evalplatform.reports.image_cards import picture_shown

FEWEST, MOST = 2, 4
_ROWS = 24  # prompts a page
_MOST_IMAGES = 32  # of one prompt, in the choice of which image is shown
_LONGEST = 200  # characters of what an address may ask for

Picture = Sample | CollectedImage


@dataclass(frozen=True)
class CampaignColumn:
    """A model under the letter that its images bear on the page."""

    letter: str
    model: Model


@dataclass(frozen=True)
class SideBySide:
    """What an address asks for: models, which image of each prompt, which prompts."""

    keys: tuple[str, ...]
    image: int  # from 0, by seed
    prompt_set: str  # name@version; empty: all
    q: str

    @classmethod
    def of(cls, given: QueryDict) -> SideBySide:
        """Read an address. What cannot be there is left out, and what comes twice counts once."""
        keys = dict.fromkeys(each[:_LONGEST] for each in given.getlist("model") if each)
        number = given.get("image", "1")
        is_number = number.isascii() and number.isdigit() and len(number) < 4
        image = max(int(number) - 1, 0) if is_number else 0
        told = [given.get(name, "")[:_LONGEST].replace("\0", "").strip() for name in ("set", "q")]
        return cls(tuple(keys), image, *told)

    def query(self, keys: Sequence[str]) -> str:
        """Return the address of the first page with these models."""
        told = [("model", key) for key in keys]
        told += [("image", str(self.image + 1))] * bool(self.image)
        told += [(name, text) for name, text in (("set", self.prompt_set), ("q", self.q)) if text]
        return urlencode(told)


def side_by_side_context(request: HttpRequest) -> dict[str, Any]:
    """Return what `reports/side_by_side.html` shows for an address."""
    user = request.user
    asked = SideBySide.of(request.GET)
    found = chosen_models(asked.keys, user)
    columns = [CampaignColumn(arm_letter(at), each) for at, each in enumerate(found[:MOST])]
    known = {each.key for each in found}
    context: dict[str, Any] = {
        "asked": asked,
        "columns": columns,
        "choices": models_to_choose(request, found),
        "chosen": [each.model.key for each in columns] + [""] * (MOST - len(columns)),
        "unknown": [key for key in asked.keys if key not in known],
        "too_many": found[MOST:],
        "campaigns": [],
    }
    if len(columns) < FEWEST:
        return context
    context["campaigns"] = _campaigns(columns, user)
    return context | _shown(asked, columns, user, request.GET.get("page", "1"))


def _shown(
    asked: SideBySide, columns: list[CampaignColumn], user: Asking, number: str
) -> dict[str, Any]:
    """The rows of one page, and what can be chosen of them."""
    of_all = _prompts(columns, user, image=0)
    sets = sorted({f"{name}@{version}" for name, version in of_all.values_list(
        "prompt_set__name", "prompt_set__version").distinct()})  # fmt: skip
    prompts = _narrowed(_prompts(columns, user, asked.image), asked)
    page = Paginator(prompts, _ROWS).get_page(number)
    return {
        "page": page,
        "rows": _rows(page, columns, user, asked.image),
        "sets": sets,
        "images": range(1, max(_images_of_all(columns, user), asked.image + 1) + 1),
        "query": asked.query([each.model.key for each in columns]),
    }


def _campaigns(columns: list[CampaignColumn], user: Asking) -> QuerySet[Campaign]:
    """Return the campaigns in which people compared all of these."""
    found = visible_to(user, Campaign.objects.all())
    for column in columns:
        model = column.model
        found = found.filter(**{f"arms__{model.kind}": model.maker})
    return found.order_by("-created_at")


def _prompts(columns: list[CampaignColumn], user: Asking, image: int) -> QuerySet[Prompt]:
    """Return the first model's prompts of which every model has an image of this number.

    Prompts are the same where their text is: versions of a set hold rows of their own.
    """
    first, *others = [each.model.pictures(user).order_by() for each in columns]
    found = Prompt.objects.filter(pk__in=first.values("prompt"))
    for pictures in (first, *others):
        # An image more of the same seed (other settings) is none of another number.
        by = "seed" if pictures.model is Sample else "pk"
        texts = pictures.values("prompt__text").annotate(images=Count(by, distinct=True))
        found = found.filter(text__in=texts.filter(images__gt=image).values("prompt__text"))
    ordered = found.order_by("prompt_set__name", "prompt_set__version", "position")
    return ordered.select_related("prompt_set")


def _narrowed(prompts: QuerySet[Prompt], asked: SideBySide) -> QuerySet[Prompt]:
    if asked.q:
        prompts = prompts.filter(text__icontains=asked.q)
    name, _, version = asked.prompt_set.partition("@")
    if name:
        is_number = version.isascii() and version.isdigit() and len(version) < 9
        of_set = {"prompt_set__name": name, "prompt_set__version": int(version or 0)}
        prompts = prompts.filter(**of_set) if is_number else prompts.none()
    return prompts


def _images_of_all(columns: list[CampaignColumn], user: Asking) -> int:
    """Return how many images of one prompt every model has somewhere, at most."""
    counts = []
    for column in columns:
        pictures = column.model.pictures(user).order_by()
        by = "seed" if pictures.model is Sample else "pk"
        most = pictures.values("prompt__text").annotate(images=Count(by, distinct=True))
        counts.append(most.order_by("-images").values_list("images", flat=True).first() or 0)
    return min(*counts, _MOST_IMAGES)


def _rows(
    page: Page[Prompt], columns: list[CampaignColumn], user: Asking, image: int
) -> list[PairShown]:
    """One a prompt, in a query a model."""
    texts = [prompt.text for prompt in page]
    found = [_numbered(each.model.pictures(user), texts, image) for each in columns]
    return [_row(prompt, columns, [each[prompt.text] for each in found]) for prompt in page]


def _numbered(pictures: QuerySet[Any], texts: list[str], image: int) -> dict[str, Picture]:
    """Return a model's image of this number by the prompt's text."""
    by_seed: dict[str, dict[int, Picture]] = {}
    for each in pictures.filter(prompt__text__in=texts).select_related("prompt"):
        seed = each.seed if isinstance(each, Sample) else each.index
        by_seed.setdefault(each.prompt.text, {}).setdefault(seed, each)
    return {text: list(of.values())[image] for text, of in by_seed.items() if len(of) > image}


def _row(prompt: Prompt, columns: list[CampaignColumn], pictures: list[Picture]) -> PairShown:
    seeds = {column.letter: each.seed for column, each in zip(columns, pictures, strict=True)}
    known = {seed for seed in seeds.values() if seed is not None}
    if len(known) == 1 and None not in seeds.values():
        note = f"seed {known.pop()}"
    else:
        told = [f"{letter} {seed}" for letter, seed in seeds.items() if seed is not None]
        note = f"seeds: {', '.join(told)}" if told else ""
    prompts = reverse("prompts:set", args=[prompt.prompt_set.name, prompt.prompt_set.version])
    return PairShown(
        prompt=prompt.text,
        images=[
            picture_shown(each, column.letter)
            for column, each in zip(columns, pictures, strict=True)
        ],
        tags=[tag for tag in (prompt.category, prompt.challenge) if tag],
        href=f"{prompts}?{urlencode({'find': prompt.text[:_LONGEST]})}",
        note=note,
    )
