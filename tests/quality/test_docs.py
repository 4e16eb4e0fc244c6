"""docs/campaign-rules.md knows every rule, with its default."""

import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic_core import PydanticUndefined

from evalplatform.campaigns.comprehension_rules import ComprehensionQuestion
from evalplatform.campaigns.rules import CriterionRules, Question, Rules, parse_rules

PAGE = (Path(__file__).resolve().parents[2] / "docs/campaign-rules.md").read_text()

LISTS = {
    "comprehension": ComprehensionQuestion,
    "questionnaire": Question,
    "criteria": CriterionRules,
}


def sections():
    for name, field in Rules.model_fields.items():
        model = LISTS.get(name, field.annotation)
        yield from ((name, key, rule) for key, rule in model.model_fields.items())


def documented(section):
    """Return the default each key of a section is documented with."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `?([^|`]*)`? \| [^|]{15,} \|$", text, re.M))


def written(default):
    if default is PydanticUndefined:
        return "needed"
    return "off" if default is None else json.dumps(default)


@pytest.mark.parametrize(
    ("section", "key", "rule"),
    list(sections()),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_rule_is_documented_with_its_default(section, key, rule):
    assert documented(section)[key] == written(rule.default)


def test_nothing_is_documented_that_is_no_rule():
    known = {(section, key) for section, key, _ in sections()}
    assert {(s, key) for s in Rules.model_fields for key in documented(s)} == known


def test_choices_of_a_rule_are_documented():
    for _, _, rule in sections():
        for choice in get_args(rule.annotation):
            if isinstance(choice, str):
                assert f"`{choice}`" in PAGE


def test_example_is_accepted():
    example = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    rules = parse_rules(example)
    assert rules.quality.exclude_gold_below == 0.7
    assert rules.questionnaire[0].choices == ["phone", "tablet", "computer"]
