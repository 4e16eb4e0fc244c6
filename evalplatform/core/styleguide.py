"""What the style page shows: every component in every state, with values that mean nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.templatetags.static import static

from evalplatform.core.components import (
    AnswerCard,
    BarPart,
    DataTable,
    Dots,
    ForestRow,
    Line,
    PairShown,
    PictureShown,
    StepShown,
    TableColumn,
    outcome_parts,
)

_LONG = "a-model-tuned-on-two-thousand-pictures-that-somebody-chose-by-hand-run-12-step-40000"
STATES = ("draft", "generating", "open", "paused", "closed", "uploading", "verifying", "verified",
          "ready", "rejected", "failed", "retired")  # fmt: skip
NOTICES = ("info", "simulated", "imported", "early", "deviation", "error")


class ExampleForm(forms.Form):
    """One field of each kind; the number is wrong on purpose."""

    name = forms.CharField(help_text="Letters, digits and hyphens.")
    question = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)
    votes = forms.IntegerField(label="Votes an item", min_value=1)
    design = forms.ChoiceField(choices=[("all", "All pairs"), ("against", "Against a baseline")])
    door = forms.ChoiceField(
        choices=[("open", "Open link"), ("invited", "Invitations")], widget=forms.RadioSelect
    )
    shows_prompt = forms.BooleanField(label="Show the prompt", required=False)


def styleguide_context(params: QueryDict) -> dict[str, Any]:
    """Return what `core/styleguide.html` shows; `params` steer its table."""
    form = ExampleForm({"name": "my-campaign", "votes": "0", "design": "all", "door": "open"})
    return {
        "states": STATES,
        "notices": NOTICES,
        "steps": [
            StepShown("Draft", "done", "12 Mar"),
            StepShown("Generating", "done", "2,400 images"),
            StepShown("Open", "now", "since 14 Mar"),
            StepShown("Closed", "next"),
        ],
        "rows": _rows(),
        "strengths": _strengths(),
        "many": _many(),
        "votes_bar": _votes_bar(),
        "verdicts_bar": outcome_parts(0.52, 0.1, 0.3, 0.08),
        "thin_bar": outcome_parts(0.955, 0.005, 0.04),
        "grades_bar": [
            BarPart(f"g{grade}", str(grade), share, f"{100 * share:.0f} %")
            for grade, share in zip(range(1, 6), (0.08, 0.17, 0.3, 0.3, 0.15), strict=True)
        ],
        "cards": _answers(),
        "pairs": _pairs(),
        "pairs_of_two": [each for each in _pairs() if len(each.images) == 2],
        "table": _table(params),
        "tabs": [("Overview", "?", True), ("Results", "?results", False), ("Images", "?i", False)],
        "form": form,
    }


def _rows() -> list[ForestRow]:
    return [
        ForestRow("All prompts", 0.43, 0.35, 0.51, "+43.0 [35.0, 51.0]", n="1,500"),
        ForestRow("parti@1", 0.05, -0.08, 0.18, "+5.0 [-8.0, +18.0]", 1, "900", href="#forest"),
        ForestRow("parti@1 (stylized)", -0.24, -0.41, -0.07, "-24.0 [-41.0, -7.0]", 2, "310"),
        ForestRow(_LONG, 0.12, None, None, "+12.0 [–]", 1, "40", note="one annotator"),
        ForestRow("nothing yet", None, None, None, "", 1, "0"),
    ]


def _strengths() -> list[ForestRow]:
    values = (("A", 0.9, 0.2), ("B", 0.4, 0.25), ("C", 0.1, 0.3), ("D", -1.4, 0.5))
    return [
        ForestRow(_LONG if arm == "B" else f"model-{arm.lower()}", value, value - half,
                  value + half, f"{value:+.2f} [{value - half:+.2f}, {value + half:+.2f}]",
                  arm=arm, note=f"rank {rank}")
        for rank, (arm, value, half) in enumerate(values, 1)
    ]  # fmt: skip


def _many() -> list[ForestRow]:
    return [
        ForestRow(f"Category {place}", value / 100, value / 100 - 0.2, value / 100 + 0.2,
                  f"{value:+.1f} [{value - 20:+.1f}, {value + 20:+.1f}]", n=str(90 - place))
        for place, value in enumerate(range(60, -61, -20), 1)
    ]  # fmt: skip


def _votes_bar() -> list[BarPart]:
    parts = zip(
        outcome_parts(0.58, 0.27, 0.15),
        ("58.0 % [54.1, 61.9]", "27.0 % [23.5, 30.5]", "15.0 % [12.2, 17.8]"),
        strict=True,
    )
    return [BarPart(part.kind, part.name, part.share, text) for part, text in parts]


def _answers() -> list[AnswerCard]:
    facts = [("Votes", "1,500"), ("People", "42"), ("Complete sets", "300 of 300")]
    return [
        AnswerCard(
            "Visual appeal", "Which image is more appealing?",
            "People prefer A over B: net +43.0 % [+35.0, +51.0].", "A", _rows(),
            bar=_votes_bar(), bar_title="Votes", facts=facts, href="#answers",
        ),
        AnswerCard(
            "Text faithfulness", "Which image follows the text better?",
            "Not decided yet: voting is not finished; so far, by these annotators, net -6.0 %.",
            "", _rows()[1:2], early="Net -6.0 % with bounds for every look -21.0 to +9.0.",
            notes=["Only 3 annotators: read this as a pilot."], facts=facts,
            stamp="SIMULATED: no vote by a person",
        ),
        AnswerCard(
            "Realism", "Order these images by how real they look.",
            "People prefer A to all others; behind it B and C.", "A", _strengths(), "strength",
            facts=facts[:2],
        ),
    ]  # fmt: skip


def _pairs() -> list[PairShown]:
    icon = static("icon.svg")
    return [
        PairShown(
            "A made-up prompt, long enough to need more than one line on the card of a phone",
            [PictureShown(letter, icon, icon, 64, 64) for letter in letters],
            [Dots("a", "A", 3), Dots("tie", "tie", 1), Dots("b", "B", place)],
            ["category", "challenge"], href=f"?set={place}", note="" if place else "unanimous",
        )
        for place, letters in enumerate(("AB", "BA", "ABCD", "A"))
    ]  # fmt: skip


def _table(params: QueryDict) -> DataTable:
    columns = [
        TableColumn("name", "Name", sort=lambda line: line.cells[0]),
        TableColumn("votes", "Votes", sort=lambda line: int(line.cells[1]), is_number=True,
                    descends=True),
        TableColumn("note", "Note", help="Does not sort."),
    ]  # fmt: skip
    lines = [Line((f"annotator-{place:02}", str(place * place % 97), "fine"), "#data")
             for place in range(1, 31)]  # fmt: skip
    return DataTable(
        columns, lines, params, search=lambda line: line.cells[0], default="-votes", per_page=8
    )
