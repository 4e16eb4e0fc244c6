"""The form of choices by which a set is built from a log."""

from typing import Any

from django import forms

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import LogBuild
from evalplatform.promptsets.services.log_choices import (
    LISTS,
    MOST_LIST_BYTES,
    LogChoices,
    category_shares,
    list_of_file,
    moderation_server,
    paraphrase_server,
    stored_choices,
)

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

    reword = forms.BooleanField(required=False)
    moderate = forms.BooleanField(required=False)
    ours = forms.BooleanField(
        label="Take our lists again instead of those brought before", required=False
    )

    def __init__(self, given: Any, build: LogBuild, files: Any = None) -> None:
        stored = self.stored = stored_choices(build.choices)
        shares = category_shares()
        super().__init__(
            given,
            files,
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
        for name, server, does in (
            ("reword", paraphrase_server(), "Reword the chosen prompts by {}"),
            ("moderate", moderation_server(), "Drop what {} flags"),
        ):
            if server:
                self.fields[name].label = does.format(server.model)
            else:
                del self.fields[name]
        for name, ending in LISTS.items():
            self.fields[f"list-{name}"] = forms.FileField(
                label=name.capitalize(), required=False, allow_empty_file=True,
                widget=forms.FileInput(attrs={"accept": f".{ending}"}),
                help_text="Yours, from before." if name in stored.lists else "",
            )  # fmt: skip
        if not stored.lists:
            del self.fields["ours"]
        for name, usual in shares.items():
            self.fields[f"share-{name}"] = forms.FloatField(
                label=name.capitalize(), min_value=0, max_value=1e6,
                initial=stored.shares.get(name, usual),
            )  # fmt: skip

    @property
    def shares(self) -> list[forms.BoundField]:
        """The fields of the categories' weights."""
        return [self[name] for name in self.fields if name.startswith("share-")]

    @property
    def lists(self) -> list[forms.BoundField]:
        """The files of one's own lists."""
        return [self[name] for name in self.fields if name.startswith("list-")]

    def clean(self) -> dict[str, Any]:
        """Refuse shares that are all 0."""
        given = super().clean() or {}
        shares = [value for name, value in given.items() if name.startswith("share-")]
        if not self.errors and not any(shares):
            raise forms.ValidationError("All categories have the share 0; give at least one more.")
        self._read_lists(given)
        return given

    def _read_lists(self, given: dict[str, Any]) -> None:
        self._lists = {} if given.get("ours") else dict(self.stored.lists)
        for name in LISTS:
            if file := given.get(f"list-{name}"):
                try:
                    self._lists[name] = list_of_file(name, file.read(MOST_LIST_BYTES + 1))
                except BadInputError as error:
                    self.add_error(f"list-{name}", str(error))

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
            lists=self._lists,
            moderate=bool(given.get("moderate")),
            reword=bool(given.get("reword")),
        )
