"""Reading drafts, and what one can be made of."""

from collections.abc import Sequence
from functools import cached_property

from django.db.models import Count, F, Func, QuerySet

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import usable_in
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import sets_of_no_series
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.words import counted
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import Prompt, PromptSet

Option = tuple[str, str]  # as it is posted, as it is read
_MOST_VALUES = 300  # of a field of prompts, offered to choose from


class PartsOfDrafts:
    """What a draft of a project may be made of, read when it is asked for."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def arms(self) -> list[Option]:
        """Checkpoints and image collections that are not retired."""
        checkpoints = usable_in(
            self.project, Checkpoint.objects.filter(status=Checkpoint.Status.VERIFIED)
        )
        collections = usable_in(self.project, ImageCollection.objects.filter(retired_at=None))
        return [(each.name, f"{each.name} · {each.get_role_display()}") for each in checkpoints] + [
            (f"images:{each.name}", f"{each.name} · images") for each in collections
        ]

    @cached_property
    def prompt_sets(self) -> list[PromptSet]:
        """The latest first."""
        rows = sets_of_no_series(usable_in(self.project, PromptSet.objects.all()))
        return list(rows.annotate(prompt_count=Count("prompts")).order_by("name", "-version"))

    @cached_property
    def sets(self) -> list[Option]:
        """Prompt sets with how many prompts they have."""
        return [
            (str(each), f"{each} · {counted(getattr(each, 'prompt_count', 0), 'prompt')}")
            for each in self.prompt_sets
        ]

    def values(self, name: str) -> list[Option]:
        """Return the values that prompts of these sets have in a field, with their counts."""
        prompts = Prompt.objects.filter(prompt_set__in=self.prompt_sets)
        value = Func(F("tags"), function="unnest") if name == "tag" else F(name)
        rows = (
            prompts.annotate(value=value)
            .values("value")
            .annotate(count=Count("pk"))
            .order_by("value")[:_MOST_VALUES]
        )
        return [
            (row["value"], f"{row['value']} ({row['count']:,})") for row in rows if row["value"]
        ]


def copyable(campaigns: QuerySet[Campaign]) -> Sequence[Campaign]:
    """Return those campaigns that can be asked again: not imported ones."""
    return list(campaigns.filter(imported_from=None, settings__isnull=False).order_by("slug")[:500])
