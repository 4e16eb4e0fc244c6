"""The form of choices by which a set is built from a log."""

from typing import Any

from django import forms

from evalplatform.promptsets.models import LogBuild
from evalplatform.promptsets.services.log_builds import LogChoices, category_shares

_ANY = "any"


class LogChoicesForm(forms.Form):
    """What to take of a log. The fields of shares are named `share-CATEGORY`."""

    column = forms.ChoiceField(label="Column of the prompts", required=False)
    category_column = forms.ChoiceField(
        label="Column of categories", required=False,
        help_text="Names of other categories than ours are found by words.",
    )  # fmt: skip
    size = forms.IntegerField(
        label="Prompts in the set", min_value=1, max_value=100_000,
        widget=forms.NumberInput(),
    )  # fmt: skip
    language = forms.ChoiceField(
        label="Languages", choices=[("en", "English alone"), (_ANY, "every language")]
    )
    near = forms.FloatField(
        label="Alike from", min_value=0.3, max_value=1,
        help_text="Share of 5-grams, 0.3 to 1, from which two prompts are near duplicates; 1: only "
        "equal ones are.",
    )  # fmt: skip
    seed = forms.IntegerField(label="Seed", min_value=0, max_value=2**63 - 1)
    strip = forms.BooleanField(
        label="Take prompt engineering off (8k, trending on …)", required=False
    )

    def __init__(self, given: Any, build: LogBuild) -> None:
        stored = LogChoices(**build.choices)
        shares = category_shares()
        super().__init__(
            given,
            initial={
                **build.choices,
                "size": stored.size, "near": stored.near, "seed": stored.seed,
                "strip": stored.strip, "language": "en" if stored.languages else _ANY,
            },
        )  # fmt: skip
        columns = [(each, each) for each in build.columns]
        for name, empty in (("column", "by its name"), ("category_column", "none, or by its name")):
            self.fields[name].choices = [("", empty), *columns]  # type: ignore[attr-defined]
            if not columns:
                del self.fields[name]
        for name, usual in shares.items():
            self.fields[f"share-{name}"] = forms.FloatField(
                label=name.capitalize(), min_value=0, max_value=1e6,
                initial=stored.shares.get(name, usual),
            )  # fmt: skip

    @property
    def shares(self) -> list[forms.BoundField]:
        """The fields of the categories' weights."""
        return [self[name] for name in self.fields if name.startswith("share-")]

    def clean(self) -> dict[str, Any]:
        """Refuse shares that are all 0."""
        given = super().clean() or {}
        shares = [value for name, value in given.items() if name.startswith("share-")]
        if not self.errors and not any(shares):
            raise forms.ValidationError("All categories have the share 0; give at least one more.")
        return given

    def choices(self) -> LogChoices:
        """Return what was chosen, once the form is valid."""
        given = self.cleaned_data
        return LogChoices(
            column=given.get("column", ""),
            category_column=given.get("category_column", ""),
            size=given["size"],
            seed=given["seed"],
            languages=("en",) if given["language"] == "en" else (),
            near=given["near"],
            strip=given["strip"],
            shares={
                name.removeprefix("share-"): value
                for name, value in given.items()
                if name.startswith("share-")
            },
        )
