"""The form by which somebody asks for an export."""

from __future__ import annotations

from typing import Any

from django import forms

from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.exports.kinds import KINDS, Grain, Images
from evalplatform.exports.options import Options, checked_options

_USUAL = ("", "as is usual of the format")
_GRAINS = (
    (Grain.VOTE, "votes as they were cast"),
    (Grain.PAIR, "two images that one vote compares"),
    (Grain.CONSENSUS, "two images with all votes counted"),
)
_IMAGES = (
    (Images.EMBED, "their bytes in the rows"),
    (Images.PATH, "files beside the rows"),
    (Images.NONE, "hashes alone"),
)


class ExportForm(forms.Form):
    """What to export of one campaign."""

    kind = forms.ChoiceField(
        label="Format", widget=forms.RadioSelect, initial="parquet",
        choices=[(each.name, each.label) for each in KINDS.values()],
    )  # fmt: skip
    grain = forms.ChoiceField(label="A row is", required=False, choices=[_USUAL, *_GRAINS])
    criteria = forms.MultipleChoiceField(
        label="Only these questions", required=False, widget=forms.CheckboxSelectMultiple
    )
    category = forms.CharField(label="Only prompts of this category", required=False)
    tag = forms.CharField(
        label="Only prompts with this tag", required=False, help_text="Such as stylized."
    )
    splits = forms.CharField(
        label="Split prompts",
        required=False,
        help_text="Train, validation and test in per cent, such as 80/10/10; no prompt is in two.",
    )
    ties = forms.ChoiceField(
        label="Ties",
        required=False,
        choices=[_USUAL, ("keep", "kept, marked"), ("drop", "left out")],
    )
    excluded = forms.ChoiceField(
        label="Votes of excluded annotators", required=False,
        choices=[_USUAL, ("keep", "kept, marked"), ("leave-out", "left out")],
    )  # fmt: skip
    images = forms.ChoiceField(label="Images", required=False, choices=[_USUAL, *_IMAGES])
    is_blind = forms.BooleanField(
        label="Blind: leave out what arms are called, weights and protocol", required=False
    )
    licence = forms.CharField(
        label="Licence", required=False, help_text="Such as cc-by-4.0; not stated otherwise."
    )
    consent = forms.CharField(
        label="What annotators agreed to", required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, campaign: Campaign, **more: Any) -> None:
        super().__init__(*args, **more)
        self._campaign = campaign
        asked = [(each.slug, each.label) for each in campaign.criteria.all()]
        self.fields["criteria"].choices = asked  # type: ignore[attr-defined]
        self.options: Options | None = None

    def clean(self) -> dict[str, Any]:
        """Check the choices against each other and the campaign; `options` has them then."""
        given = super().clean() or {}
        asked = {name: given.get(name) for name in ("kind", "grain", "criteria", "splits", "ties",
                 "images", "is_blind", "licence", "consent")}  # fmt: skip
        asked["categories"] = [given["category"]] if given.get("category") else None
        asked["tags"] = [given["tag"]] if given.get("tag") else None
        if given.get("excluded"):
            asked["with_excluded"] = given["excluded"] == "keep"
        if not self.errors:
            try:
                self.options = checked_options(self._campaign, asked)
            except BadInputError as error:
                raise forms.ValidationError(str(error)) from error
        return given
