"""What is said of a pool that is to be made of a checkpoint's samples."""

from typing import Any

from django import forms

from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.curation.services.pools import LONGEST_NAME
from evalplatform.curation.services.samples import GUIDANCE, MOST_SEEDS, STEPS
from evalplatform.promptsets.models import PromptSet


class PoolForm(forms.Form):
    """As the API's `import_pool` with `checkpoint`."""

    name = forms.SlugField(
        label="Name of the pool", max_length=LONGEST_NAME,
        help_text="Letters, digits, hyphens and underscores.",
        error_messages={"invalid": "“%(value)s”: letters without accents, digits, hyphens and "
                        "underscores alone, as in our-needles."},
    )  # fmt: skip
    checkpoint = forms.ChoiceField(label="Checkpoint")
    prompt_set = forms.ChoiceField(label="Prompts")
    seeds = forms.IntegerField(
        label="Samples a prompt", min_value=1, max_value=MOST_SEEDS, initial=1
    )
    steps = forms.IntegerField(
        label="Steps of the sampler", min_value=1, max_value=1000, initial=STEPS
    )
    guidance = forms.FloatField(label="Guidance", min_value=0, max_value=100, initial=GUIDANCE)
    licence = forms.CharField(
        label="Licence of the samples", required=False, max_length=200, help_text="As an SPDX id."
    )

    def __init__(self, given: Any, user: Asking) -> None:
        super().__init__(given)
        checkpoints = Checkpoint.objects.filter(
            status=Checkpoint.Status.VERIFIED, retired_at=None
        ).order_by("name")
        sets = PromptSet.objects.order_by("name", "version")
        for field, rows in (("checkpoint", checkpoints), ("prompt_set", sets)):
            names = [str(each) for each in visible_to(user, rows)]
            self.fields[field].choices = [("", "–"), *((each, each) for each in names)]  # type: ignore[attr-defined]

    def asked(self) -> dict[str, Any]:
        """Return what a job is asked for, once the form is valid."""
        return self.cleaned_data | {"path": ""}
