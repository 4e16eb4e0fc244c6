"""Checkpoints and image collections as models that pages show beside each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import Sample
from evalplatform.generation.overview import visible_samples
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import collections


@dataclass(frozen=True)
class Model:
    """A checkpoint or an image collection, as an address names it: `checkpoint:NAME`."""

    maker: Checkpoint | ImageCollection

    @property
    def kind(self) -> str:
        return "checkpoint" if isinstance(self.maker, Checkpoint) else "collection"

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.maker.name}"

    @property
    def note(self) -> str:
        """What it is, beside its name."""
        if isinstance(self.maker, Checkpoint):
            return self.maker.get_role_display().lower()
        return self.maker.model

    @property
    def href(self) -> str:
        return reverse(f"registry:{self.kind}", args=[self.maker.name])

    def pictures(self, user: Asking) -> QuerySet[Any]:
        """Return its images of prompts that exist for somebody, of each prompt by seed.

        Made twice with one seed (other sampler settings), the later one comes first.
        """
        if isinstance(self.maker, Checkpoint):
            made = self.maker.samples.filter(status=Sample.Status.READY)
            return visible_samples(user, made).order_by("seed", "-generated_at", "-pk")
        answering = self.maker.images.filter(prompt__isnull=False)
        return visible_to(user, answering, "prompt__prompt_set__").order_by("index")


def chosen_models(keys: Iterable[str], user: Asking) -> list[Model]:
    """Return the models of these keys that exist for somebody, in the order given."""
    split = [key.partition(":")[::2] for key in keys]
    names = {kind: [name for each, name in split if each == kind] for kind, _ in split}
    checkpoints = Checkpoint.objects.filter(name__in=names.get("checkpoint", []))
    brought = collections().filter(name__in=names.get("collection", []))
    models = [*map(Model, visible_to(user, checkpoints)), *map(Model, visible_to(user, brought))]
    by_key = {each.key: each for each in models}
    return [by_key[key] for key in keys if key in by_key]


def models_to_choose(request: HttpRequest, chosen: Iterable[Model]) -> list[tuple[str, str]]:
    """Return (key, name) of what there is to choose, checkpoints first; what is chosen, too."""
    user = request.user
    checkpoints = in_current_project(request, visible_to(user, Checkpoint.objects.all()))
    answering = collections().filter(prompt_set__isnull=False)
    brought = in_current_project(request, visible_to(user, answering))
    models = [*map(Model, checkpoints), *map(Model, brought), *chosen]
    return list({each.key: f"{each.maker.name} ({each.note})" for each in models}.items())
