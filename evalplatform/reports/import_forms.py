"""What is said of images that are sent to be imported."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from evalplatform.images.models import ImageCollection, ImageImport
from evalplatform.images.reading.rows import FIELDS
from evalplatform.images.services.sent_imports import SentImport
from evalplatform.promptsets.models import PromptSet


class ImportForm(forms.Form):
    """As the options of `manage.py import_images`."""

    name = forms.SlugField(
        label="Name of the collection", max_length=80,
        help_text="Letters, digits, hyphens and underscores.",
        error_messages={"invalid": "“%(value)s”: letters without accents, digits, hyphens and "
                        "underscores alone, as in our-model."},
    )  # fmt: skip
    model = forms.CharField(
        label="Model", max_length=200, help_text="What made the images, as reports name it."
    )
    prompt_set = forms.ModelChoiceField(
        PromptSet.objects.none(), label="Prompts that they answer", required=False,
        empty_label="none: a pool of photos",
    )  # fmt: skip
    licence = forms.CharField(
        required=False, max_length=ImageCollection._meta.get_field("licence").max_length
    )
    source = forms.CharField(
        label="Where they come from", required=False,
        max_length=ImageCollection._meta.get_field("source").max_length,
    )  # fmt: skip
    columns = forms.CharField(
        label="Columns of a table", required=False, max_length=400,
        help_text="Where they are called otherwise: image=jpg prompt=text. key= leaves one out. "
        f"Known: {', '.join(FIELDS)}.",
    )  # fmt: skip
    skip_bad = forms.BooleanField(
        label="Leave out what cannot be imported, instead of importing nothing", required=False
    )

    def __init__(
        self, given: Any, sets: QuerySet[PromptSet], begun: ImageImport | None = None
    ) -> None:
        initial: dict[str, Any] = {}
        if begun:
            fields = ("name", "model", "prompt_set", "licence", "source", "skip_bad")
            initial = {field: getattr(begun, field) for field in fields}
            initial["columns"] = " ".join(f"{key}={name}" for key, name in begun.columns.items())
        super().__init__(given, initial=initial)
        self.fields["prompt_set"].queryset = sets  # type: ignore[attr-defined]

    def clean_columns(self) -> dict[str, str]:
        """Return columns by our fields' names."""
        pairs = [each.partition("=") for each in self.cleaned_data["columns"].split()]
        for field, sign, _ in pairs:
            if not sign or field not in FIELDS:
                raise forms.ValidationError(
                    f"{field[:40]!r} is no FIELD=NAME; fields are {', '.join(FIELDS)}."
                )
        return {field: name for field, _, name in pairs}

    def plan(self) -> SentImport:
        """Return what was said, once the form is valid."""
        return SentImport(**self.cleaned_data)
