"""All that somebody chooses for a campaign before it exists: one checked value.

A draft keeps it as JSON, a file of `run_eval --draft` as TOML, and a campaign is made of it. A
draft may be unfinished, so what is missing is no error here: `dry_run` says it.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from evalplatform.campaigns.criteria import PRESETS, CriterionPlan, in_shipped_words, written
from evalplatform.campaigns.designs import Design
from evalplatform.campaigns.prompt_filter import PromptFilter
from evalplatform.campaigns.rule_section import Place, RuleSection, by_path, problems_in_words
from evalplatform.campaigns.rules import CriterionRules, Rules
from evalplatform.core.errors import BadInputError
from evalplatform.core.storable_json import refuse_unstorable

# As models_backend.families.settings names them; only tasks call the backend.
Sampler = Literal["ddim", "dpm++", "euler", "confidence", "halton", "default"]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Seed = Annotated[int, Field(ge=0, lt=2**63)]
_Pixels = Annotated[int, Field(ge=8, le=8192)]


class PromptChoices(RuleSection):
    """Which prompts: sets by NAME or NAME@VERSION, a filter, and at most so many of each set."""

    sets: Annotated[tuple[_Name, ...], Field(max_length=50)] = ()
    filter: PromptFilter = PromptFilter()
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None


class SamplerChoices(RuleSection):
    """How images are sampled; height and width in pixels, the checkpoint's own if left out."""

    sampler: Sampler = "ddim"
    steps: Annotated[int, Field(ge=1, le=1000)] = 25
    guidance_scale: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 4.0
    negative_prompt: Annotated[str, Field(max_length=2000)] = ""
    height: _Pixels | None = None
    width: _Pixels | None = None


class GenerationChoices(RuleSection):
    """Who makes the images when; the budget is of worker time."""

    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    budget_minutes: Annotated[float, Field(gt=0, le=10**7)] | None = None


class DraftChoices(RuleSection):
    """Everything. Criteria stand in their exact words, also those that are shipped."""

    name: Annotated[str, Field(max_length=80, pattern=r"^[-a-zA-Z0-9_]*$")] = ""
    arms: Annotated[tuple[_Name, ...], Field(max_length=200)] = ()
    prompts: PromptChoices = PromptChoices()
    criteria: Annotated[tuple[CriterionRules, ...], Field(max_length=50)] = ()
    design: Annotated[str, Field(max_length=120)] = "all-pairs"
    images_per_prompt: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: _Seed = 0
    sampler: SamplerChoices = SamplerChoices()
    generation: GenerationChoices = GenerationChoices()
    votes_per_annotator: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="expected of one person, for the estimate"
    )
    rules: Rules = Rules()

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        """Take `preset`, and criteria by their slugs, in place of the words."""
        if not isinstance(given, Mapping):
            return given
        given = dict(given)
        preset = given.pop("preset", None)
        if preset is not None:
            if preset not in PRESETS:
                raise ValueError(f"no preset {preset!r}; accepted are {', '.join(PRESETS)}")
            if given.get("criteria"):
                raise ValueError("preset and criteria both say what is asked; keep one")
            given["criteria"] = [written(plan) for plan in PRESETS[preset]]
        elif isinstance(given.get("criteria"), list | tuple):
            given["criteria"] = _in_words(given["criteria"])
        return given

    @field_validator("design")
    @classmethod
    def _known_design(cls, given: str) -> str:
        try:
            return str(Design.parse(given))
        except BadInputError as error:
            raise ValueError(str(error)) from error

    @field_validator("rules")
    @classmethod
    def _criteria_stand_outside(cls, given: Rules) -> Rules:
        if given.criteria:
            raise ValueError("criteria stand under [[criteria]], not under rules")
        return given

    @model_validator(mode="after")
    def _criteria_once(self) -> "DraftChoices":
        slugs = [each.slug for each in self.criteria]
        if len(set(slugs)) != len(slugs):
            raise ValueError("two criteria have the same slug; give each its own")
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return what differs from what is usual, as JSON values; `parse_choices` reads it."""
        kept: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        # A criterion is kept whole: its words must not change with what we ship.
        if self.criteria:
            kept["criteria"] = [each.model_dump(mode="json") for each in self.criteria]
        return kept

    def as_toml(self) -> str:
        """Return the same as a file that `run_eval --draft` takes."""
        return tomli_w.dumps(self.as_dict(), multiline_strings=False)

    @property
    def criterion_plans(self) -> list[CriterionPlan]:
        """The criteria as a campaign takes them."""
        return [criterion_plan(each) for each in self.criteria]


def criterion_plan(given: CriterionRules) -> CriterionPlan:
    """Return one criterion as a campaign takes it; its label comes from the slug if it has none."""
    label = given.label or given.slug.replace("_", " ").capitalize()
    return CriterionPlan(**given.model_dump() | {"label": label, "heads": tuple(given.heads)})


def parse_choices(given: Mapping[str, Any], source: str = "draft") -> DraftChoices:
    """Return the checked choices. Raises `BadInputError` naming every key that is wrong."""
    return _checked(given, f"{source}: ", by_path)


def filled_in_choices(given: Mapping[str, Any], told: Callable[[Place, str], str]) -> DraftChoices:
    """Return checked choices of a page, whose problems `told` puts in the words of its fields."""
    return _checked(given, "", told)


def _checked(
    given: Mapping[str, Any], begins: str, told: Callable[[Place, str], str]
) -> DraftChoices:
    try:
        refuse_unstorable(given)
        return DraftChoices.model_validate(given)
    except ValidationError as error:
        problems = problems_in_words(error, DraftChoices, called="choice", most=8, told=told)
        raise BadInputError(f"{begins}{problems}. See docs/campaigns.md.") from error


def read_choices(path: Path) -> DraftChoices:
    """Return the choices of a TOML file. Raises `BadInputError` for one that cannot be taken."""
    try:
        return parse_choices(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}); give a TOML file.") from (
            error
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not a TOML file: {error}.") from error


def _in_words(criteria: Sequence[Any]) -> list[Any]:
    try:
        return [in_shipped_words(each) for each in criteria]
    except BadInputError as error:
        raise ValueError(str(error)) from error
