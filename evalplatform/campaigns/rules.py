"""The rules of a campaign beside its criteria: what annotators meet, and what may exclude them.

They are given as a TOML file to `run_eval --rules` (see `rules_file`), checked here, and frozen
with the protocol.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from evalplatform.campaigns.comprehension_rules import MOST_TRIES, ComprehensionQuestion
from evalplatform.campaigns.crowd_rules import CrowdRules
from evalplatform.campaigns.forms import FORMS
from evalplatform.campaigns.pay_rules import PayRules
from evalplatform.campaigns.rule_section import RuleSection, problems_in_words
from evalplatform.campaigns.rule_translations import (
    ConsentWords,
    CriterionWords,
    LanguageCode,
    QuestionWords,
    refuse_other_counts,
)
from evalplatform.core.errors import BadInputError
from evalplatform.core.transparency import Ground

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class SamePair(StrEnum):
    """How often one annotator may judge the same two images, and in which order."""

    # Under every criterion, but never under an earlier one after a later one; who has read a prompt
    # under a later one judges no images of it under an earlier one that hides it.
    CRITERIA_IN_ORDER = "criteria_in_order"
    ONE_CRITERION = "one_criterion"
    UNRESTRICTED = "unrestricted"


class Start(StrEnum):
    """Where an annotator begins in the order of a criterion's items."""

    OWN = "own"  # a seeded place and stride of their own
    FIRST = "first"  # everybody at the first: items are finished one after another


class Door(StrEnum):
    """Who may take part in a campaign."""

    OPEN = "open"  # whoever has the link
    INVITATIONS = "invitations"  # who has a link of their own, good for one person
    CROWD = "crowd"  # who comes from a crowd platform
    MEMBERS = "members"  # who is signed in


class PairLayout(StrEnum):
    """How the two images of a pair stand; left and top are one position, the first."""

    # On a phone held upright one above the other, which shows them up to twice as wide.
    STACKED_ON_PHONES = "stacked_on_phones"
    SIDE_BY_SIDE = "side_by_side"


MOST_IN_GRID = 12


class Delivery(StrEnum):
    """As which files images reach annotators; one for every image, so that no arm is favoured."""

    LOSSLESS = "lossless"  # PNG, every pixel as it was made
    WEBP = "webp"  # WebP of one quality, no wider than the screen shows it, whole for a closer look


class AnnotationRules(RuleSection):
    """Who comes in as an annotator, and what they meet."""

    door: Door = Door.OPEN
    same_pair: SamePair = SamePair.CRITERIA_IN_ORDER
    start: Start = Start.OWN
    layout: PairLayout = PairLayout.STACKED_ON_PHONES
    grid: Annotated[int, Field(ge=0, le=MOST_IN_GRID)] = Field(
        default=0,
        description="images on one screen, of criteria asked as keep_reject without heads and "
        "without a prompt; 0: one after another",
    )
    delivery: Delivery = Delivery.LOSSLESS
    delivery_quality: Annotated[int, Field(ge=50, le=100)] = Field(
        default=90, description="of WebP; below 50 its own damage would be judged"
    )
    ground: Ground = Field(
        default=Ground.GREY, description="what is seen through images that are transparent"
    )
    undo_seconds: Count = Field(default=300, description="how long the last vote can be taken back")
    session_cap: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="most items one annotator judges"
    )
    break_every: Count = Field(
        default=50, description="suggest a break after so many items; 0: never"
    )
    language: LanguageCode = Field(
        default="en", description="of the researcher's own texts where none is named"
    )
    languages: list[LanguageCode] = Field(
        default=[], description="in which the pages are offered; empty: all that the site speaks"
    )
    consent: str = Field(default="", max_length=4000, description="what people agree to")
    translations: dict[LanguageCode, ConsentWords] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "AnnotationRules":
        if self.translations and not self.consent:
            raise ValueError("consent is translated, and not given in the first place")
        return self


class QualityRules(RuleSection):
    """Checks mixed in, and when an annotator's votes stop counting. Rates are per item served."""

    gold_rate: Share = 0.0
    repeat_rate: Share = 0.0
    repeat_gap: Count = Field(default=10, description="items between an item and its repeat")
    min_response_ms: Count = Field(default=400, description="faster votes are flagged as too fast")
    qualification_pairs: Count = Field(
        default=0, description="gold sets to judge before the first item"
    )
    qualification_pass: Count = Field(default=0, description="how many of them must be right")
    qualification_tries: Annotated[int, Field(ge=1, le=MOST_TRIES)] = Field(
        default=MOST_TRIES, description="how often it may be tried, each time with other gold"
    )
    # Exclusion: each is off until given, and waits for enough evidence.
    exclude_gold_below: Share | None = None
    exclude_gold_after: Annotated[int, Field(ge=1)] = 5
    exclude_repeats_below: Share | None = None
    exclude_repeats_after: Annotated[int, Field(ge=1)] = 5
    exclude_too_fast_above: Share | None = None
    exclude_same_side_above: Share | None = None
    exclude_votes_after: Annotated[int, Field(ge=1)] = Field(
        default=20, description="votes before the speed and side rules apply"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "QualityRules":
        if self.gold_rate + self.repeat_rate > 0.5:
            raise ValueError("gold_rate + repeat_rate is above 0.5: more checks than items")
        if self.qualification_pass > self.qualification_pairs:
            raise ValueError("qualification_pass is above qualification_pairs: nobody could pass")
        return self

    @property
    def tries_at_gold(self) -> int:
        """How often the qualification may be tried: once where everybody passes."""
        return self.qualification_tries if self.qualification_pass else 1

    @property
    def qualification_gold(self) -> int:
        """How many gold sets the qualification takes, to its last try."""
        return self.qualification_pairs * self.tries_at_gold


class SafetyRules(RuleSection):
    """The filter that keeps unsafe images from annotators; off until a threshold is given."""

    detector: str = Field(default="nudenet", pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    threshold: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="an image that scores so much or more is filtered"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SafetyRules":
        if self.threshold is None and self.model_fields_set:
            raise ValueError("the safety filter needs a threshold above 0 and up to 1")
        return self


class SampleRules(RuleSection):
    """Which share of samples may be faulty for the campaign to open all the same."""

    allow_constant: Share = Field(default=0.01, description="of images that are of one colour")
    allow_identical: Share = Field(default=0.01, description="of sets with the same image twice")
    allow_cut: Share = Field(
        default=0.05, description="of prompts that a checkpoint's text encoders do not read in full"
    )


class Question(RuleSection):
    """One question of the short questionnaire at the end."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: str = Field(min_length=1, max_length=300)
    kind: Literal["choice", "text"] = "choice"
    choices: list[str] = []
    required: bool = False
    translations: dict[LanguageCode, QuestionWords] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Question":
        given = {code: each.choices for code, each in self.translations.items()}
        refuse_other_counts(self.choices, given, "choices")
        if self.kind == "choice" and len(self.choices) < 2:
            raise ValueError('a choice needs at least two choices; kind = "text" needs none')
        return self


class CriterionRules(RuleSection):
    """A criterion of the researcher's own, or a shipped one in other words."""

    slug: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: str = Field(default="", max_length=80, description="for reports; from the slug if empty")
    question: str = Field(min_length=1, max_length=1000)
    instructions: str = Field(default="", max_length=4000)
    shows_prompt: bool
    form: str = Field(default="pair", json_schema_extra={"accepted": list(FORMS)})
    k: Annotated[int, Field(ge=1, le=1000)] = 5
    heads: list[Annotated[str, Field(min_length=1, max_length=40)]] = []
    gold: Literal["damaged_copy", "other_prompt", ""] = ""
    translations: dict[LanguageCode, CriterionWords] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "CriterionRules":
        if self.form not in FORMS:
            raise ValueError(f"no form {self.form!r}; accepted are {', '.join(FORMS)}")
        if self.slug == "visual_appeal" and self.shows_prompt:
            raise ValueError("visual_appeal hides the prompt; choose another slug to show it")
        if self.heads and not FORMS[self.form].takes_heads:
            marked = ", ".join(name for name, form in FORMS.items() if form.takes_heads)
            raise ValueError(f"heads are marked in the form {marked} alone")
        if self.gold and FORMS[self.form].is_written:
            raise ValueError(f"of the form {self.form} no answer is known; leave gold out")
        if len(set(self.heads)) != len(self.heads):
            raise ValueError("two heads have the same name")
        given = {code: each.heads for code, each in self.translations.items()}
        refuse_other_counts(self.heads, given, "heads")
        return self


class Rules(RuleSection):
    """All of them; every section may be left out."""

    annotation: AnnotationRules = AnnotationRules()
    quality: QualityRules = QualityRules()
    crowd: CrowdRules = CrowdRules()
    safety: SafetyRules = SafetyRules()
    samples: SampleRules = SampleRules()
    pay: PayRules = PayRules()
    comprehension: list[ComprehensionQuestion] = []
    questionnaire: list[Question] = []
    criteria: list[CriterionRules] = []

    @model_validator(mode="after")
    def _consistent(self) -> "Rules":
        slugs = [criterion.slug for criterion in self.criteria]
        if len(set(slugs)) != len(slugs):
            raise ValueError("two criteria have the same slug; give each its own")
        for questions in (self.questionnaire, self.comprehension):
            names = [question.name for question in questions]
            if len(set(names)) != len(names):
                raise ValueError("two questions of a list have the same name")
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return what a campaign keeps: safety and pay only where said; criteria are own rows."""
        off = {"criteria"} | ({"safety"} if self.safety.threshold is None else set())
        off |= set() if self.pay.is_set else {"pay"}
        return self.model_dump(mode="json", exclude=off)

    def with_safety(self, threshold: float) -> "Rules":
        """Return these rules with the safety filter on. Raises `BadInputError` where it is on."""
        if self.safety.threshold is not None:
            raise BadInputError(
                "the rules have a threshold of safety and another one was given too; keep one."
            )
        safety = parse_rules({"safety": {"threshold": threshold}}, "safety").safety
        return self.model_copy(update={"safety": safety})

    def with_samples(self, **given: float | None) -> "Rules":
        """Return these rules with what is given (and not None) in their section `samples`."""
        chosen = self.samples.model_dump(exclude_unset=True) | {
            name: value for name, value in given.items() if value is not None
        }
        samples = parse_rules({"samples": chosen}, "options").samples
        return self.model_copy(update={"samples": samples})


def parse_rules(given: dict[str, Any], source: str = "rules") -> Rules:
    """Return the checked rules. Raises `BadInputError` naming every key that is wrong."""
    try:
        return Rules.model_validate(given)
    except ValidationError as error:
        problems = problems_in_words(error, Rules, called="rule")
        raise BadInputError(f"{source}: {problems}. See docs/campaign-rules.md.") from error
