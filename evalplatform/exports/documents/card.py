"""README.md of an export: the data set's card, with the front matter that the hub reads."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from evalplatform.exports.documents.statements import (
    NOT_STATED,
    arm_name,
    choices,
    collection,
    consent,
    quoted_licence,
    summary,
    title,
)
from evalplatform.exports.shapes import Shape
from evalplatform.exports.shapes.base import feature_of
from evalplatform.exports.told import Told
from evalplatform.reports.conditions import origin_in_words

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MARKS = str.maketrans({each: f"\\{each}" for each in "\\`*_{}[]()#+-!|<>~"})


def card(told: Told, shape: Shape) -> str:
    """Return the card."""
    about = collection(told)
    parts = [
        f"---\n{_front_matter(told, shape)}---\n",
        f"# {marked_down(title(told))}\n",
        *(f"> **{marked_down(each)}**\n" for each in told.marks.notes),
        marked_down(summary(told)) + "\n",
        "## What is in it\n\n" + "".join(f"- {each}\n" for each in choices(told)),
        _table(told),
        "## Loading it\n\n" + _loading(told),
        "## Arms\n\n" + _arms(told),
        "## Questions\n\n" + _questions(told),
        f"## How votes were collected\n\n{marked_down(about['protocol'])}\n\n"
        f"{about['per_item']}\n\n{about['biases']}\n\n{about['limits']}\n",
        f"## People\n\n{about['personal']}\n\nConsent: "
        f"{marked_down(consent(told)) or NOT_STATED + ' by whoever made this export'}.\n",
        f"## Licence\n\n{quoted_licence(told.options)}. Prompts and images may have licences of "
        "their own.\n",
        "## Columns\n\nSee [DATA_DICTIONARY.md](DATA_DICTIONARY.md).\n",
        "## Checking it\n\n`sha256sum --check SHA256SUMS`" + _checking(told),
    ]
    return "\n".join(parts)


def dictionary(told: Told, shape: Shape) -> str:
    """Return DATA_DICTIONARY.md: each column, its type and what it means."""
    rows = "".join(
        f"| `{each.name}` | {each.type if str(each.type)[:6] != 'struct' else 'image'} "
        f"| {each.says} |\n"
        for each in shape.columns
    )
    notes = "".join(f"**{marked_down(each)}**\n\n" for each in told.marks.notes)
    if told.suffix == "csv":
        notes += (
            "A list is one cell: `tags` and `marks` with commas between, `arm_names` with `|`, "
            "others with spaces; `?` where a value is not known.\n\n"
        )
    return f"# Columns\n\n{notes}| column | type | what it is |\n|---|---|---|\n{rows}"


def marked_down(text: str) -> str:
    """Return other people's text as Markdown shows it, whatever stands in it."""
    return " ".join(text.split()).translate(_MARKS)


def _front_matter(told: Told, shape: Shape) -> str:
    """The YAML of the hub; JSON is YAML, and quotes whatever a name holds."""
    facts: dict[str, Any] = {
        "pretty_name": title(told) + (" (SIMULATED)" if told.marks.simulated else ""),
        "tags": ["human-preferences", "text-to-image", *_stamped(told)],
        "task_categories": ["text-to-image"],
        "size_categories": [_size(told.rows)],
        "annotations_creators": _creators(told),
        "configs": _configs(told),
    }
    if told.suffix in ("csv", "jsonl"):
        # Of text `datasets` guesses types split by split, and a column may be empty in one of them.
        features = [_feature(each.name, each.type, told.suffix) for each in shape.columns]
        facts["dataset_info"] = [
            {"config_name": each["config_name"], "features": features} for each in facts["configs"]
        ]
    if told.options.licence:
        facts["license"] = told.options.licence
    return "".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in facts.items()
    )


def _feature(name: str, type: pa.DataType, suffix: str) -> dict[str, str]:
    """Return a column's feature as the hub's YAML has it, of a file of text."""
    if suffix == "csv":
        if pa.types.is_boolean(type) or pa.types.is_integer(type):
            return {"name": name, "dtype": "int64"}
        return {"name": name, "dtype": "float64" if pa.types.is_floating(type) else "string"}
    if pa.types.is_list(type):
        return {"name": name, "list": _feature("", type.value_type, suffix)["dtype"]}
    return {"name": name, "dtype": str(feature_of(type)["dtype"])}


def _creators(told: Told) -> list[str]:
    """Return who cast votes, in the hub's words."""
    by_people = ["found" if told.marks.imported else "crowdsourced"] * told.marks.by_people
    return by_people + ["machine-generated"] * bool(told.marks.simulated)


def _stamped(told: Told) -> list[str]:
    marks = {"simulated-votes": told.marks.simulated, "imported-votes": told.marks.imported}
    return [name for name, note in marks.items() if note]


def _size(rows: int) -> str:
    return next((name for most, name in _SIZES if rows < most), "n>1M")


def _configs(told: Told) -> list[dict[str, Any]]:
    """What `load_dataset` finds: a configuration a criterion, where each has files of its own."""
    found: dict[str, list[dict[str, str]]] = {}
    for each in told.partitions:
        # `load_dataset` refuses a split without a row, and all others with it.
        if told.rows_of(each):
            place = {"split": each.split, "path": told.pattern_of(each)}
            found.setdefault(each.config or "default", []).append(place)
    return [
        {"config_name": name, "data_files": files} | ({"default": True} if not at else {})
        for at, (name, files) in enumerate(found.items())
    ]


def _table(told: Told) -> str:
    rows = "".join(
        f"| {each.config or 'all'} | {each.split} | {told.rows_of(each):,} |\n"
        for each in told.partitions
    )
    return f"| criterion | split | rows |\n|---|---|---|\n{rows}"


def _loading(told: Told) -> str:
    filled = [each for each in told.partitions if told.rows_of(each)]
    if not filled:
        return "There is no row yet, so nothing to load: `load_dataset` refuses empty files.\n"
    config = filled[0].config
    name = f', "{config}"' if config else ""
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("PATH"{name})  # PATH: this folder\n```\n'
    )


def _arms(told: Told) -> str:
    lines = []
    for arm in told.campaign.contenders:
        known = [marked_down(arm_name(arm, told.options))]
        if not told.options.is_blind:
            digest = arm.sha256 and f"SHA-256 {arm.sha256}"
            known += [each for each in (marked_down(origin_in_words(arm)), digest) if each]
        lines.append(f"- {arm.letter}: {', '.join(known)}\n")
    return "".join(lines)


def _questions(told: Told) -> str:
    lines = []
    for each in told.campaign.criteria.all():
        shown = "shown" if each.shows_prompt else "hidden"
        lines.append(
            f"- **{marked_down(each.label)}** (`{each.slug}`, form {each.form}, k = {each.k}, "
            f"prompt {shown}): {marked_down(each.question)}\n"
        )
    return "".join(lines)


def _checking(told: Told) -> str:
    if not told.options.is_whole:
        return " compares every file with its checksum.\n"
    return (
        " compares every file with its checksum. `results.json` has every number of the report; "
        "`manage.py replay FOLDER` computes all of them again from these files alone.\n"
    )
