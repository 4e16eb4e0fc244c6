"""The criteria we ship: what annotators are asked, in every form it can be asked.

A criterion is one definition here: adding one touches this file alone. A researcher's own stand in
the campaign's rules file (`[[criteria]]`, docs/campaign-rules.md) and need no code at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.utils.translation import gettext_noop

from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Criterion
from evalplatform.core.errors import BadInputError

MOST_K = 1000


@dataclass(frozen=True)
class Wording:
    """What annotators read; stored in English, translated when shown."""

    question: str
    instructions: str = ""


@dataclass(frozen=True)
class CriterionDefinition:
    """A criterion before it belongs to a campaign.

    Attributes:
        wording: by form; the criterion can be asked in these forms.
        gold: how sets of known grades are made for it (`Criterion.Gold`), or "" where none can.
    """

    slug: str
    label: str
    wording: Mapping[str, Wording]
    shows_prompt: bool
    gold: str


@dataclass(frozen=True)
class CriterionPlan:
    """One criterion as a campaign asks it: in which words and form, and of how many annotators."""

    slug: str
    label: str
    question: str
    instructions: str
    shows_prompt: bool
    form: str = "pair"
    k: int = 5
    heads: tuple[str, ...] = ()
    gold: str = Criterion.Gold.NONE
    translations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInputError(f"k = {self.k} annotators per item; give at least 1 (usual: 5).")
        if self.k > MOST_K:
            raise BadInputError(
                f"k = {self.k:,} annotators per item; give at most {MOST_K:,} (usual: 5)."
            )


_APPEAL_PAIR = gettext_noop("Which image is more visually appealing?")
_FAITHFUL_PAIR = gettext_noop("Which image matches the description better?")

_SHIPPED = (
    CriterionDefinition(
        slug="visual_appeal",
        label="Visual appeal",
        shows_prompt=False,
        gold=Criterion.Gold.DAMAGED_COPY,
        wording={
            "pair": Wording(
                _APPEAL_PAIR,
                gettext_noop(
                    "Judge how each image looks as a whole: its colours, shapes, textures and "
                    "composition. Choose a tie only when you truly like both the same."
                ),
            ),
            "pair_both_neither": Wording(
                _APPEAL_PAIR,
                gettext_noop(
                    "Judge how each image looks as a whole: its colours, shapes, textures and "
                    "composition. Choose both or neither only when you truly like them the same."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by visual appeal, the most appealing first."),
                gettext_noop(
                    "Judge how each image looks as a whole: its colours, shapes, textures and "
                    "composition. Give two the same place only when you truly like them the same."
                ),
            ),
            "rating": Wording(
                gettext_noop("How visually appealing is this image?"),
                gettext_noop(
                    "Judge how it looks as a whole: its colours, shapes, textures and composition. "
                    "5 is excellent, 1 is bad."
                ),
            ),
            "keep_reject": Wording(
                gettext_noop("Is this image exceptionally appealing?"),
                gettext_noop(
                    "Keep it only if it looks excellent as a whole: colours, light, composition, "
                    "focus. Choose unsure when you cannot decide."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="text_faithfulness",
        label="Text faithfulness",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "pair": Wording(
                _FAITHFUL_PAIR,
                gettext_noop(
                    "Leave beauty aside and judge only how well each image shows what the "
                    "description says. Choose a tie when both match equally well, or equally badly."
                ),
            ),
            "pair_both_neither": Wording(
                _FAITHFUL_PAIR,
                gettext_noop(
                    "Leave beauty aside and judge only how well each image shows what the "
                    "description says. Choose both when both match it equally well, neither when "
                    "neither does."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by how well they match the description, best first."),
                gettext_noop(
                    "Leave beauty aside and judge only how well each image shows what the "
                    "description says. Give the same place to images that match equally well."
                ),
            ),
            "rating": Wording(
                gettext_noop("How well does this image match the description?"),
                gettext_noop(
                    "Leave beauty aside. 5: it shows everything that the description says. "
                    "1: it shows something else."
                ),
            ),
            "keep_reject": Wording(
                gettext_noop("Does this image show what the description says?"),
                gettext_noop("Leave beauty aside. Choose unsure when you cannot decide."),
            ),
        },
    ),
    CriterionDefinition(
        slug="overall_preference",
        label="Overall preference",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "pair": Wording(
                gettext_noop("Which image do you prefer for this description?"),
                gettext_noop(
                    "Weigh everything: how it looks and how well it shows what the description "
                    "says. Choose a tie only when you truly cannot choose."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by how much you prefer them, best first."),
                gettext_noop(
                    "Weigh everything: how it looks and how well it shows what the description "
                    "says."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="image_caption",
        label="Caption",
        shows_prompt=False,
        gold=Criterion.Gold.NONE,
        wording={
            "caption": Wording(
                gettext_noop("What does this image show?"),
                gettext_noop(
                    "Write one or two sentences for somebody who cannot see it: what is there, "
                    "what it looks like, where things are, in which light and style. Say only what "
                    "you see."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="caption_truth",
        label="Caption approved",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "approve": Wording(
                gettext_noop("Is this a true and good description of the image?"),
                gettext_noop(
                    "Approve it only if all that it says is there, and nothing that matters is "
                    "left out. Reject it for mistakes in spelling too: another one is written then."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="attribute_binding",
        label="Attribute binding",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "pair": Wording(
                gettext_noop("In which image do the things have the described properties?"),
                gettext_noop(
                    "Judge only whether each thing has the colour, shape and texture that the "
                    "description gives it. Choose a tie when both are equally right or wrong."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by whether things have the described properties."),
                gettext_noop(
                    "Judge only whether each thing has the colour, shape and texture that the "
                    "description gives it."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="spatial_relationship",
        label="Spatial relationship",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "pair": Wording(
                gettext_noop("In which image do the things stand as described?"),
                gettext_noop(
                    "Judge only where things are: left or right of, above, below, on, next to each "
                    "other. Choose a tie when both are equally right or wrong."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by whether things stand as described, best first."),
                gettext_noop(
                    "Judge only where things are: left or right of, above, below, on, next to each "
                    "other."
                ),
            ),
        },
    ),
    CriterionDefinition(
        slug="non_spatial_relationship",
        label="Non-spatial relationship",
        shows_prompt=True,
        gold=Criterion.Gold.OTHER_PROMPT,
        wording={
            "pair": Wording(
                gettext_noop("In which image do the things do what is described?"),
                gettext_noop(
                    "Judge only what things do with each other: hold, wear, watch, speak to. "
                    "Choose a tie when both are equally right or wrong."
                ),
            ),
            "ranking": Wording(
                gettext_noop("Rank the images by whether things do what is described, best first."),
                gettext_noop(
                    "Judge only what things do with each other: hold, wear, watch, speak to."
                ),
            ),
        },
    ),
)
CRITERIA = {definition.slug: definition for definition in _SHIPPED}


def plan_criterion(slug: str, k: int = 5, form: str = "pair") -> CriterionPlan:
    """Return the plan of a shipped criterion.

    Raises `BadInputError` for an unknown criterion or form, and for one that has no words in it.
    """
    form_named(form)
    definition = CRITERIA.get(slug)
    if definition is None:
        raise BadInputError(
            f"no criterion {slug!r}; shipped are {', '.join(CRITERIA)}; your own stand under "
            "[[criteria]] in the rules file."
        )
    if form not in definition.wording:
        raise BadInputError(
            f"{slug!r} cannot be asked as {form!r}; it can as {', '.join(definition.wording)}. "
            "Write it under [[criteria]] in the rules file to ask it in your own words."
        )
    words = definition.wording[form]
    return CriterionPlan(
        slug=slug,
        label=definition.label,
        question=words.question,
        instructions=words.instructions,
        shows_prompt=definition.shows_prompt,
        form=form,
        k=k,
        gold=definition.gold,
    )


def written(plan: CriterionPlan) -> dict[str, Any]:
    """Return a criterion in its exact words, as a file has it."""
    return {**asdict(plan), "heads": list(plan.heads), "gold": str(plan.gold)}


def in_shipped_words(given: Any) -> Any:
    """Return a criterion that a file names by its slug, with form and k, in its shipped words.

    One that has words of its own, and what is no criterion, stays as it is. Raises `BadInputError`
    for a form in which it has no words.
    """
    if isinstance(given, str):
        given = {"slug": given}
    if not isinstance(given, Mapping) or "question" in given:
        return given
    slug, form, k = given.get("slug"), given.get("form", "pair"), given.get("k", 5)
    if not isinstance(slug, str) or slug not in CRITERIA or not isinstance(form, str):
        return given
    k = k if isinstance(k, int) and k > 0 else 5  # what was given is refused with its own words
    return written(plan_criterion(slug, k, form)) | dict(given)


# `emu` is how Emu was evaluated (Dai et al. 2023, section 4.1); `default` asks five annotators
# under both criteria; `diffusion-dpo` asks three questions, as Wallace et al. 2023 (section 5.1);
# `composition` the aspects of T2I-CompBench (Huang et al. 2023) beside appeal, as IterComp does.
PRESETS: dict[str, tuple[CriterionPlan, ...]] = {
    "default": (plan_criterion("visual_appeal"), plan_criterion("text_faithfulness")),
    "emu": (
        plan_criterion("visual_appeal"),
        plan_criterion("text_faithfulness", k=3, form="pair_both_neither"),
    ),
    "diffusion-dpo": (
        plan_criterion("visual_appeal"),
        plan_criterion("overall_preference"),
        plan_criterion("text_faithfulness"),
    ),
    "composition": (
        plan_criterion("visual_appeal"),
        plan_criterion("attribute_binding"),
        plan_criterion("spatial_relationship"),
        plan_criterion("non_spatial_relationship"),
    ),
}


def check_plans(plans: Sequence[CriterionPlan]) -> None:
    """Raise `BadInputError` for repeated criteria, or none at all."""
    slugs = [plan.slug for plan in plans]
    if not slugs:
        raise BadInputError(f"no criterion; give some of {', '.join(CRITERIA)}.")
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise BadInputError(f"criterion {twice[0]!r} is taken twice; give each of its slugs once.")


def in_form(plans: Sequence[CriterionPlan], form: str) -> list[CriterionPlan]:
    """Return the same criteria, each in the words of another form.

    A researcher's own keeps its words. Raises `BadInputError` where a shipped one has none in it.
    """
    form_named(form)
    return [
        plan_criterion(plan.slug, plan.k, form)
        if plan.slug in CRITERIA
        else replace(plan, form=form)
        for plan in plans
    ]
